package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/isolation"
	"switchboard/moving"
	"switchboard/secrets"
	"switchboard/settings"
)

// installation is a whole installation, for the commands that move numbers.
type installation struct {
	moving.Installation
	storage *storage
	release func()
}

// openInstallation opens what c names. With alone, no panel may work with the storage folder
// meanwhile.
func openInstallation(ctx context.Context, c config, alone bool) (_ *installation, err error) {
	in := &installation{}
	var undo []func()
	in.release = func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	defer func() {
		if err != nil {
			in.release()
		}
	}()
	if in.storage, err = openStorage(ctx, c, false); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = in.storage.Close() })
	if alone {
		unlock, err := in.storage.lock()
		if err != nil {
			return nil, err
		}
		undo = append(undo, unlock)
	}
	box, err := secrets.New(in.storage.key, passwordsPurpose)
	if err != nil {
		return nil, err
	}
	databases, err := isolation.Open(ctx, c.DBURI, in.storage.dir, isolation.WithVault(in.storage.store, box))
	if err != nil {
		return nil, &refusal{faults: []string{sentence(err)}}
	}
	undo = append(undo, func() { _ = databases.Close() })
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
	if _, err := os.Stat(file.Path); errors.Is(err, fs.ErrNotExist) {
		return refuse("The database file %s does not exist. Check DB_URI and the working directory.", file.Path)
	}
	return nil
}
