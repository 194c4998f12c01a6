package migrations

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"switchboard/engine"
	"switchboard/fault"
)

func newDB(t *testing.T) *sql.DB {
	t.Helper()
	f := engine.At(filepath.Join(t.TempDir(), "x.db"))
	if err := f.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// schema describes everything in the database.
func schema(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT coalesce("sql", "name") FROM "sqlite_master" ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		b.WriteString(s + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func file(statements string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- why\n-- +goose Up\n" + statements)}
}

func TestUpIsIdempotent(t *testing.T) {
	t.Parallel()
	for _, set := range []string{Panel, Instance} {
		db := newDB(t)
		if err := Up(t.Context(), db, engine.SQLite, set); err != nil {
			t.Fatal(err)
		}
		before := schema(t, db)
		if !strings.Contains(before, "CREATE TABLE") {
			t.Errorf("%s makes no table", set)
		}
		if err := Up(t.Context(), db, engine.SQLite, set); err != nil {
			t.Fatal(err)
		}
		if after := schema(t, db); after != before {
			t.Errorf("%s changed the second time", set)
		}
	}
}

func TestUpByManyAtOnce(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := Up(t.Context(), db, engine.SQLite, Panel); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A migration that would run twice without complaint runs once.
func TestMigrationRunsOnce(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	set := fstest.MapFS{"0001_a.sql": file(`CREATE TABLE "a" ("n" BIGINT); INSERT INTO "a" VALUES (0);`)}
	if err := up(t.Context(), db, engine.SQLite, set); err != nil {
		t.Fatal(err)
	}
	set["0002_b.sql"] = file(`UPDATE "a" SET "n" = "n" + 1;`)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := up(t.Context(), db, engine.SQLite, set); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var n int
	if err := db.QueryRowContext(t.Context(), `SELECT "n" FROM "a"`).Scan(&n); err != nil || n != 1 {
		t.Errorf("it ran %d times, %v", n, err)
	}
}

func TestFailedMigrationIsUndone(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	good := fstest.MapFS{"0001_a.sql": file(`CREATE TABLE "a" ("x" TEXT); INSERT INTO "a" VALUES ('kept');`)}
	if err := up(t.Context(), db, engine.SQLite, good); err != nil {
		t.Fatal(err)
	}
	before := schema(t, db)
	good["0002_b.sql"] = file(`CREATE TABLE "b" ("x" TEXT); DELETE FROM "a"; INSERT INTO "nowhere" VALUES (1);`)
	if err := up(t.Context(), db, engine.SQLite, good); err == nil {
		t.Fatal("a broken migration succeeded")
	}
	if after := schema(t, db); after != before {
		t.Errorf("the schema changed to\n%s", after)
	}
	var x string
	if err := db.QueryRowContext(t.Context(), `SELECT "x" FROM "a"`).Scan(&x); err != nil || x != "kept" {
		t.Errorf("the row is %q, %v", x, err)
	}
	good["0002_b.sql"] = file(`CREATE TABLE "b" ("x" TEXT);`)
	if err := up(t.Context(), db, engine.SQLite, good); err != nil {
		t.Errorf("mended, it gives %v", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	later := fstest.MapFS{"0001_a.sql": file(`CREATE TABLE "a" ("x" TEXT);`), "0002_b.sql": file(`CREATE TABLE "b" ("x" TEXT);`)}
	if err := up(t.Context(), db, engine.SQLite, later); err != nil {
		t.Fatal(err)
	}
	before := schema(t, db)
	delete(later, "0002_b.sql")
	err := up(t.Context(), db, engine.SQLite, later)
	if !errors.Is(err, ErrNewer) || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	if after := schema(t, db); after != before {
		t.Errorf("the schema changed to\n%s", after)
	}
}

func TestTwins(t *testing.T) {
	t.Parallel()
	all := fstest.MapFS{
		"0001_a.sql": file(""), "0002_b.sqlite.sql": file(""), "0002_b.postgres.sql": file(""), "0003_c.sql": file(""),
	}
	for name, want := range map[string][]string{
		engine.SQLite:   {"0001_a.sql", "0002_b.sqlite.sql", "0003_c.sql"},
		engine.Postgres: {"0001_a.sql", "0002_b.postgres.sql", "0003_c.sql"},
	} {
		got, err := fs.Glob(twins{all, name}, "*.sql")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Both engines have to see the same versions, whoever adds a twin.
func TestEveryTwinHasItsTwin(t *testing.T) {
	t.Parallel()
	for _, set := range []string{Panel, Instance} {
		sub, err := fs.Sub(files, set)
		if err != nil {
			t.Fatal(err)
		}
		versions := func(name string) (all []string) {
			list, err := fs.Glob(twins{sub, name}, "*.sql")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				version, _, _ := strings.Cut(f, "_")
				all = append(all, version)
			}
			return all
		}
		if lite, pg := versions(engine.SQLite), versions(engine.Postgres); !slices.Equal(lite, pg) {
			t.Errorf("%s: SQLite has %v, PostgreSQL %v", set, lite, pg)
		}
	}
}
