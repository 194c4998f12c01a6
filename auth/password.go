package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"switchboard/fault"
)

// What new hashes are made with: OWASP's minimum for argon2id, about 40 ms. Changing it is
// enough: every hash carries its own parameters and is renewed at the next sign-in.
var present = parameters{time: 2, memory: 19 * 1024, threads: 1}

const (
	saltBytes = 16
	keyBytes  = 32
	// Every hash holds 19 MiB while it runs, so a crowd at the door must queue.
	hashesAtOnce = 3
	hashPatience = 10 * time.Second
)

type parameters struct {
	time, memory uint32 // memory in KiB
	threads      uint8
}

// hasher hashes passwords, a few at a time.
type hasher struct {
	places chan struct{}
	// nobody is a hash that no password has. It is checked in place of a missing one, so
	// that an unknown e-mail address takes as long as a wrong password.
	nobody string
}

func newHasher() *hasher {
	salt, key := make([]byte, saltBytes), make([]byte, keyBytes)
	rand.Read(salt)
	rand.Read(key)
	return &hasher{places: make(chan struct{}, hashesAtOnce), nobody: phc(present, salt, key)}
}

// hash returns the PHC string of password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	key, err := h.derive(ctx, password, salt, present)
	if err != nil {
		return "", err
	}
	return phc(present, salt, key), nil
}

// verify reports whether password belongs to hash, and whether the hash is outdated and
// should be made anew. An empty hash belongs to no password, and takes as long to say so.
func (h *hasher) verify(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	missing := hash == ""
	if missing {
		hash = h.nobody
	}
	p, salt, want, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	got, err := h.derive(ctx, password, salt, p)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want) == 1 && !missing
	return ok, p != present || len(salt) != saltBytes, nil
}

func (h *hasher) derive(ctx context.Context, password string, salt []byte, p parameters) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable,
			"Too many people are signing in at this moment. Please try again in a minute.", ctx.Err())
	}
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, keyBytes), nil
}

var b64 = base64.RawStdEncoding

func phc(p parameters, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.time, p.threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// parsePHC refuses what this program would not have written, above all costs that would
// hang the sign-in.
func parsePHC(s string) (p parameters, salt, key []byte, err error) {
	bad := fmt.Errorf("a stored password hash is not an argon2id PHC string")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, bad
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil || n != 3 {
		return p, nil, nil, bad
	}
	if p.memory < 8 || p.memory > 1<<20 || p.time < 1 || p.time > 20 || p.threads < 1 {
		return p, nil, nil, bad
	}
	salt, err = b64.DecodeString(parts[4])
	if err != nil || len(salt) < 8 {
		return p, nil, nil, bad
	}
	key, err = b64.DecodeString(parts[5])
	if err != nil || len(key) != keyBytes {
		return p, nil, nil, bad
	}
	return p, salt, key, nil
}
