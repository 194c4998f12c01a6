// Package store keeps what the panel has to remember, in the control database: the numbers
// and, in files of their own, the people, their sessions and their tokens.
//
// The control database is SQLite or PostgreSQL, as its URI says; the SQL is the same for
// both. When the URI names an SQLite file that another WhatsApp program has used before,
// its tables stay as they are, and a copy of the file is made before ours are added.
package store

import (
	"context"
	"database/sql"
	"time"

	"switchboard/engine"
	"switchboard/migrations"
)

// Store is the control database. Its methods are safe for concurrent use.
type Store struct {
	db     handle
	engine string
}

// Open opens and migrates the control database, making it if it does not exist. A URI that
// cannot be used is a fault.Invalid; a database that cannot, a fault.Unavailable that says
// what to do, and then nothing was changed.
func Open(ctx context.Context, uri string) (*Store, error) {
	name, err := engine.Of(uri)
	if err != nil {
		return nil, err
	}
	var db *sql.DB
	if name == engine.SQLite {
		db, err = openFile(ctx, uri)
	} else {
		db, err = engine.OpenPostgres(ctx, uri, ofServer)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{db: handle{db}, engine: name}
	// A server that goes away in between is waited for, as by whoever makes a connection.
	limited, cancel := context.WithTimeout(ctx, ofServer.Wait)
	defer cancel()
	if err := engine.Again(limited, engine.Away, func() error {
		if err := transacts(ctx, db); err != nil {
			return err
		}
		return migrations.Up(ctx, db, name, migrations.Panel)
	}); err != nil {
		err = pooled(ctx, uri, s.unmigrated(ctx, err))
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

// Connections is how many a Store has at most, where they are counted.
const Connections = 4

// ofServer is what a Store takes of a database server. Somebody waits for a page meanwhile.
var ofServer = engine.Pool{Open: Connections, Idle: 30 * time.Second, Wait: 5 * time.Second}

// Look opens the control database for reading as it is, and changes nothing. A database that
// has another schema than this program's is open all the same, as the versions tell: then
// nothing but Close and MayMakeTables may be called. What cannot be opened is a fault, as with Open; that it does
// not exist yet is one that wraps fs.ErrNotExist.
func Look(ctx context.Context, uri string) (s *Store, has, newest int64, err error) {
	name, err := engine.Of(uri)
	if err != nil {
		return nil, 0, 0, err
	}
	var db *sql.DB
	if name == engine.SQLite {
		var file engine.File
		if file, err = engine.ParseFile(uri); err == nil {
			db, err = file.OpenAsFound(ctx)
		}
	} else {
		db, err = engine.OpenPostgres(ctx, uri, engine.Pool{Open: 1, Idle: time.Second, Wait: 5 * time.Second})
	}
	if err != nil {
		return nil, 0, 0, err
	}
	if err = transacts(ctx, db); err == nil {
		has, newest, err = migrations.Version(ctx, db, name, migrations.Panel)
	}
	if err != nil {
		_ = db.Close()
		return nil, 0, 0, pooled(ctx, uri, err)
	}
	return &Store{db: handle{db}, engine: name}, has, newest, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }
