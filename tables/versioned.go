package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"switchboard/engine"
	"switchboard/fault"
)

// ErrNewer says that something has a schema which this program does not know yet.
var ErrNewer = errors.New("schema is newer than this program")

// Versioned is one kind of database whose schema has versions: what of it is moved, and how
// its schema is made.
type Versioned struct {
	Name         string // of the kind, in messages
	VersionTable string // is not moved
	VersionQuery string
	Wanted       Want // the tables that are moved; nil for all

	// Upgrade brings a database, an empty one too, to the newest schema.
	Upgrade func(ctx context.Context, db *sql.DB, engine string) error
	// Recreate makes the schema of an earlier version in an empty SQLite database.
	Recreate func(ctx context.Context, db *sql.DB, all []Table, version int64) error
}

// ScratchPattern matches the scratch folders that a killed process left in the folder it was
// given. There may be keys in them.
const ScratchPattern = ".moving-*"

// Snapshot returns the content at one moment, with the version of its schema.
func (v Versioned) Snapshot(ctx context.Context, db *sql.DB, name string) (*Snapshot, int64, error) {
	versioned := false
	s, err := Begin(ctx, db, name, func(table string) bool {
		if table == v.VersionTable {
			versioned = true
			return false
		}
		return v.Wanted == nil || v.Wanted(table)
	})
	if err != nil || !versioned {
		return s, 0, err
	}
	var version int64
	if err := s.Value(ctx, &version, v.VersionQuery); err != nil {
		s.Close()
		return nil, 0, fmt.Errorf("read schema version: %w", err)
	}
	return s, version, nil
}

// Target is a database that is to be filled.
type Target struct {
	DB      *sql.DB
	Engine  string
	Scratch string // a folder for what may be needed on the way
	Clear   bool   // rows that are there are removed
}

// Fill brings a content of any earlier version into a database, and compares what it wrote.
func (v Versioned) Fill(ctx context.Context, c Content, version int64, to Target) error {
	if err := v.Upgrade(ctx, to.DB, to.Engine); err != nil {
		return err
	}
	if len(c.Tables()) == 0 {
		return nil // it was never used
	}
	s, current, err := v.Snapshot(ctx, to.DB, to.Engine)
	if err != nil {
		return err
	}
	s.Close()
	switch {
	case version > current:
		return v.newer(version, current)
	case version < current:
		return v.fillByWayOf(ctx, c, version, to)
	}
	sums, err := Copy(ctx, c, to.DB, to.Engine, to.Clear)
	if err != nil {
		return err
	}
	return Compare(ctx, to.DB, to.Engine, c.Tables(), sums)
}

// fillByWayOf fills a scratch database of the old schema, migrates it, and fills the target
// from that.
func (v Versioned) fillByWayOf(ctx context.Context, c Content, version int64, to Target) (err error) {
	db, remove, err := scratch(ctx, to.Scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := v.Recreate(ctx, db, c.Tables(), version); err != nil {
		return fmt.Errorf("make schema %d: %w", version, err)
	}
	if _, err := Copy(ctx, c, db, engine.SQLite, true); err != nil {
		return err
	}
	if err := v.Upgrade(ctx, db, engine.SQLite); err != nil {
		return err
	}
	s, now, err := v.Snapshot(ctx, db, engine.SQLite)
	if err != nil {
		return err
	}
	defer s.Close()
	if now <= version {
		return fmt.Errorf("schema %d did not change", version)
	}
	return v.Fill(ctx, s, now, to)
}

// Known makes sure that this program knows a version of the schema, by making its own.
func (v Versioned) Known(ctx context.Context, version int64, dir string) (err error) {
	db, remove, err := scratch(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := v.Upgrade(ctx, db, engine.SQLite); err != nil {
		return err
	}
	s, newest, err := v.Snapshot(ctx, db, engine.SQLite)
	if err != nil {
		return err
	}
	s.Close()
	if version > newest {
		return v.newer(version, newest)
	}
	return nil
}

func (v Versioned) newer(version, newest int64) error {
	return fault.Wrap(fault.Unavailable, fmt.Sprintf(
		"This comes from a newer version of Switchboard (%s: schema %d, this program knows %d); use that version or a later one.",
		v.Name, version, newest), ErrNewer)
}

// scratch makes an empty SQLite database in a folder of its own below dir.
func scratch(ctx context.Context, below string) (_ *sql.DB, remove func() error, err error) {
	dir, err := os.MkdirTemp(below, ScratchPattern) // mode 0700
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
