// Package secrets encrypts what has to be kept on disk and must not be read there.
//
// Everything is encrypted with keys that are derived from the installation's one secret
// key, a different one for each purpose: what was sealed for one cannot be passed off as
// something else.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"switchboard/fault"
)

// Box seals and opens for one purpose. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// New makes the box of one purpose from the secret key.
func New(secretKey, purpose string) (*Box, error) {
	key, err := hkdf.Key(sha256.New, []byte(secretKey), nil, "switchboard: "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &Box{aead}, nil
}

// Seal encrypts; each time the result is another one.
func (b *Box) Seal(plain []byte) []byte {
	return b.aead.Seal(nil, nil, plain, nil) //nolint:gosec // this AEAD makes a random nonce itself and takes none
}

// Open decrypts what Seal returned. With another secret key, or after a change of a single
// bit, that is impossible and a fault.Unavailable.
func (b *Box) Open(sealed []byte) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable,
			"What is stored encrypted cannot be read with this secret key; put back the key that it was written with.", err)
	}
	return plain, nil
}
