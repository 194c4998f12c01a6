package secrets

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Derive makes a secret of one purpose, 256 bits in hexadecimal, from the secret key.
func Derive(secretKey, purpose string) (string, error) {
	key, err := hkdf.Key(sha256.New, []byte(secretKey), nil, "switchboard: "+purpose, 32)
	if err != nil {
		return "", fmt.Errorf("derive secret: %w", err)
	}
	return hex.EncodeToString(key), nil
}
