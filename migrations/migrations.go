// Package migrations brings a database to the schema of this program.
//
// The SQL is embedded: the folder panel is for the control database, instance for the main
// database of a number. Files are numbered, forward only and never edited after a merge:
// what is wrong in one is mended in the next. Each begins with a comment that says why and
// the line "-- +goose Up", runs in one transaction, and is the same for both engines;
// where that is impossible a pair NNNN_name.sqlite.sql and NNNN_name.postgres.sql takes
// its place.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"switchboard/engine"
	"switchboard/fault"
)

//go:embed panel instance
var files embed.FS

// The sets.
const (
	Panel    = "panel"
	Instance = "instance"
)

// Table keeps the version of the schema. It has a name of its own because the control
// database may be shared with the tables of another program.
const Table = "switchboard_migrations"

// ErrNewer says that a database was written by a newer Switchboard.
var ErrNewer = errors.New("schema is newer than this program")

// Up applies what is missing of a set to db, each migration in a transaction of its own.
// It may be called by several processes at once. A schema newer than this program is a
// fault.Unavailable that wraps ErrNewer, and nothing is changed; when a migration fails,
// the database is left as that migration found it.
func Up(ctx context.Context, db *sql.DB, engine, set string) error {
	sub, err := fs.Sub(files, set)
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", set, err)
	}
	return up(ctx, db, engine, twins{sub, engine})
}

var dialects = map[string]goose.Dialect{
	engine.SQLite:   goose.DialectSQLite3,
	engine.Postgres: goose.DialectPostgres,
}

func up(ctx context.Context, db *sql.DB, name string, fsys fs.FS) error {
	p, err := goose.NewProvider(dialects[name], db, fsys,
		goose.WithTableName(Table), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	for {
		before, target, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if before > target {
			return fault.Wrap(fault.Unavailable, fmt.Sprintf(
				"This database was written by a newer version of Switchboard (schema %d, this program knows %d); install that version or a later one.",
				before, target), ErrNewer)
		}
		if before == target {
			return nil
		}
		if err := allowOnce(ctx, db); err != nil {
			return err
		}
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
		// Another process may have applied the same migration a moment before us.
		if now, _, again := p.GetVersions(ctx); again != nil || now == before {
			return fmt.Errorf("migrate: %w", err)
		}
	}
}

// allowOnce makes each version count once: of two processes that apply the same migration
// at the same time, the transaction of one fails. This takes the place of a lock that is
// held by a session, which a connection pooler would not respect.
func allowOnce(ctx context.Context, db *sql.DB) error {
	const index = `CREATE UNIQUE INDEX IF NOT EXISTS "` + Table + `_once" ON "` + Table + `" ("version_id")`
	if _, err := db.ExecContext(ctx, index); err != nil {
		// Of two that make the index at the same time, one fails as well; the second time it
		// is there.
		if _, err := db.ExecContext(ctx, index); err != nil {
			return fmt.Errorf("prepare migration: %w", err)
		}
	}
	return nil
}
