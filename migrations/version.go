package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// VersionQuery reads the version of a set that a database has. It changes nothing.
const VersionQuery = `SELECT coalesce(max("version_id"), 0) FROM "` + Table + `"`

// UpTo applies a set to an empty db up to a version, to make the schema that an earlier
// program had. Nobody else may use db meanwhile.
func UpTo(ctx context.Context, db *sql.DB, engine, set string, version int64) error {
	sub, err := fs.Sub(files, set)
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", set, err)
	}
	p, err := goose.NewProvider(dialects[engine], db, twins{sub, engine},
		goose.WithTableName(Table), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err == nil {
		_, err = p.UpTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("migrate to %d: %w", version, err)
	}
	return nil
}
