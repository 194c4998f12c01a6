package moving

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/migrations"
	"switchboard/tables"
	"switchboard/whatsapp/keystore"
)

// ErrNewer says that something has a schema which this program does not know yet.
var ErrNewer = errors.New("schema is newer than this program")

// part is one kind of database: what of it is moved, and how its schema is made.
type part struct {
	name         string
	versionTable string
	versionQuery string
	leftOut      []string // beside the version table

	// upgrade brings a database, an empty one too, to the newest schema.
	upgrade func(ctx context.Context, db *sql.DB, engine string) error
	// recreate makes the schema of an earlier version in an empty SQLite database.
	recreate func(ctx context.Context, db *sql.DB, all []tables.Table, version int64) error
}

var (
	messages = ours(archive.Main, migrations.Instance, "lease")
	// Records of numbers move one by one, and the passwords of a database server stay there.
	// What signs a browser in is of no use in a backup: it would bring back what was revoked.
	people = ours(archive.Control, migrations.Panel, "instances", "database_passwords",
		"sessions", "setup_links", "sign_in_links")
	// When an installation moves, nobody needs to sign in again.
	peopleAndSessions = ours(archive.Control, migrations.Panel, "instances", "database_passwords")

	keys = part{
		name: archive.Keys, versionTable: keystore.VersionTable, versionQuery: keystore.VersionQuery,
		upgrade: keystore.Upgrade, recreate: keystore.Recreate,
	}
)

// ours is a part whose schema comes from our migrations.
func ours(name, set string, leftOut ...string) part {
	return part{
		name: name, versionTable: migrations.Table, versionQuery: migrations.VersionQuery, leftOut: leftOut,
		upgrade: func(ctx context.Context, db *sql.DB, engine string) error {
			return migrations.Up(ctx, db, engine, set)
		},
		recreate: func(ctx context.Context, db *sql.DB, _ []tables.Table, version int64) error {
			return migrations.UpTo(ctx, db, engine.SQLite, set, version)
		},
	}
}

// snapshot returns the content at one moment, with the version of its schema.
func (p part) snapshot(ctx context.Context, db *sql.DB, name string) (*tables.Snapshot, int64, error) {
	wanted := tables.Except(p.leftOut...)
	versioned := false
	s, err := tables.Begin(ctx, db, name, func(table string) bool {
		if table == p.versionTable {
			versioned = true
			return false
		}
		return wanted(table)
	})
	if err != nil || !versioned {
		return s, 0, err
	}
	var version int64
	if err := s.Value(ctx, &version, p.versionQuery); err != nil {
		s.Close()
		return nil, 0, fmt.Errorf("read schema version: %w", err)
	}
	return s, version, nil
}

// target is a database that is to be filled.
type target struct {
	db      *sql.DB
	engine  string
	scratch string // a folder for what may be needed on the way
	clear   bool   // rows that are there are removed
}

// fill brings a content of any earlier version into a database, and compares what it wrote.
func (p part) fill(ctx context.Context, c tables.Content, version int64, to target) error {
	if err := p.upgrade(ctx, to.db, to.engine); err != nil {
		return err
	}
	if len(c.Tables()) == 0 {
		return nil // it was never used
	}
	s, current, err := p.snapshot(ctx, to.db, to.engine)
	if err != nil {
		return err
	}
	s.Close()
	switch {
	case version > current:
		return p.newer(version, current)
	case version < current:
		return p.fillByWayOf(ctx, c, version, to)
	}
	sums, err := tables.Copy(ctx, c, to.db, to.engine, to.clear)
	if err != nil {
		return err
	}
	return tables.Compare(ctx, to.db, to.engine, c.Tables(), sums)
}

// fillByWayOf fills a scratch database of the old schema, migrates it, and fills the target
// from that.
func (p part) fillByWayOf(ctx context.Context, c tables.Content, version int64, to target) (err error) {
	db, remove, err := scratch(ctx, to.scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := p.recreate(ctx, db, c.Tables(), version); err != nil {
		return fmt.Errorf("make schema %d: %w", version, err)
	}
	if _, err := tables.Copy(ctx, c, db, engine.SQLite, true); err != nil {
		return err
	}
	if err := p.upgrade(ctx, db, engine.SQLite); err != nil {
		return err
	}
	s, now, err := p.snapshot(ctx, db, engine.SQLite)
	if err != nil {
		return err
	}
	defer s.Close()
	if now <= version {
		return fmt.Errorf("schema %d did not change", version)
	}
	return p.fill(ctx, s, now, to)
}

// known makes sure that this program knows a version of the schema, by making its own.
func (p part) known(ctx context.Context, version int64, dir string) (err error) {
	db, remove, err := scratch(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := p.upgrade(ctx, db, engine.SQLite); err != nil {
		return err
	}
	s, newest, err := p.snapshot(ctx, db, engine.SQLite)
	if err != nil {
		return err
	}
	s.Close()
	if version > newest {
		return p.newer(version, newest)
	}
	return nil
}

func (p part) newer(version, newest int64) error {
	return fault.Wrap(fault.Unavailable, fmt.Sprintf(
		"This comes from a newer version of Switchboard (%s: schema %d, this program knows %d); use that version or a later one.",
		p.name, version, newest), ErrNewer)
}

// scratch makes an empty SQLite database in a folder of its own below dir.
func scratch(ctx context.Context, below string) (_ *sql.DB, remove func() error, err error) {
	dir, err := os.MkdirTemp(below, ".moving-*") // mode 0700
	if err != nil {
		return nil, nil, fmt.Errorf("make scratch folder: %w", err)
	}
	file := engine.At(filepath.Join(dir, "scratch"))
	var db *sql.DB
	if err = file.Create(); err == nil {
		db, err = file.Open(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }, nil
}

// sweep removes what a killed process left of scratch databases: there may be keys in them.
// The installation's lock is held.
func (in Installation) sweep() error {
	left, err := filepath.Glob(filepath.Join(in.Dir, ".moving-*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
