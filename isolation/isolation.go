// Package isolation gives every number two databases of its own and nobody else's.
//
// "whatsapp_<id>" holds messages, chats and contacts, "keys_<id>" everything that the
// WhatsApp library keeps: session and encryption keys. The engine follows from the URI of
// the control database. With SQLite the databases are two files in the number's own
// folder. Whoever holds an Access opens the two databases it names, and no other.
package isolation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/migrations"
)

// Why a number's databases cannot be used. Every fault.Unavailable of this package wraps
// one of them.
var (
	ErrRefused = engine.ErrRefused   // cannot be opened
	ErrDamaged = engine.ErrDamaged   // integrity check failed
	ErrNewer   = migrations.ErrNewer // schema of a newer program
	ErrLocked  = errors.New("locked by another worker")
)

// Databases makes, drops and finds the databases of all numbers. It implements
// instances.Databases and is safe for concurrent use.
type Databases struct {
	files files
}

var _ instances.Databases = (*Databases)(nil)

// Option changes how Open works.
type Option func(*options)

type options struct{ log *slog.Logger }

// WithLog makes provisioning and dropping tell each step at debug level.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// Open prepares the engine that the URI selects; storageDir is where everything on disk
// lives. A URI that cannot be used is a fault.Invalid.
func Open(ctx context.Context, uri, storageDir string, opts ...Option) (*Databases, error) {
	o := options{log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	name, err := engine.Of(uri)
	if err != nil {
		return nil, err
	}
	if name != engine.SQLite {
		return nil, fault.New(fault.Invalid, "Numbers cannot live in PostgreSQL yet; use a DB_URI that begins with \"file:\".")
	}
	f, err := openFiles(storageDir, o.log)
	if err != nil {
		return nil, err
	}
	return &Databases{files: f}, nil
}

// Names says what the databases of an instance are called. It does no I/O.
func (d *Databases) Names(id instances.ID) instances.Database {
	return instances.Database{Engine: engine.SQLite, Main: mainName(id), Keys: keysName(id)}
}

// Provision makes what is missing of the two databases and returns the access for the
// worker. It is idempotent: killed half-way, the next call completes it.
func (d *Databases) Provision(ctx context.Context, id instances.ID) (instances.Access, error) {
	if err := check(id); err != nil {
		return instances.Access{}, err
	}
	return d.files.provision(ctx, id)
}

// Drop removes whatever exists of the two databases. Idempotent. The worker has to have
// ended: what a process that still holds a handle writes is lost.
func (d *Databases) Drop(ctx context.Context, id instances.ID) error {
	if err := check(id); err != nil {
		return err
	}
	return d.files.drop(ctx, id)
}

// Leftover is what exists under a name of ours and belongs to no known instance.
type Leftover struct {
	ID    instances.ID
	Bytes int64
}

// Unknown lists what exists for instances that are not among the known ones. Nothing ever
// removes them but Drop, when a person asks for it.
func (d *Databases) Unknown(ctx context.Context, known []instances.ID) ([]Leftover, error) {
	return d.files.unknown(known)
}

// ReadMain opens the main database of an instance for reading only, whether its worker
// runs or not. The caller closes it soon.
func (d *Databases) ReadMain(ctx context.Context, id instances.ID) (*sql.DB, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	return d.files.readMain(ctx, id)
}

// OpenMain opens the main database that a names, checked and migrated, for the worker.
func OpenMain(ctx context.Context, a instances.Access) (*sql.DB, error) {
	db, err := open(ctx, a.Engine, a.Main)
	if err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, db, a.Engine, migrations.Instance); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// OpenKeys opens the keys database that a names, checked, for the worker, and returns the
// dialect in which the WhatsApp library has to speak to it. The library migrates it.
func OpenKeys(ctx context.Context, a instances.Access) (*sql.DB, string, error) {
	db, err := open(ctx, a.Engine, a.Keys)
	if err != nil {
		return nil, "", err
	}
	return db, "sqlite3", nil
}

func open(ctx context.Context, name, dsn string) (*sql.DB, error) {
	if name != engine.SQLite {
		return nil, fault.Wrap(fault.Unavailable, fmt.Sprintf("This program knows no database engine %q.", name), ErrRefused)
	}
	f, err := engine.ParseFile(dsn)
	if err != nil {
		return nil, err
	}
	if err := f.Check(ctx); err != nil {
		return nil, err
	}
	return f.Open(ctx)
}

func mainName(id instances.ID) string { return "whatsapp_" + string(id) }
func keysName(id instances.ID) string { return "keys_" + string(id) }

// check refuses ids that are not ours, whose names might lead out of the instance's folder.
func check(id instances.ID) error {
	if !id.Valid() {
		return fault.New(fault.Invalid, "An instance id has at most 48 lower-case letters, digits and underscores.")
	}
	return nil
}
