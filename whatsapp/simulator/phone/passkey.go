package phone

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"
)

// passkeyPairing is the phone's side of one pairing with a passkey.
type passkeyPairing struct {
	ephemeral *keys.KeyPair
	nonce     []byte
	companion *waCompanionReg.CompanionEphemeralIdentity
	rawID     []byte // companion as it was sent; its commitment is over these bytes
	promised  []byte
}

// startPasskeyPairing reads the client's prologue. scanned is the secret of the code that was
// scanned, with which the client proves that it is still the same one; nil skips that.
func startPasskeyPairing(payload, proof, scanned []byte) (*passkeyPairing, error) {
	if len(proof) > 0 && scanned != nil {
		key, err := hkdf.Key(sha256.New, scanned, nil, "shortcake-passkey-handoff-v1", 32)
		if err != nil {
			return nil, fmt.Errorf("derive the key of the handoff: %w", err)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(payload)
		if !hmac.Equal(mac.Sum(nil), proof) {
			return nil, errors.New("the passkey was answered by another device than the one whose code was scanned")
		}
	}
	var prologue waCompanionReg.ProloguePayload
	if err := proto.Unmarshal(payload, &prologue); err != nil {
		return nil, fmt.Errorf("read the passkey prologue: %w", err)
	}
	p := &passkeyPairing{
		ephemeral: keys.NewKeyPair(),
		nonce:     randomBytes(32),
		companion: &waCompanionReg.CompanionEphemeralIdentity{},
		rawID:     prologue.GetCompanionEphemeralIdentity(),
		promised:  prologue.GetCommitment().GetHash(),
	}
	if err := proto.Unmarshal(p.rawID, p.companion); err != nil {
		return nil, fmt.Errorf("read the passkey prologue: %w", err)
	}
	if len(p.companion.GetPublicKey()) != 32 {
		return nil, errors.New("the passkey prologue has no key in it")
	}
	return p, nil
}

// hello is the phone's answer to the prologue.
func (p *passkeyPairing) hello() ([]byte, error) {
	return proto.Marshal(&waCompanionReg.PrimaryEphemeralIdentity{PublicKey: p.ephemeral.Pub[:], Nonce: p.nonce})
}

// code checks that the companion's nonce is the one it had promised, and returns the code
// that both screens show.
func (p *passkeyPairing) code(companionNonce []byte) (string, error) {
	promise := sha256.Sum256(slices.Concat(p.rawID, companionNonce))
	if !hmac.Equal(promise[:], p.promised) {
		return "", errors.New("the other device changed its mind about its key")
	}
	digest := sha256.Sum256(slices.Concat(companionNonce, p.ephemeral.Pub[:]))
	code := make([]byte, 5)
	for i := range code {
		code[i] = p.nonce[i] ^ digest[i]
	}
	text := base32.NewEncoding(codeAlphabet).EncodeToString(code)
	return text[:4] + "-" + text[4:], nil
}

// finish opens the companion's pairing request: its keys and its new secret.
func (p *passkeyPairing) finish(encrypted []byte) (*waCompanionReg.PairingRequest, error) {
	var envelope waCompanionReg.EncryptedPairingRequest
	if err := proto.Unmarshal(encrypted, &envelope); err != nil {
		return nil, fmt.Errorf("read the pairing request: %w", err)
	}
	shared, err := curve25519.X25519(p.ephemeral.Priv[:], p.companion.GetPublicKey())
	if err != nil {
		return nil, fmt.Errorf("combine the passkey keys: %w", err)
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", p.companion.GetDeviceType(), p.companion.GetRef())
	key, err := hkdf.Key(sha256.New, shared, []byte(salt), "Pairing Information Encryption Key", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the pairing request: %w", err)
	}
	plain, err := gcmutil.Decrypt(key, envelope.GetIV(), envelope.GetEncryptedPayload(), nil)
	if err != nil {
		return nil, fmt.Errorf("open the pairing request: %w", err)
	}
	var request waCompanionReg.PairingRequest
	if err := proto.Unmarshal(plain, &request); err != nil {
		return nil, fmt.Errorf("read the pairing request: %w", err)
	}
	if len(request.GetCompanionIdentityKey()) != 32 || len(request.GetAdvSecret()) != 32 {
		return nil, errors.New("the pairing request is incomplete")
	}
	return &request, nil
}
