package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"switchboard/engine"
)

// VersionQuery reads the version of a set that a database has. It changes nothing.
const VersionQuery = `SELECT coalesce(max("version_id"), 0) FROM "` + Table + `"`

// Version tells which version of a set db has, 0 for none, and which one this program would
// bring it to. It changes nothing.
func Version(ctx context.Context, db *sql.DB, name, set string) (has, newest int64, err error) {
	sub, err := fs.Sub(files, set)
	if err != nil {
		return 0, 0, fmt.Errorf("read migrations of %s: %w", set, err)
	}
	// The provider only reads the files here: with a database, goose would make its table.
	p, err := goose.NewProvider(dialects[name], db, twins{sub, name},
		goose.WithTableName(Table), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	for _, source := range p.ListSources() {
		newest = max(newest, source.Version)
	}
	look := map[string]string{
		engine.SQLite:   `SELECT count(*) FROM "sqlite_master" WHERE "name" = $1`,
		engine.Postgres: `SELECT count(*) FROM pg_tables WHERE tablename = $1 AND schemaname = current_schema()`,
	}
	var there int
	if err := db.QueryRowContext(ctx, look[name], Table).Scan(&there); err != nil || there == 0 {
		return 0, newest, err
	}
	err = db.QueryRowContext(ctx, VersionQuery).Scan(&has)
	return has, newest, err
}

// UpTo applies a set to an empty db up to a version, to make the schema that an earlier
// program had. Nobody else may use db meanwhile.
func UpTo(ctx context.Context, db *sql.DB, name, set string, version int64) error {
	sub, err := fs.Sub(files, set)
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", set, err)
	}
	p, err := goose.NewProvider(dialects[name], db, twins{sub, name},
		goose.WithTableName(Table), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err == nil {
		_, err = p.UpTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("migrate to %d: %w", version, err)
	}
	return nil
}
