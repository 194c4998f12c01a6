// Package webhookstest has what tests of webhooks need outside their package.
package webhookstest

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"switchboard/engine"
	"switchboard/instances"
	"switchboard/migrations"
)

// Database returns an empty main database of a number.
func Database(t testing.TB) *sql.DB {
	t.Helper()
	file := engine.At(filepath.Join(t.TempDir(), "main.db"))
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := migrations.Up(t.Context(), db, engine.SQLite, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	return db
}

// Reader reads db, whatever the number.
func Reader(db *sql.DB) func(context.Context, instances.ID, func(*sql.DB) error) error {
	return func(_ context.Context, _ instances.ID, use func(*sql.DB) error) error { return use(db) }
}
