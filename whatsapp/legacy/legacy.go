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

	"go.mau.fi/whatsmeow/types"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
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
	file   engine.File
	read   bool // there is a file that may be such a store
	memory Memory
}

var _ instances.Importer = (*Importer)(nil)

// Open prepares reading the SQLite file that the URI names, which need not exist. In a
// PostgreSQL database nothing is looked for yet. A URI that cannot be used is a
// fault.Invalid.
func Open(_ context.Context, uri string, memory Memory) (*Importer, error) {
	name, err := engine.Of(uri)
	if err != nil || name != engine.SQLite {
		return &Importer{}, err
	}
	file, err := engine.ParseFile(uri)
	if err != nil {
		return nil, err
	}
	return &Importer{file: file, read: true, memory: memory}, nil
}

// Found returns the paired numbers of the store, those that were imported already included
// and marked.
func (i *Importer) Found(ctx context.Context) ([]instances.Paired, error) {
	if !i.read {
		return nil, nil
	}
	if _, err := os.Stat(i.file.Path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	imported, err := i.imported(ctx)
	if err != nil {
		return nil, err
	}
	db, err := i.file.OpenReadOnly(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	found, err := devices(ctx, db)
	if err != nil {
		return nil, i.file.Fault(err)
	}
	var all []instances.Paired
	for _, d := range found {
		all = append(all, instances.Paired{
			JID: d.jid.String(), PushName: d.pushName, Source: "the file " + i.file.Path, Imported: imported[d.jid],
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
func devices(ctx context.Context, db *sql.DB) ([]device, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM "sqlite_master" WHERE "type" = 'table' AND "name" = 'whatsmeow_device'`).Scan(&n)
	if err != nil || n == 0 {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT "jid", "push_name" FROM "whatsmeow_device" ORDER BY "jid"`)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []device
	for rows.Next() {
		var d device
		if err := rows.Scan(&d.raw, &d.pushName); err != nil {
			return nil, fmt.Errorf("read device: %w", err)
		}
		if d.jid, err = types.ParseJID(d.raw); err != nil {
			return nil, fmt.Errorf("read device: %w", err)
		}
		all = append(all, d)
	}
	return all, rows.Err()
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
	if to.Engine != engine.SQLite || !i.read {
		return fault.New(fault.Unavailable, "Numbers can be taken over from an SQLite file into an SQLite installation only, so far.")
	}
	keys, err := engine.ParseFile(to.Keys)
	if err != nil {
		return err
	}
	release, err := isolation.Lock(filepath.Dir(keys.Path))
	if err != nil {
		return err
	}
	defer release()
	there, err := present(ctx, keys, jid)
	if err != nil {
		return err
	}
	if !there {
		if err := i.copy(ctx, jid, keys); err != nil {
			return err
		}
	}
	return i.memory.RememberImport(ctx, jid.String())
}

// present tells whether the number is in the keys database already.
func present(ctx context.Context, keys engine.File, jid types.JID) (bool, error) {
	db, err := keys.OpenReadOnly(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }()
	held, err := devices(ctx, db)
	if err != nil {
		return false, keys.Fault(err)
	}
	switch {
	case len(held) == 0:
		return false, nil
	case len(held) == 1 && held[0].jid == jid:
		return true, nil
	}
	return false, fault.New(fault.Conflict, "Another WhatsApp account is paired here already; import into a new number instead.")
}

func (i *Importer) copy(ctx context.Context, jid types.JID, keys engine.File) error {
	source, err := i.file.OpenReadOnly(ctx)
	if err != nil {
		return err
	}
	found, err := devices(ctx, source)
	_ = source.Close()
	if err != nil {
		return i.file.Fault(err)
	}
	for _, d := range found {
		if d.jid == jid {
			return replace(ctx, i.file, d, keys)
		}
	}
	return fault.New(fault.NotFound, fmt.Sprintf("This number is not, or no longer, in the file %s.", i.file.Path))
}
