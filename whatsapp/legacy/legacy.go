// Package legacy takes paired numbers over from the store of another WhatsApp program.
//
// Programs that use the same WhatsApp library keep their sessions in tables called
// whatsmeow_…, all numbers together. Found lists the numbers that are paired there, and
// Copy moves a copy of one of them, and of nothing else, into the keys database of an
// instance, so that the phone need not scan a code again. The store itself is only read.
package legacy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.mau.fi/whatsmeow/types"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/tables"
)

// Memory remembers which numbers were taken over.
type Memory interface {
	// Imported returns the JIDs given to RememberImport.
	Imported(ctx context.Context) ([]string, error)
	// RememberImport is idempotent.
	RememberImport(ctx context.Context, jid string) error
}

// Importer reads one store. It implements instances.Importer and is safe for concurrent use.
type Importer struct {
	engine  string
	uri     string
	file    engine.File // with SQLite
	scratch string
	memory  Memory
}

var _ instances.Importer = (*Importer)(nil)

// Open prepares reading the database that the URI names; an SQLite file need not exist.
// scratch is a folder in which nobody else can read, for what may be needed on the way. A URI
// that cannot be used is a fault.Invalid.
func Open(uri, scratch string, memory Memory) (*Importer, error) {
	name, err := engine.Of(uri)
	if err != nil {
		return nil, err
	}
	i := &Importer{engine: name, uri: uri, scratch: scratch, memory: memory}
	if name == engine.SQLite {
		i.file, err = engine.ParseFile(uri)
	} else {
		_, err = engine.ParsePostgres(uri)
	}
	return i, err
}

// pool is what reading takes of a server's connections.
var pool = engine.Pool{Open: 2, Idle: time.Second}

// open opens the store, or returns nil if there is none.
func (i *Importer) open(ctx context.Context) (*sql.DB, error) {
	if i.engine == engine.Postgres {
		return engine.OpenPostgres(ctx, i.uri, pool)
	}
	if _, err := os.Stat(i.file.Path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return i.file.OpenReadOnly(ctx)
}

// where names the store in a sentence, without credentials.
func (i *Importer) where() string {
	if i.engine == engine.SQLite {
		return "the file " + i.file.Path
	}
	config, err := engine.ParsePostgres(i.uri)
	if err != nil {
		return "the PostgreSQL database"
	}
	return fmt.Sprintf("the PostgreSQL database %s on %s", config.Database, config.Host)
}

func (i *Importer) fault(err error) error {
	if i.engine == engine.SQLite {
		return i.file.Fault(err)
	}
	return err
}

// Found returns the paired numbers of the store, those that were imported already included
// and marked.
func (i *Importer) Found(ctx context.Context) ([]instances.Paired, error) {
	db, err := i.open(ctx)
	if db == nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	imported, err := i.imported(ctx)
	if err != nil {
		return nil, err
	}
	found, err := devices(ctx, db, i.engine)
	if err != nil {
		return nil, i.fault(err)
	}
	var all []instances.Paired
	for _, d := range found {
		all = append(all, instances.Paired{
			JID: d.jid.String(), PushName: d.pushName, Source: i.where(), Imported: imported[d.jid],
		})
	}
	return all, nil
}

func (i *Importer) imported(ctx context.Context) (map[types.JID]bool, error) {
	list, err := i.memory.Imported(ctx)
	if err != nil {
		return nil, err
	}
	all := map[types.JID]bool{}
	for _, text := range list {
		if jid, err := types.ParseJID(text); err == nil {
			all[jid] = true
		}
	}
	return all, nil
}

// device is a paired number in a store. Old stores write the same JID in another way.
type device struct {
	jid      types.JID
	raw      string
	pushName string
}

// devices returns the paired numbers of a store of any age, none if it is no such store.
func devices(ctx context.Context, db *sql.DB, name string) ([]device, error) {
	there, err := tables.Schema(ctx, db, name, func(table string) bool { return table == "whatsmeow_device" })
	if err != nil || len(there) == 0 {
		return nil, err
	}
	return engine.All(ctx, db, "list devices", func(r engine.Row) (d device, err error) {
		if err = r.Scan(&d.raw, &d.pushName); err == nil {
			d.jid, err = types.ParseJID(d.raw)
		}
		return d, err
	}, `SELECT "jid", "push_name" FROM "whatsmeow_device" ORDER BY "jid"`)
}

// Copy brings one paired number into the keys database of an instance whose worker does
// not run, and remembers that it did. The copy appears complete or not at all. A number
// that is there already is no error; another one is a fault.Conflict, and one that the store
// does not hold a fault.NotFound.
func (i *Importer) Copy(ctx context.Context, p instances.Paired, to instances.Access) error {
	jid, err := types.ParseJID(p.JID)
	if err != nil {
		return fault.Wrap(fault.Invalid, "This is no WhatsApp address.", err)
	}
	if to.Engine == engine.SQLite {
		keys, err := engine.ParseFile(to.Keys)
		if err != nil {
			return err
		}
		release, err := isolation.Lock(filepath.Dir(keys.Path))
		if err != nil {
			return err
		}
		defer release()
	}
	db, _, err := isolation.OpenKeys(ctx, to)
	if err != nil {
		return err
	}
	there, err := present(ctx, db, to.Engine, jid)
	if err == nil && !there {
		err = i.copy(ctx, jid, tables.Target{DB: db, Engine: to.Engine, Scratch: i.scratch, Clear: true})
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return i.memory.RememberImport(ctx, jid.String())
}

// present tells whether the number is in the keys database already.
func present(ctx context.Context, db *sql.DB, name string, jid types.JID) (bool, error) {
	held, err := devices(ctx, db, name)
	switch {
	case err != nil || len(held) == 0:
		return false, err
	case len(held) == 1 && held[0].jid == jid:
		return true, nil
	}
	return false, fault.New(fault.Conflict, "Another WhatsApp account is paired here already; import into a new number instead.")
}
