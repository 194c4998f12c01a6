package pgtest

import (
	"context"
	"database/sql"
	"testing"
	"time"
)

// Interrupt has the server end a connection in the middle of do, as when it is restarted: while do
// waits for a table, which has to exist in the database of that URI. It returns what do does, which
// goes on as it likes from there.
func Interrupt(t testing.TB, uri, table string, do func() error) error {
	t.Helper()
	db, err := sql.Open("pgx", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `LOCK TABLE "`+table+`" IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	for ended := 0; ended == 0; {
		err := tx.QueryRowContext(ctx, `SELECT count(pg_terminate_backend("pid")) FROM pg_locks
			WHERE NOT "granted" AND "database" = (SELECT "oid" FROM pg_database WHERE "datname" = current_database())`).Scan(&ended)
		if err != nil {
			t.Fatalf("nobody waited for %s: %v", table, err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	return <-done
}
