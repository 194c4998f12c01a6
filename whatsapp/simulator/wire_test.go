package simulator_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"
)

// wire is a client's end of one connection after the handshake. It is written here a second
// time because whatsmeow's own has data races when a socket breaks in mid-handshake.
type wire struct {
	ws      *websocket.Conn
	rest    []byte // of what was read
	in, out cipher.AEAD
	inCount uint32
	gone    chan struct{} // closed when the connection has ended

	sending  sync.Mutex
	outCount uint32
}

// tcp dials addr in plain TCP for every host name.
func tcp(addr string) *http.Transport {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial}
}

// initiator is the client's side of the handshake.
type initiator struct {
	hash, chain []byte
	aead        cipher.AEAD
	count       uint32
}

func (i *initiator) mix(data []byte) {
	sum := sha256.Sum256(append(i.hash[:len(i.hash):len(i.hash)], data...))
	i.hash = sum[:]
}

func (i *initiator) expand(secret []byte) (first, second []byte) {
	out, _ := hkdf.Key(sha256.New, secret, i.chain, "", 64) // never fails for this length
	return out[:32], out[32:]
}

func (i *initiator) agree(private, public []byte) error {
	secret, err := curve25519.X25519(private, public)
	if err != nil {
		return err
	}
	first, second := i.expand(secret)
	i.chain, i.aead, i.count = first, gcm(second), 0
	return nil
}

func (i *initiator) seal(plain []byte) []byte {
	out := i.aead.Seal(nil, counter(i.count), plain, i.hash)
	i.count++
	i.mix(out)
	return out
}

func (i *initiator) open(sealed []byte) ([]byte, error) {
	out, err := i.aead.Open(nil, counter(i.count), sealed, i.hash)
	i.count++
	i.mix(sealed)
	return out, err
}

func gcm(key []byte) cipher.AEAD {
	block, _ := aes.NewCipher(key) // never fails for 32 bytes
	aead, _ := cipher.NewGCM(block)
	return aead
}

func counter(n uint32) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 8, 12), n)
}

// dialWire connects and shakes hands.
func dialWire(ctx context.Context, transport http.RoundTripper, static *keys.KeyPair, payload proto.Message) (w *wire, err error) {
	ws, _, err := websocket.Dial(ctx, socket.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = ws.CloseNow()
		}
	}()
	ws.SetReadLimit(socket.FrameMaxSize)
	w = &wire{ws: ws, gone: make(chan struct{})}
	name := []byte(socket.NoiseStartPattern)
	i, ephemeral := &initiator{hash: name, chain: name, aead: gcm(name)}, keys.NewKeyPair()
	i.mix(socket.WAConnHeader)
	i.mix(ephemeral.Pub[:])
	hello := &waWa6.HandshakeMessage{ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: ephemeral.Pub[:]}}
	if err := w.handshake(ctx, socket.WAConnHeader, hello); err != nil {
		return nil, err
	}
	frame, err := w.frame(ctx)
	if err != nil {
		return nil, err
	}
	var answer waWa6.HandshakeMessage
	if err := proto.Unmarshal(frame, &answer); err != nil {
		return nil, err
	}
	theirs := answer.GetServerHello().GetEphemeral()
	i.mix(theirs)
	first := i.agree(ephemeral.Priv[:], theirs)
	serverStatic, second := i.open(answer.GetServerHello().GetStatic())
	third := i.agree(ephemeral.Priv[:], serverStatic)
	_, fourth := i.open(answer.GetServerHello().GetPayload())
	sealed := i.seal(static.Pub[:])
	if err := errors.Join(first, second, third, fourth, i.agree(static.Priv[:], theirs)); err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(payload)
	if err != nil {
		return nil, err
	}
	finish := &waWa6.HandshakeMessage{ClientFinish: &waWa6.HandshakeMessage_ClientFinish{Static: sealed, Payload: i.seal(raw)}}
	if err := w.handshake(ctx, nil, finish); err != nil {
		return nil, err
	}
	out, in := i.expand(nil)
	w.in, w.out = gcm(in), gcm(out)
	return w, nil
}

func (w *wire) handshake(ctx context.Context, header []byte, m proto.Message) error {
	raw, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return w.ws.Write(ctx, websocket.MessageBinary, append(header[:len(header):len(header)], framed(raw)...))
}

func framed(body []byte) []byte {
	return append([]byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

func (w *wire) frame(ctx context.Context) ([]byte, error) {
	for {
		if len(w.rest) >= 3 {
			end := 3 + int(w.rest[0])<<16 + int(w.rest[1])<<8 + int(w.rest[2])
			if len(w.rest) >= end {
				body := w.rest[3:end]
				w.rest = w.rest[end:]
				return body, nil
			}
		}
		_, message, err := w.ws.Read(ctx)
		if err != nil {
			return nil, err
		}
		w.rest = append(w.rest, message...)
	}
}

// read hands over what arrives until the connection ends.
func (w *wire) read(handle func(frame []byte)) {
	defer close(w.gone)
	defer w.close()
	for {
		sealed, err := w.frame(context.Background())
		if err != nil {
			return
		}
		plain, err := w.in.Open(nil, counter(w.inCount), sealed, nil)
		if err != nil {
			return
		}
		w.inCount++
		handle(plain)
	}
}

func (w *wire) send(plain []byte) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	sealed := w.out.Seal(nil, counter(w.outCount), plain, nil)
	w.outCount++
	return w.ws.Write(context.Background(), websocket.MessageBinary, framed(sealed))
}

func (w *wire) close() { _ = w.ws.CloseNow() }
