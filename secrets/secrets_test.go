package secrets_test

import (
	"bytes"
	"testing"

	"switchboard/fault"
	"switchboard/secrets"
)

func box(t *testing.T, key, purpose string) *secrets.Box {
	t.Helper()
	b, err := secrets.New(key, purpose)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	b := box(t, "key", "purpose")
	plain := []byte("a password")
	sealed := b.Seal(plain)
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, b.Seal(plain)) {
		t.Error("the sealed form tells something")
	}
	if got, err := box(t, "key", "purpose").Open(sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return box(t, "other", "purpose").Open(sealed) },
		"another purpose": func() ([]byte, error) { return box(t, "key", "other").Open(sealed) },
		"nothing":         func() ([]byte, error) { return b.Open(nil) },
		"a changed bit": func() ([]byte, error) {
			changed := bytes.Clone(sealed)
			changed[len(changed)/2] ^= 1
			return b.Open(changed)
		},
	} {
		if got, err := open(); fault.KindOf(err) != fault.Unavailable || got != nil {
			t.Errorf("%s: opened %q, %v", name, got, err)
		}
	}
}
