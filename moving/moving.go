// Package moving takes numbers out of an installation and brings them into one: backup and
// restore, and the move from one database engine to the other.
//
// It works on databases while no panel supervises them, save that a backup may be made while
// everything runs. A number that is brought in gets its record first, marked as one that is
// being deleted, and loses the mark when everything was copied and compared: killed at any
// moment, it is either whole or cleared away by the next start of the panel.
package moving

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/lease"
	"switchboard/settings"
	"switchboard/store"
	"switchboard/tables"
	"switchboard/whatsapp/keystore"
)

// Installation is everything that belongs together: the control database, the numbers'
// databases and the storage folder. Whoever brings something into it holds its lock.
type Installation struct {
	Store     *store.Store
	Databases *isolation.Databases
	Settings  *settings.Keeper
	Dir       string // the storage folder, absolute

	PortStart int // the lowest port that a number gets
	PortFree  func(port int) bool
	DiskLimit int64 // bytes that the folder of a number may have, 0 for no limit
}

// Step is told while something goes on. It is for a progress bar.
type Step struct {
	Number      instances.ID // "" while the control database is worked on
	Name        string       // what was done just now
	Done, Total int          // numbers
	Files       Count        // of this number, so far; when one is done, all of its
}

// The names of steps, in their order.
const (
	PeopleCopied = "people copied"
	RecordMade   = "record made"
	RoomMade     = "databases made"
	KeysCopied   = "keys copied"
	MainCopied   = "messages copied"
	FileCopied   = "pictures and files" // after each of them
	NumberDone   = "number done"
)

// source is a number's two databases, seen at one moment each.
type source struct {
	keys, main               *tables.Snapshot
	keysVersion, mainVersion int64
	linked                   bool // to a phone, as far as the keys tell
	close                    func()
}

// open takes the snapshots of a number, whether it runs or not.
//
// The two databases know nothing of each other, so the moments differ, by milliseconds. Keys
// come first: whatever they count as received is then among the messages. The other way
// round, a message could be missing which WhatsApp would never send again.
func (in Installation) open(ctx context.Context, id instances.ID) (_ *source, err error) {
	access, err := in.Databases.Access(ctx, id)
	if err != nil {
		return nil, err
	}
	s := &source{}
	var undo []func()
	s.close = func() {
		for _, u := range slices.Backward(undo) {
			u()
		}
		undo = nil
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var handles [2]*sql.DB
	for i, dsn := range []string{access.Keys, access.Main} {
		if handles[i], err = isolation.OpenReadOnly(ctx, access.Engine, dsn); err != nil {
			return nil, err
		}
		undo = append(undo, func() { _ = handles[i].Close() })
	}
	if s.keys, s.keysVersion, err = keys.Snapshot(ctx, handles[0], access.Engine); err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", id, err)
	}
	undo = append(undo, s.keys.Close)
	if s.linked, err = keystore.Linked(ctx, s.keys); err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", id, err)
	}
	if s.main, s.mainVersion, err = messages.Snapshot(ctx, handles[1], access.Engine); err != nil {
		return nil, fmt.Errorf("read messages of %s: %w", id, err)
	}
	undo = append(undo, s.main.Close)
	return s, nil
}

// hold takes the lock of a number, so that its worker cannot run here, and makes sure that it
// does not run on another host. A number that runs is a fault.Conflict.
func (in Installation) hold(ctx context.Context, id instances.ID) (release func(), err error) {
	dir := in.path(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of %s: %w", id, err)
	}
	unlock, err := isolation.Lock(dir)
	if errors.Is(err, isolation.ErrLocked) {
		return nil, running(id, err)
	} else if err != nil {
		return nil, err
	}
	release = func() {
		// A folder that holds nothing but the lock is there because of us.
		if entries, err := os.ReadDir(dir); err == nil && len(entries) == 1 {
			_ = os.RemoveAll(dir)
		}
		unlock()
	}
	leased, err := in.leased(ctx, id)
	if err == nil && leased {
		err = running(id, lease.ErrHeld)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func running(id instances.ID, err error) error {
	return fault.Wrap(fault.Conflict, fmt.Sprintf(
		"The number %s is running; stop it first. If its host broke down, wait for two minutes.", id), err)
}

// leased tells whether a number runs somewhere. Only on a database server, that may be on
// another host.
func (in Installation) leased(ctx context.Context, id instances.ID) (bool, error) {
	if in.Databases.Names(id).Engine != engine.Postgres {
		return false, nil
	}
	if complete, err := in.Databases.Complete(ctx, id); err != nil || !complete {
		return false, err
	}
	access, err := in.Databases.Access(ctx, id)
	if err != nil {
		return false, err
	}
	db, err := isolation.OpenReadOnly(ctx, access.Engine, access.Main)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }()
	return lease.Held(ctx, db)
}

// find returns the record of a number, nil if there is none.
func (in Installation) find(ctx context.Context, id instances.ID) (*instances.Instance, error) {
	all, err := in.Store.Instances(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, nil
}

// filler writes into the databases of a number that access names.
type filler func(ctx context.Context, access instances.Access, told func(name string)) error

// bring makes the databases of inst anew and has them filled; the record then is inst. The
// lock of the number is held, and there is a record already if known says so. If it fails,
// the number is gone; if it is killed, half is what the record says until somebody clears that
// away: instances.Unfinished, or instances.HalfMoved where the folder is somebody else's, too.
func (in Installation) bring(ctx context.Context, inst instances.Instance, known bool, half instances.Reason, fill filler, told func(name string)) (err error) {
	draft := inst
	draft.Status, draft.Reason, draft.Desired = instances.Deleting, half, instances.Stopped
	draft.Database = in.Databases.Names(inst.ID)
	if known {
		err = in.Store.SaveInstance(ctx, draft)
	} else {
		_, err = in.Store.AddInstance(ctx, draft, "")
	}
	if err != nil {
		return err
	}
	told(RecordMade)
	defer func() {
		if err != nil {
			err = errors.Join(err, in.clear(context.WithoutCancel(ctx), inst.ID))
		}
	}()
	if err := in.Databases.Drop(ctx, inst.ID); err != nil {
		return err
	}
	access, err := in.Databases.Provision(ctx, inst.ID)
	if err != nil {
		return err
	}
	told(RoomMade)
	if err := fill(ctx, access, told); err != nil {
		return err
	}
	return in.Store.SaveInstance(ctx, inst)
}

// clear removes a number that could not be brought in.
func (in Installation) clear(ctx context.Context, id instances.ID) error {
	if err := in.Databases.Drop(ctx, id); err != nil {
		return fmt.Errorf("clear away: %w", err)
	}
	if err := in.Store.RemoveInstance(ctx, id); err != nil {
		return fmt.Errorf("clear away: %w", err)
	}
	return nil
}

// fill copies one database of a number.
func (in Installation) fill(ctx context.Context, p tables.Versioned, c tables.Content, version int64, access instances.Access) error {
	open := isolation.OpenMain
	if p.Name == archive.Keys {
		open = func(ctx context.Context, a instances.Access) (*sql.DB, error) {
			db, _, err := isolation.OpenKeys(ctx, a)
			return db, err
		}
	}
	db, err := open(ctx, access)
	if err != nil {
		return err
	}
	err = p.Fill(ctx, c, version, tables.Target{DB: db, Engine: access.Engine, Scratch: in.Dir})
	return errors.Join(err, db.Close())
}
