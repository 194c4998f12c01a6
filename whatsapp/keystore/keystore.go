// Package keystore knows the schema of the WhatsApp library's own tables, so that they can be
// moved: which version a database has, how it gets the newest, and how an old one is brought
// back.
package keystore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/tables"
)

const versionTable = "whatsmeow_version"

// Schema is how a number's keys are moved.
var Schema = tables.Versioned{
	Name: "keys", VersionTable: versionTable, VersionQuery: `SELECT coalesce(max("version"), 0) FROM "` + versionTable + `"`,
	Upgrade: upgrade, Recreate: recreate,
}

// Linked tells whether keys are those of a device that is linked to a phone, as far as this
// side knows.
func Linked(ctx context.Context, s *tables.Snapshot) (bool, error) {
	const table = "whatsmeow_device"
	if !slices.ContainsFunc(s.Tables(), func(t tables.Table) bool { return t.Name == table }) {
		return false, nil
	}
	var devices int
	err := s.Value(ctx, &devices, `SELECT count(*) FROM "`+table+`"`)
	return devices > 0, err
}

var dialects = map[string]string{engine.SQLite: "sqlite3", engine.Postgres: "postgres"}

// upgrade brings a database, an empty one too, to the newest schema. One that is newer than
// the library in this program is a fault.Unavailable that wraps tables.ErrNewer.
func upgrade(ctx context.Context, db *sql.DB, name string) error {
	err := sqlstore.NewWithDB(db, dialects[name], nil).Upgrade(ctx)
	if errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
		return fault.Wrap(fault.Unavailable,
			"This session was written by a program with a newer WhatsApp library; update Switchboard first.",
			fmt.Errorf("%w: %w", tables.ErrNewer, err))
	} else if err != nil {
		return fmt.Errorf("upgrade tables of the WhatsApp library: %w", err)
	}
	return nil
}

// recreate makes tables as a library of that version had them in an empty SQLite database, so
// that upgrade can be let at them when they are filled.
func recreate(ctx context.Context, db *sql.DB, all []tables.Table, version int64) error {
	if err := tables.Create(ctx, db, all); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, `CREATE TABLE "`+versionTable+`" ("version" INTEGER, "compat" INTEGER)`)
	if err == nil {
		_, err = db.ExecContext(ctx, `INSERT INTO "`+versionTable+`" ("version", "compat") VALUES ($1, $1)`, version)
	}
	if err != nil {
		return fmt.Errorf("note version of the WhatsApp library's tables: %w", err)
	}
	return nil
}
