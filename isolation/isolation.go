// Package isolation gives every number two databases of its own and nobody else's.
//
// "whatsapp_<id>" holds messages, chats and contacts, "keys_<id>" everything that the
// WhatsApp library keeps: session and encryption keys. The engine follows from the URI of
// the control database. With SQLite the databases are two files in the number's own folder;
// with PostgreSQL they are owned by a login role that may enter these two and no other.
// Whoever holds an Access opens the two databases it names.
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
	place place
	turns turns
}

var _ instances.Databases = (*Databases)(nil)

// place is what an engine does. Ids are well-formed when they get there.
type place interface {
	engine() string
	provision(ctx context.Context, id instances.ID) (instances.Access, error)
	drop(ctx context.Context, id instances.ID) error
	unknown(ctx context.Context, known []instances.ID) ([]Leftover, error)
	readMain(ctx context.Context, id instances.ID) (*sql.DB, error)
	close() error
}

// Option changes how Open works.
type Option func(*options)

type options struct {
	log     *slog.Logger
	vault   Vault
	secrets Secrets
	asFound bool
}

// WithLog makes provisioning and dropping tell each step at debug level.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithVault says where the passwords of numbers are kept, and how they are encrypted.
// PostgreSQL needs it.
func WithVault(v Vault, s Secrets) Option { return func(o *options) { o.vault, o.secrets = v, s } }

// AsFound makes Open change nothing: no folder is made, and a control database that is open
// to everybody stays so. It is for a look.
func AsFound() Option { return func(o *options) { o.asFound = true } }

// Vault keeps one encrypted password for each instance.
type Vault interface {
	// KeepPassword stores it, unless there is one already, and returns the one that is stored.
	KeepPassword(ctx context.Context, id instances.ID, sealed []byte) ([]byte, error)
	// Password returns the one that is stored, nil if there is none.
	Password(ctx context.Context, id instances.ID) ([]byte, error)
	// ForgetPassword is idempotent.
	ForgetPassword(ctx context.Context, id instances.ID) error
}

// Secrets encrypts and decrypts.
type Secrets interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

// Open prepares the engine that the URI selects; storageDir is where everything on disk
// lives. A URI that cannot be used is a fault.Invalid, a storage folder or a server that
// cannot a fault.Unavailable.
func Open(ctx context.Context, uri, storageDir string, opts ...Option) (*Databases, error) {
	o := options{log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	name, err := engine.Of(uri)
	if err != nil {
		return nil, err
	}
	var p place
	if name == engine.SQLite {
		p, err = openFiles(storageDir, o)
	} else {
		p, err = openServer(ctx, uri, o)
	}
	if err != nil {
		return nil, err
	}
	return &Databases{place: p}, nil
}

// Bound bounds the connections to numbers' databases from now on, together with those of
// whoever else takes places there. It is called before anything else is asked, and means
// nothing with SQLite.
func (d *Databases) Bound(p engine.Places) {
	if s, ok := d.place.(*server); ok {
		s.places = p
	}
}

// Close gives back what Open took.
func (d *Databases) Close() error { return d.place.close() }

// Names says what the databases of an instance are called. It does no I/O.
func (d *Databases) Names(id instances.ID) instances.Database {
	return instances.Database{Engine: d.place.engine(), Main: mainName(id), Keys: keysName(id)}
}

// Provision makes what is missing of the two databases and returns the access for the
// worker. It is idempotent: killed half-way, the next call completes it.
func (d *Databases) Provision(ctx context.Context, id instances.ID) (instances.Access, error) {
	if err := check(id); err != nil {
		return instances.Access{}, err
	}
	defer d.turns.take(id)()
	return d.place.provision(ctx, id)
}

// Drop removes whatever exists of the two databases. Idempotent. The worker has to have
// ended: what a process that still holds a handle writes is lost.
func (d *Databases) Drop(ctx context.Context, id instances.ID) error {
	if err := check(id); err != nil {
		return err
	}
	defer d.turns.take(id)()
	return d.place.drop(ctx, id)
}

// Leftover is what exists under a name of ours and belongs to no known instance.
type Leftover struct {
	ID    instances.ID
	Bytes int64
}

// Unknown lists what exists for instances that are not among the known ones. Nothing ever
// removes them but Drop, when a person asks for it.
func (d *Databases) Unknown(ctx context.Context, known []instances.ID) ([]Leftover, error) {
	return d.place.unknown(ctx, known)
}

// ReadMain opens the main database of an instance for reading only, whether its worker
// runs or not. The caller closes it soon.
func (d *Databases) ReadMain(ctx context.Context, id instances.ID) (*sql.DB, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	return d.place.readMain(ctx, id)
}

// OpenMain opens the main database that a names, checked and migrated, for the worker.
func OpenMain(ctx context.Context, a instances.Access) (*sql.DB, error) { return Opener{}.Main(ctx, a) }

// OpenKeys opens the keys database that a names, checked, for the worker, and returns the
// dialect in which the WhatsApp library has to speak to it. The library migrates it.
func OpenKeys(ctx context.Context, a instances.Access) (*sql.DB, string, error) {
	return Opener{}.Keys(ctx, a)
}

// Opener opens the databases of a number for its worker. The zero value is OpenMain and
// OpenKeys.
type Opener struct {
	// Away is told when the database server is away, so that a connection has to be waited
	// for, and when it is back. It may be called from several goroutines and must not block.
	// SQLite has no server.
	Away func(away bool)
	// Allowed is asked before a connection to the database server is used. Its error is that
	// of whoever wanted to use it.
	Allowed func(ctx context.Context) error
	// Places, if set, are what the connections share with those of other numbers.
	Places engine.Places
}

// Main is OpenMain.
func (o Opener) Main(ctx context.Context, a instances.Access) (*sql.DB, error) {
	db, err := o.open(ctx, a.Engine, a.Main)
	if err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, db, a.Engine, migrations.Instance); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// Keys is OpenKeys.
func (o Opener) Keys(ctx context.Context, a instances.Access) (*sql.DB, string, error) {
	db, err := o.open(ctx, a.Engine, a.Keys)
	if err != nil {
		return nil, "", err
	}
	dialects := map[string]string{engine.SQLite: "sqlite3", engine.Postgres: "postgres"}
	return db, dialects[a.Engine], nil
}

func (o Opener) open(ctx context.Context, name, dsn string) (*sql.DB, error) {
	switch name {
	case engine.SQLite:
		f, err := engine.ParseFile(dsn)
		if err != nil {
			return nil, err
		}
		if err := f.Check(ctx); err != nil {
			return nil, err
		}
		return f.Open(ctx)
	case engine.Postgres:
		pool := ofWorker
		pool.Away, pool.Allowed, pool.Places = o.Away, o.Allowed, o.Places
		return engine.OpenPostgres(ctx, dsn, pool)
	}
	return nil, fault.Wrap(fault.Unavailable, fmt.Sprintf("This program knows no database engine %q.", name), ErrRefused)
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
