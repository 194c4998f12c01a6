package moving

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/migrations"
	"switchboard/tables"
	"switchboard/whatsapp/keystore"
)

var (
	messages = ours(archive.Main, migrations.Instance, "lease")
	// Records of numbers and their settings move one by one, and the passwords of a database server stay there,
	// as what tells the right secret key does.
	// What signs a browser in is of no use in a backup: it would bring back what was revoked.
	people = ours(archive.Control, migrations.Panel, "instances", "settings", "database_passwords", "secret_key",
		"sessions", "setup_links", "sign_in_links")
	// When an installation moves, nobody needs to sign in again.
	peopleAndSessions = ours(archive.Control, migrations.Panel, "instances", "settings", "database_passwords", "secret_key")

	keys = keystore.Schema
)

// ours is a part whose schema comes from our migrations.
func ours(name, set string, leftOut ...string) tables.Versioned {
	return tables.Versioned{
		Name: name, VersionTable: migrations.Table, VersionQuery: migrations.VersionQuery, Wanted: tables.Except(leftOut...),
		Upgrade: func(ctx context.Context, db *sql.DB, engine string) error {
			return migrations.Up(ctx, db, engine, set)
		},
		Recreate: func(ctx context.Context, db *sql.DB, _ []tables.Table, version int64) error {
			return migrations.UpTo(ctx, db, engine.SQLite, set, version)
		},
	}
}

// Sweep removes what a killed process left of scratch databases: there may be keys in them.
// The installation's lock is held.
func (in Installation) Sweep() error {
	left, err := filepath.Glob(filepath.Join(in.Dir, tables.ScratchPattern))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
