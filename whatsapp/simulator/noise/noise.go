// Package noise is the server's side of WhatsApp's transport encryption: the handshake
// Noise_XX_25519_AESGCM_SHA256, the ciphers that come out of it, and the certificate chain
// by which a client recognises the server.
//
// It deals in byte slices only and knows neither sockets nor stanzas.
package noise

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"
)

// protocolName is exactly 32 bytes long and therefore used unhashed as the first hash,
// salt and key.
const protocolName = "Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"

var errMessage = errors.New("malformed handshake message")

// state is Noise's symmetric state.
type state struct {
	hash  []byte
	chain []byte
	aead  cipher.AEAD
	count uint32
}

func newState(prologue []byte) *state {
	s := &state{hash: []byte(protocolName), chain: []byte(protocolName), aead: newAEAD([]byte(protocolName))}
	s.mixHash(prologue)
	return s
}

func (s *state) mixHash(data []byte) {
	h := sha256.New()
	h.Write(s.hash)
	h.Write(data)
	s.hash = h.Sum(nil)
}

func (s *state) mixKey(private, public []byte) error {
	shared, err := curve25519.X25519(private, public)
	if err != nil {
		return fmt.Errorf("key agreement: %w", err)
	}
	first, second := s.expand(shared)
	s.chain, s.aead, s.count = first, newAEAD(second), 0
	return nil
}

func (s *state) expand(secret []byte) (first, second []byte) {
	out, err := hkdf.Key(sha256.New, secret, s.chain, "", 64)
	if err != nil {
		panic(err) // only for lengths that SHA-256 cannot produce
	}
	return out[:32], out[32:]
}

func (s *state) seal(plaintext []byte) []byte {
	out := s.aead.Seal(nil, nonce(s.count), plaintext, s.hash)
	s.count++
	s.mixHash(out)
	return out
}

func (s *state) open(ciphertext []byte) ([]byte, error) {
	out, err := s.aead.Open(nil, nonce(s.count), ciphertext, s.hash)
	if err != nil {
		return nil, err
	}
	s.count++
	s.mixHash(ciphertext)
	return out, nil
}

// Handshake is a handshake whose server hello has been made.
type Handshake struct {
	state     *state
	ephemeral *keys.KeyPair
}

// Respond answers a client hello. The certificate (see Certificate) has to be for static.
func Respond(static *keys.KeyPair, certificate, prologue, clientHello []byte) (*Handshake, []byte, error) {
	var hello waWa6.HandshakeMessage
	if err := proto.Unmarshal(clientHello, &hello); err != nil {
		return nil, nil, fmt.Errorf("client hello: %w", err)
	}
	theirs := hello.GetClientHello().GetEphemeral()
	if len(theirs) != 32 {
		return nil, nil, fmt.Errorf("client hello: %w", errMessage)
	}
	h := &Handshake{state: newState(prologue), ephemeral: keys.NewKeyPair()}
	h.state.mixHash(theirs)
	h.state.mixHash(h.ephemeral.Pub[:])
	if err := h.state.mixKey(h.ephemeral.Priv[:], theirs); err != nil {
		return nil, nil, err
	}
	sealedStatic := h.state.seal(static.Pub[:])
	if err := h.state.mixKey(static.Priv[:], theirs); err != nil {
		return nil, nil, err
	}
	out, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: h.ephemeral.Pub[:],
		Static:    sealedStatic,
		Payload:   h.state.seal(certificate),
	}})
	return h, out, err
}

// Finish takes the client finish. It returns the client's static key, which is what proves
// who it is, its payload, and the session for everything after the handshake.
func (h *Handshake) Finish(clientFinish []byte) (static [32]byte, payload []byte, session *Session, err error) {
	var finish waWa6.HandshakeMessage
	if err = proto.Unmarshal(clientFinish, &finish); err != nil {
		return static, nil, nil, fmt.Errorf("client finish: %w", err)
	}
	theirs, err := h.state.open(finish.GetClientFinish().GetStatic())
	if err != nil || len(theirs) != 32 {
		return static, nil, nil, fmt.Errorf("client finish: static key: %w", errMessage)
	}
	if err = h.state.mixKey(h.ephemeral.Priv[:], theirs); err != nil {
		return static, nil, nil, err
	}
	if payload, err = h.state.open(finish.GetClientFinish().GetPayload()); err != nil {
		return static, nil, nil, fmt.Errorf("client finish: payload: %w", errMessage)
	}
	// The client writes with the first key and reads with the second.
	first, second := h.state.expand(nil)
	return [32]byte(theirs), payload, &Session{in: newAEAD(first), out: newAEAD(second)}, nil
}

// Session encrypts and decrypts frames after the handshake. Seal and Open may run side by
// side, but neither side by side with itself.
type Session struct {
	in, out           cipher.AEAD
	inCount, outCount uint32
}

// Overhead is by how much a sealed frame is longer than its plaintext.
const Overhead = 16

// Seal appends the next frame for the client to dst.
func (s *Session) Seal(dst, plaintext []byte) []byte {
	dst = s.out.Seal(dst, nonce(s.outCount), plaintext, nil)
	s.outCount++
	return dst
}

// Open decrypts the next frame of the client, in place.
func (s *Session) Open(ciphertext []byte) ([]byte, error) {
	plaintext, err := s.in.Open(ciphertext[:0], nonce(s.inCount), ciphertext, nil)
	s.inCount++
	return plaintext, err
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for keys that are not 16, 24 or 32 bytes long
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // never for AES
	}
	return aead
}

func nonce(count uint32) []byte {
	var iv [12]byte
	binary.BigEndian.PutUint32(iv[8:], count)
	return iv[:]
}
