package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/isolation"
	"switchboard/moving"
	"switchboard/secrets"
	"switchboard/settings"
)

// installation is a whole installation.
type installation struct {
	moving.Installation
	storage *storage
	undo    undoing
}

// opening says how an installation is opened.
type opening struct {
	alone  bool         // no panel may work with the storage folder meanwhile
	newKey bool         // make a key where one is missing
	log    *slog.Logger // of what becomes of databases; may be nil
}

// openInstallation opens what c names. release has to be called afterwards.
func openInstallation(ctx context.Context, c config, o opening) (_ *installation, err error) {
	in := &installation{}
	defer func() {
		if err != nil {
			in.release()
		}
	}()
	if in.storage, err = openStorage(ctx, c, o.newKey); err != nil {
		return nil, err
	}
	in.undo.add(func() { _ = in.storage.Close() })
	if o.alone {
		unlock, err := in.storage.lock(ctx)
		if err != nil {
			return nil, err
		}
		in.undo.add(unlock)
	}
	box, err := secrets.New(in.storage.key, passwordsPurpose)
	if err != nil {
		return nil, err
	}
	databases, err := isolation.Open(ctx, c.DBURI, in.storage.dir, isolation.WithLog(cmp.Or(o.log, slog.New(slog.DiscardHandler))), isolation.WithVault(in.storage.store, box))
	if err != nil {
		return nil, refuseFor(err)
	}
	in.undo.add(func() { _ = databases.Close() })
	if o.newKey {
		if err := newPasswords(ctx, in.storage, databases); err != nil {
			return nil, err
		}
	}
	keeper, err := settingsKeeper(ctx, in.storage)
	if err != nil {
		return nil, err
	}
	in.Installation = moving.Installation{
		Store: in.storage.store, Databases: databases, Settings: keeper, Dir: in.storage.dir,
		PortStart: c.WorkerPortStart, PortFree: portFree(c.WorkerHost), DiskLimit: c.WorkerLimits.Disk,
	}
	return in, nil
}

// newPasswords gives the roles of numbers whose passwords are lost with the secret key new ones. A
// worker that runs needs to be started again then.
func newPasswords(ctx context.Context, s *storage, databases *isolation.Databases) error {
	all, err := s.store.Instances(ctx)
	if err != nil {
		return err
	}
	for _, inst := range all {
		if databases.Names(inst.ID).Engine != engine.Postgres {
			continue
		}
		kept, err := s.store.Password(ctx, inst.ID)
		if err != nil {
			return err
		}
		complete, err := databases.Complete(ctx, inst.ID)
		if err != nil {
			return err
		}
		if kept != nil || !complete { // what is missing is not made: it may be brought back
			continue
		}
		if _, err := databases.Provision(ctx, inst.ID); err != nil {
			return fmt.Errorf("new password of %s: %w", inst.ID, err)
		}
	}
	return nil
}

// release gives back what was taken.
func (in *installation) release() { in.undo.all() }

// undoing is what takes back what was done so far.
type undoing []func()

func (u *undoing) add(f ...func()) { *u = append(*u, f...) }

// all does it, the last first.
func (u undoing) all() {
	for _, f := range slices.Backward(u) {
		f()
	}
}

// What is derived from the secret key.
const (
	passwordsPurpose = "database passwords"
	deletedPurpose   = "backups of deleted numbers"
)

// settingsKeeper returns who keeps what people set for their numbers.
func settingsKeeper(ctx context.Context, s *storage) (*settings.Keeper, error) {
	box, err := secrets.New(s.key, settings.Purpose)
	if err != nil {
		return nil, err
	}
	return settings.NewKeeper(ctx, s.store, box)
}

// deletedNumbers returns where the last backups of deleted numbers are, and how long they are
// kept.
func deletedNumbers(s *storage, keep time.Duration) (moving.Deleted, error) {
	key, err := secrets.Derive(s.key, deletedPurpose)
	return moving.Deleted{Dir: filepath.Join(s.dir, "deleted"), Key: archive.Random(key), Program: version(), For: keep}, err
}

// mustBeThere makes sure that there is something in an installation that is to be read: opening one
// that does not exist would make it.
func mustBeThere(c config) error {
	file, err := engine.ParseFile(c.DBURI)
	if err != nil {
		return nil // a database server makes nothing by itself
	}
	info, err := os.Stat(file.Path)
	if err == nil && info.IsDir() {
		return refuse("%s is a folder; name the database file in it, %s for example.", file.Path, filepath.Join(file.Path, "whatsapp.db"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("The database file %s does not exist. Check DB_URI and the working directory.", file.Path)
	}
	return nil
}
