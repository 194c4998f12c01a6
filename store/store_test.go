package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/isolation/pgtest"
	"switchboard/migrations"
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
		"does not answer":   "postgres://x:y@127.0.0.1:1/z?sslmode=disable",
		"refuses the login": strings.Replace(database.URI, ":test@", ":wrong@", 1),
		`unrecognized configuration parameter "bogus"`: database.URI + "&bogus=1",
		"database of that name":                        strings.Replace(database.URI, "/"+database.Tag+"?", "/missing?", 1),
	} {
		_, err := Open(t.Context(), uri)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), words) {
			t.Errorf("%s: %v", words, err)
		}
		if strings.Contains(err.Error(), "wrong") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	for change, words := range map[string]string{
		`ALTER DATABASE "%s" OWNER TO postgres`: `may not make tables in the database %[1]s; let an administrator run: ALTER DATABASE "%[1]s" OWNER TO "%[1]s";`,
		`ALTER SCHEMA public OWNER TO postgres`: `may not make tables in the schema public of the database %[1]s; let an administrator run there: GRANT USAGE, CREATE ON SCHEMA "public" TO "%[1]s";`,
		`DROP SCHEMA public`:                    `The search_path of DB_URI, or the user's own, names no schema of the database %[1]s.`,
	} {
		database := pgtest.New(t)
		super, err := engine.OpenPostgres(t.Context(), database.SuperURI, engine.Pool{Open: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := super.ExecContext(t.Context(), strings.ReplaceAll(change, "%s", database.Tag)); err != nil {
			t.Fatal(err)
		}
		_ = super.Close()
		want := fmt.Sprintf(words, database.Tag)
		if _, err := Open(t.Context(), database.URI); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%s: %v", change, err)
		}
		looked, _, _, err := Look(t.Context(), database.URI)
		if err == nil {
			err = looked.MayMakeTables(t.Context())
		}
		if !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("after %s, a look says %v", change, err)
		}
	}
}

// The server ends a connection in the middle of the look at the schema, as when it is restarted.
func TestAServerThatGoesAway(t *testing.T) {
	t.Parallel()
	uri := pgtest.New(t).URI
	mustOpen(t, uri)
	if err := pgtest.Interrupt(t, uri, migrations.Table, func() error {
		s, err := Open(t.Context(), uri)
		if err == nil {
			err = s.Close()
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// Who changes something just then is told what is wrong, and that it may be done or not.
func TestAServerThatGoesAwayWhileSomethingChanges(t *testing.T) {
	t.Parallel()
	uri := pgtest.New(t).URI
	s := mustOpen(t, uri)
	for what, do := range map[string]func() error{
		"a statement": func() error { return s.KeepProbe(t.Context(), []byte("x")) },
		"a transaction": func() error {
			return s.within(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO "secret_key" ("name", "sealed") VALUES ('x', 'y')`)
				return err
			})
		},
	} {
		err := pgtest.Interrupt(t, uri, "secret_key", do)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "went away") {
			t.Errorf("%s: %v", what, err)
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
