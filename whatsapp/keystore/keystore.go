// Package keystore knows the schema of the WhatsApp library's own tables: which version a
// database has, how it gets the newest one, and how an old one is brought back.
package keystore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/tables"
)

// VersionTable keeps the version of the schema, and VersionQuery reads it.
const (
	VersionTable = "whatsmeow_version"
	VersionQuery = `SELECT coalesce(max("version"), 0) FROM "` + VersionTable + `"`
)

// ErrNewer says that tables were written by a newer library.
var ErrNewer = errors.New("tables of a newer WhatsApp library")

var dialects = map[string]string{engine.SQLite: "sqlite3", engine.Postgres: "postgres"}

// Upgrade brings a database, an empty one too, to the newest schema. One that is newer than
// the library in this program is a fault.Unavailable that wraps ErrNewer.
func Upgrade(ctx context.Context, db *sql.DB, name string) error {
	err := sqlstore.NewWithDB(db, dialects[name], nil).Upgrade(ctx)
	if errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
		return Newer(err)
	} else if err != nil {
		return fmt.Errorf("upgrade tables of the WhatsApp library: %w", err)
	}
	return nil
}

// Newer is the fault for tables of a newer library.
func Newer(cause error) error {
	return fault.Wrap(fault.Unavailable,
		"This session was written by a program with a newer WhatsApp library; update Switchboard first.",
		fmt.Errorf("%w: %w", ErrNewer, cause))
}

// Recreate makes tables as a library of that version had them in an empty SQLite database, so
// that Upgrade can be let at them when they are filled.
func Recreate(ctx context.Context, db *sql.DB, all []tables.Table, version int64) error {
	if err := tables.Create(ctx, db, all); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, `CREATE TABLE "`+VersionTable+`" ("version" INTEGER, "compat" INTEGER)`)
	if err == nil {
		_, err = db.ExecContext(ctx, `INSERT INTO "`+VersionTable+`" ("version", "compat") VALUES ($1, $1)`, version)
	}
	if err != nil {
		return fmt.Errorf("note version of the WhatsApp library's tables: %w", err)
	}
	return nil
}
