package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

const (
	secretBytes = 32
	secretChars = 52 // of 32 bytes in base32 without padding
)

// Lower-case base32: a double click selects the whole of it, and it survives every
// place where a link or a header is pasted.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret returns 256 random bits as text.
func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails: the program ends if there is no randomness
	return letters.EncodeToString(b)
}

// isSecret reports whether s could have come from newSecret.
func isSecret(s string) bool {
	return len(s) == secretChars &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// newID returns a short name for a thing, unique and not secret.
func newID() string { return newSecret()[:12] }

// newUserID returns an id that is never used twice, so that nobody inherits the numbers
// of a person who was deleted. 53 bits: every JSON reader keeps them exactly.
func newUserID() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:])>>11) | 1
}

// hashSecret is what the database keeps of a secret. Secrets have 256 random bits, so that
// a plain hash cannot be turned back.
func hashSecret(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
