package store

import (
	"testing"

	"switchboard/fault"
)

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
