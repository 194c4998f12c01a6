package phone

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"

	"switchboard/fault"
)

const (
	codeAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
	codeLength   = 8
	codeRounds   = 2 << 16 // of PBKDF2
)

// errWrongCode means that the code typed in is not the one shown.
var errWrongCode = errors.New("the code does not open the other device's key")

// normalCode returns a code as typed by a person in the form in which it is used as a
// password: upper case, without the dash.
func normalCode(typed string) (string, error) {
	code := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	if len(code) != codeLength || strings.Trim(code, codeAlphabet) != "" {
		return "", fault.InField("code", "A code has eight letters and digits, like ABCD-1234. Look at the other screen and type it again.")
	}
	return code, nil
}

// codeKey hides or reveals a public key with the code: 32 bytes salt, 16 bytes
// initialisation vector, 32 bytes key.
func codeKey(code string, salt, iv, key []byte) ([]byte, error) {
	secret, err := pbkdf2.Key(sha256.New, code, salt, codeRounds, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key from the code: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("derive a key from the code: %w", err)
	}
	out := make([]byte, len(key))
	cipher.NewCTR(block, iv).XORKeyStream(out, key)
	return out, nil
}

// codePairing is the phone's side of one pairing by code.
type codePairing struct {
	identity  *keys.KeyPair // the phone's
	ephemeral *keys.KeyPair
	shared    []byte // Diffie-Hellman of the ephemeral keys; wrong if the code is wrong
}

// startCodePairing opens the companion's ephemeral key with the code and returns the phone's
// own, wrapped the same way. Whether the code is right shows only in finish.
func startCodePairing(identity *keys.KeyPair, code string, wrapped []byte) (p *codePairing, hello []byte, err error) {
	if len(wrapped) != 80 {
		return nil, nil, fmt.Errorf("the other device sent a key of %d bytes instead of 80", len(wrapped))
	}
	companion, err := codeKey(code, wrapped[:32], wrapped[32:48], wrapped[48:])
	if err != nil {
		return nil, nil, err
	}
	p = &codePairing{identity: identity, ephemeral: keys.NewKeyPair()}
	if p.shared, err = curve25519.X25519(p.ephemeral.Priv[:], companion); err != nil {
		return nil, nil, errWrongCode
	}
	saltAndIV := randomBytes(48)
	own, err := codeKey(code, saltAndIV[:32], saltAndIV[32:], p.ephemeral.Pub[:])
	if err != nil {
		return nil, nil, err
	}
	return p, append(saltAndIV, own...), nil
}

// finish opens the companion's bundle and returns the secret that proves the phone's
// statement about it. The error is errWrongCode if the code was wrong.
func (p *codePairing) finish(bundle []byte, companion [32]byte) (secret []byte, err error) {
	if len(bundle) < 44 {
		return nil, fmt.Errorf("the other device sent a bundle of %d bytes", len(bundle))
	}
	key, err := hkdf.Key(sha256.New, p.shared, bundle[:32], "link_code_pairing_key_bundle_encryption_key", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the bundle: %w", err)
	}
	plain, err := gcmutil.Decrypt(key, bundle[32:44], bundle[44:], nil)
	if err != nil {
		return nil, errWrongCode
	}
	if len(plain) != 96 || [32]byte(plain[:32]) != companion || [32]byte(plain[32:64]) != *p.identity.Pub {
		return nil, errors.New("the other device's bundle is about other keys")
	}
	identities, err := curve25519.X25519(p.identity.Priv[:], companion[:])
	if err != nil {
		return nil, fmt.Errorf("combine the identity keys: %w", err)
	}
	secret, err = hkdf.Key(sha256.New, slices.Concat(p.shared, identities, plain[64:]), nil, "adv_secret", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the linking secret: %w", err)
	}
	return secret, nil
}
