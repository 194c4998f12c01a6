package store

import (
	"database/sql"
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

// Whoever is refused for the sake of a full disk, or one that may only be read, is told so.
func TestWhatCannotBeWrittenSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pragma, want string }{
		{"max_page_count = 1", "no room left on the disk"}, // never less than there are
		{"query_only = true", "may only be read"},
	} {
		s, err := Open(t.Context(), engine.At(t.TempDir()+"/db").URI())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.db.SetMaxOpenConns(1) // what follows is a setting of the connection
		if _, err := s.db.DB.ExecContext(t.Context(), "PRAGMA "+c.pragma); err != nil {
			t.Fatal(err)
		}
		long := strings.Repeat("x", 100_000)
		_, added := s.AddInstance(t.Context(), instances.Instance{ID: "a_20240101120000", Name: long, Port: 3001, Desired: instances.Running, Status: instances.Idle}, "")
		for what, err := range map[string]error{
			"a statement": s.KeepProbe(t.Context(), []byte(long)),
			"a number":    added,
			"a transaction": s.within(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO "sealed_keys" ("name", "sealed") VALUES ('x', $1)`, []byte(long))
				return err
			}),
		} {
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
