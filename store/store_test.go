package store

import (
	"path/filepath"
	"strings"
	"testing"

	"switchboard/fault"
	"switchboard/isolation/pgtest"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	return mustOpen(t, "file:"+filepath.Join(t.TempDir(), "whatsapp.db"))
}

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newStore(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, mustOpen(t, pgtest.New(t).URI))
	})
}

func TestPostgresThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	for words, uri := range map[string]string{
		"does not answer":       "postgres://x:y@127.0.0.1:1/z?sslmode=disable",
		"refuses the login":     strings.Replace(database.URI, ":test@", ":wrong@", 1),
		"database of that name": strings.Replace(database.URI, "/"+database.Tag+"?", "/missing?", 1),
	} {
		_, err := Open(t.Context(), uri)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), words) {
			t.Errorf("%s: %v", words, err)
		}
		if strings.Contains(err.Error(), "wrong") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestUnknownURI(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"", "whatsapp.db", "mysql://root@localhost/x", "sqlite:///x.db", "file:", "FILE:x.db", "postgres:x",
		"file::memory:", "file:x.db?mode=memory", "file:x.db?mode=ro", "file:x.db?immutable=1",
		"file:x%ZZ.db", "file:folder/", "file://elsewhere/x.db", "postgres://user:p%ZZ@localhost/x",
		"postgres://localhost:port/x",
	} {
		s, err := Open(t.Context(), uri)
		if err == nil {
			_ = s.Close()
		}
		if fault.KindOf(err) != fault.Invalid || fault.MessageOf(err) == "" {
			t.Errorf("%q: %v", uri, err)
		}
	}
}
