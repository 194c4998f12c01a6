package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"switchboard/engine"
	"switchboard/fault"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"file:x.db": engine.SQLite, "file:///x.db?a=b": engine.SQLite,
		"postgres://u:p@h/d": engine.Postgres, "postgresql:///d?host=/run": engine.Postgres,
	} {
		if got, err := engine.Of(uri); got != want || err != nil {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
	for _, uri := range []string{"", "file:", "x.db", "postgres:", "mysql://h/d", "FILE:x.db"} {
		if got, err := engine.Of(uri); got != "" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
}

func TestParseFile(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"file:storages/whatsapp.db?_foreign_keys=on": "storages/whatsapp.db",
		"file:./a/../b.db":                           "b.db",
		"file:/abs/x.db":                             "/abs/x.db",
		"file:///abs/x.db":                           "/abs/x.db",
		"file://localhost/abs/x.db#no":               "/abs/x.db",
		"file:with%20space%3F.db?a=b":                "with space?.db",
	} {
		f, err := engine.ParseFile(uri)
		if err != nil || f.Path != want {
			t.Errorf("%s: %q, %v", uri, f.Path, err)
			continue
		}
		if again, err := engine.ParseFile(f.URI()); err != nil || again.Path != want {
			t.Errorf("%s became %s: %q, %v", uri, f.URI(), again.Path, err)
		}
	}
}

// Whatever is in a path, SQLite opens the file that the path names.
func TestOddPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"a?mode=memory", "b#c.db", "d%41.db", "ü:ber.db", "x:y.db", "dir with space/e&f=g.db"} {
		f := engine.At(path)
		if err := f.Create(); err != nil {
			t.Fatal(err)
		}
		db, err := f.Open(t.Context())
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE "x" ("y" TEXT)`); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Join(".", path)); err != nil || info.Size() == 0 {
			t.Errorf("%s was not written: %v", path, err)
		}
	}
}

func TestPostgresFor(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"postgres://admin:top%2Fsecret@h:5433/main?sslmode=disable": "postgres://role:p%40ss@h:5433/other?sslmode=disable",
		"postgresql://h/":                      "postgresql://role:p%40ss@h/other",
		"postgres://h1:5432,h2:5433/main":      "postgres://role:p%40ss@h1:5432,h2:5433/other",
		"postgres:///main?host=/run/pg&port=7": "postgres://role:p%40ss@/other?host=%2Frun%2Fpg&port=7",
		"postgres://h/main?user=admin&password=x&dbname=y&search_path=s&application_name=a": "postgres://role:p%40ss@h/other?application_name=a",
	} {
		got, err := engine.PostgresFor(uri, "role", "p@ss", "other")
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", uri, got, err)
			continue
		}
		config, err := engine.ParsePostgres(got)
		if err != nil || config.User != "role" || config.Password != "p@ss" || config.Database != "other" {
			t.Errorf("%s: %+v, %v", got, config, err)
		}
	}
}
