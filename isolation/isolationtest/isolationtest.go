// Package isolationtest is what every database engine has to promise about the databases
// of numbers, as one suite of tests. An engine's own test calls Exercise, and Main from its
// TestMain.
package isolationtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/migrations"
	"switchboard/secrets"
	"switchboard/store"
)

// Place is where one test's databases live. Nothing else uses it.
type Place struct {
	URI        string // of the control database
	StorageDir string
	// Tag becomes part of every id, so that places can share a server.
	Tag string
}

// ID makes an id that no other place uses.
func (p Place) ID(name string) instances.ID {
	return instances.ID(name + p.Tag + "_20240101120000")
}

type ids struct{ first, second instances.ID }

func (p Place) ids() ids { return ids{p.ID("shop"), p.ID("office")} }

// Exercise runs the suite. newPlace returns an empty place, cleaned up after the test.
func Exercise(t *testing.T, newPlace func(t testing.TB) Place) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *isolation.Databases, ids){
		"provision twice":       provisionTwice,
		"many at once":          manyAtOnce,
		"write and read":        writeAndRead,
		"drop twice":            dropTwice,
		"drop while in use":     dropWhileInUse,
		"access is for one":     accessIsForOne,
		"newer schema":          newerSchema,
		"unknown are listed":    unknownAreListed,
		"ill-formed ids":        illFormedIDs,
		"nothing to open":       nothingToOpen,
		"names of the contract": contractNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			test(t, Open(t, p), p.ids())
		})
	}
	t.Run("killed at every step", func(t *testing.T) {
		t.Parallel()
		killedAtEveryStep(t, newPlace)
	})
}

// Open opens a place in the way the program does.
func Open(t testing.TB, p Place, opts ...isolation.Option) *isolation.Databases {
	t.Helper()
	d, end, err := open(t.Context(), p, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return d
}

func open(ctx context.Context, p Place, opts ...isolation.Option) (_ *isolation.Databases, end func(), err error) {
	control, err := store.Open(ctx, p.URI)
	if err != nil {
		return nil, nil, err
	}
	box, err := secrets.New("the secret key of a test", "database passwords")
	if err != nil {
		return nil, nil, err
	}
	d, err := isolation.Open(ctx, p.URI, p.StorageDir, append(opts, isolation.WithVault(control, box))...)
	if err != nil {
		_ = control.Close()
		return nil, nil, err
	}
	return d, func() { _, _ = d.Close(), control.Close() }, nil
}

func provision(t *testing.T, d *isolation.Databases, id instances.ID) instances.Access {
	t.Helper()
	access, err := d.Provision(t.Context(), id)
	if err != nil {
		t.Fatalf("provision %s: %v", id, err)
	}
	return access
}

func openMain(t *testing.T, a instances.Access) *sql.DB {
	t.Helper()
	db, err := isolation.OpenMain(t.Context(), a)
	if err != nil {
		t.Fatalf("open main: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openKeys(t *testing.T, a instances.Access) *sql.DB {
	t.Helper()
	db, _, err := isolation.OpenKeys(t.Context(), a)
	if err != nil {
		t.Fatalf("open keys: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// put makes a table with one value in it, in a form that both engines know.
func put(t *testing.T, db *sql.DB, value string) {
	t.Helper()
	run(t, db, `CREATE TABLE "test_values" ("value" TEXT NOT NULL)`)
	if _, err := db.ExecContext(t.Context(), `INSERT INTO "test_values" ("value") VALUES ($1)`, value); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, db *sql.DB) string {
	t.Helper()
	var value string
	if err := db.QueryRowContext(t.Context(), `SELECT "value" FROM "test_values"`).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func provisionTwice(t *testing.T, d *isolation.Databases, n ids) {
	before := provision(t, d, n.first)
	main, keys := openMain(t, before), openKeys(t, before)
	put(t, main, "kept")
	put(t, keys, "kept too")
	after := provision(t, d, n.first)
	if got := get(t, openMain(t, after)); got != "kept" {
		t.Errorf("main holds %q after the second provisioning", got)
	}
	if got := get(t, openKeys(t, after)); got != "kept too" {
		t.Errorf("keys holds %q after the second provisioning", got)
	}
	// A worker that runs goes on with the access it was given.
	if got := get(t, main); got != "kept" {
		t.Errorf("the first handle reads %q", got)
	}
}

func manyAtOnce(t *testing.T, d *isolation.Databases, n ids) {
	const numbers, times = 12, 2
	var all sync.WaitGroup
	for i := range numbers * times {
		id := instances.ID(fmt.Sprintf("many_%02d_%s", i%numbers, n.first))
		all.Go(func() {
			access, err := d.Provision(t.Context(), id)
			if err != nil {
				t.Errorf("provision %s: %v", id, err)
				return
			}
			db, err := isolation.OpenMain(t.Context(), access)
			if err != nil {
				t.Errorf("open %s: %v", id, err)
				return
			}
			if err := db.Close(); err != nil {
				t.Errorf("close %s: %v", id, err)
			}
		})
	}
	all.Wait()
}

func writeAndRead(t *testing.T, d *isolation.Databases, n ids) {
	access := provision(t, d, n.first)
	read := func() *sql.DB {
		t.Helper()
		db, err := d.ReadMain(t.Context(), n.first)
		if err != nil {
			t.Fatalf("open for reading: %v", err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	rows := func(db *sql.DB) (n int) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM "`+migrations.Table+`"`).Scan(&n); err != nil {
			t.Fatalf("read: %v", err)
		}
		return n
	}
	if rows(read()) == 0 {
		t.Error("a provisioned database is not migrated")
	}

	main, keys := openMain(t, access), openKeys(t, access)
	put(t, main, "message")
	put(t, keys, "key")
	reader := read()
	if got := get(t, reader); got != "message" {
		t.Errorf("beside the writer, the reader sees %q", got)
	}
	run(t, main, `UPDATE "test_values" SET "value" = 'changed'`)
	if got := get(t, reader); got != "changed" {
		t.Errorf("after a change, the reader sees %q", got)
	}
	if _, err := reader.ExecContext(t.Context(), `DELETE FROM "test_values"`); err == nil {
		t.Error("the reader can delete")
	}
	if _, err := main.ExecContext(t.Context(), `SELECT 1`); err != nil {
		t.Errorf("the writer suffers from the reader: %v", err)
	}
	if err := errors.Join(reader.Close(), main.Close(), keys.Close()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, read()); got != "changed" {
		t.Errorf("without a worker, the reader sees %q", got)
	}
	if got := get(t, openKeys(t, access)); got != "key" {
		t.Errorf("keys hold %q", got)
	}
}

func dropTwice(t *testing.T, d *isolation.Databases, n ids) {
	access := provision(t, d, n.first)
	kept := provision(t, d, n.second)
	put(t, openMain(t, kept), "kept")
	for range 2 {
		if err := d.Drop(t.Context(), n.first); err != nil {
			t.Fatalf("drop: %v", err)
		}
	}
	if db, err := isolation.OpenMain(t.Context(), access); err == nil {
		_ = db.Close()
		t.Error("main can still be opened")
	}
	if db, _, err := isolation.OpenKeys(t.Context(), access); err == nil {
		_ = db.Close()
		t.Error("keys can still be opened")
	}
	if left, err := d.Unknown(t.Context(), []instances.ID{n.second}); err != nil || len(left) != 0 {
		t.Errorf("left after the drop: %v, %v", left, err)
	}
	if got := get(t, openMain(t, kept)); got != "kept" {
		t.Errorf("the other number's main holds %q", got)
	}
}

func dropWhileInUse(t *testing.T, d *isolation.Databases, n ids) {
	main := openMain(t, provision(t, d, n.first))
	put(t, main, "old")
	if err := d.Drop(t.Context(), n.first); err != nil {
		t.Fatalf("drop: %v", err)
	}
	again := openMain(t, provision(t, d, n.first))
	put(t, again, "new")
	// Whatever the old handle still does, it does not reach the new database.
	_, _ = main.ExecContext(t.Context(), `DELETE FROM "test_values"`)
	if got := get(t, again); got != "new" {
		t.Errorf("the new main holds %q", got)
	}
}

func accessIsForOne(t *testing.T, d *isolation.Databases, n ids) {
	a, b := provision(t, d, n.first), provision(t, d, n.second)
	put(t, openMain(t, a), "of the first")
	put(t, openKeys(t, a), "of the first")
	put(t, openMain(t, b), "of the second")
	put(t, openKeys(t, b), "of the second")
	if got := get(t, openMain(t, a)) + get(t, openKeys(t, a)); got != "of the firstof the first" {
		t.Errorf("the first number reads %q", got)
	}
	for _, dsn := range []string{a.Main, a.Keys} {
		if strings.Contains(dsn, string(n.second)) {
			t.Errorf("the first number's access names the second number")
		}
	}
	if a.Main == a.Keys {
		t.Error("main and keys are one database")
	}
}

func newerSchema(t *testing.T, d *isolation.Databases, n ids) {
	access := provision(t, d, n.first)
	main := openMain(t, access)
	put(t, main, "kept")
	run(t, main, `INSERT INTO "`+migrations.Table+`" ("version_id", "is_applied") VALUES (999999, TRUE)`)
	if _, err := isolation.OpenMain(t.Context(), access); !errors.Is(err, isolation.ErrNewer) {
		t.Errorf("opening a newer main gives %v", err)
	} else if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("its kind is %v", fault.KindOf(err))
	}
	// It is the worker that reports this; provisioning has nothing to do.
	provision(t, d, n.first)
	if got := get(t, main); got != "kept" {
		t.Errorf("main holds %q", got)
	}
}

func unknownAreListed(t *testing.T, d *isolation.Databases, n ids) {
	provision(t, d, n.first)
	provision(t, d, n.second)
	left, err := d.Unknown(t.Context(), []instances.ID{n.first})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0].ID != n.second || left[0].Bytes <= 0 {
		t.Errorf("unknown: %v", left)
	}
	// Listing is all that happens to them.
	left, err = d.Unknown(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []instances.ID
	for _, l := range left {
		ids = append(ids, l.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []instances.ID{n.second, n.first}) {
		t.Errorf("unknown without any record: %v", ids)
	}
}

func illFormedIDs(t *testing.T, d *isolation.Databases, n ids) {
	for _, id := range []instances.ID{
		"", ".", "..", "../other", "a/b", "/etc", "a\x00b", "UPPER", "dash-ed", `quo"te`, "spa ce", "é",
		instances.ID(strings.Repeat("a", 49)),
	} {
		if _, err := d.Provision(t.Context(), id); fault.KindOf(err) != fault.Invalid {
			t.Errorf("provision %q: %v", id, err)
		}
		if err := d.Drop(t.Context(), id); fault.KindOf(err) != fault.Invalid {
			t.Errorf("drop %q: %v", id, err)
		}
		if _, err := d.ReadMain(t.Context(), id); fault.KindOf(err) != fault.Invalid {
			t.Errorf("read %q: %v", id, err)
		}
	}
	longest := instances.ID((strings.Repeat("a", 48) + string(n.first))[len(n.first):])
	put(t, openMain(t, provision(t, d, longest)), "fits")
}

func nothingToOpen(t *testing.T, d *isolation.Databases, n ids) {
	if _, err := d.ReadMain(t.Context(), n.first); !errors.Is(err, isolation.ErrRefused) {
		t.Errorf("reading what does not exist gives %v", err)
	}
	if err := d.Drop(t.Context(), n.first); err != nil {
		t.Errorf("dropping what does not exist gives %v", err)
	}
	if _, err := isolation.OpenMain(t.Context(), instances.Access{Engine: "abacus", Main: "x"}); !errors.Is(err, isolation.ErrRefused) {
		t.Errorf("an unknown engine gives %v", err)
	}
}

func contractNames(t *testing.T, d *isolation.Databases, n ids) {
	names := d.Names(n.first)
	if names.Main != "whatsapp_"+string(n.first) || names.Keys != "keys_"+string(n.first) {
		t.Errorf("names: %+v", names)
	}
	if access := provision(t, d, n.first); access.Engine != names.Engine {
		t.Errorf("the access is for %q, the names say %q", access.Engine, names.Engine)
	}
}
