package isolation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/migrations"
)

// files is SQLite: two files in the instance's own folder.
//
// Provisioning makes the keys file before the main file, and both come to life empty. So
// whatever a killed provisioning leaves behind, the next one goes on from there; and a file
// that is missing beside one that only comes, or is only written to, after it has been lost.
// In the end neither is empty.
type files struct {
	dir string
	log *slog.Logger
}

func openFiles(storageDir string, o options) (place, error) {
	dir, err := filepath.Abs(filepath.Join(storageDir, "instances"))
	if err != nil {
		return nil, fmt.Errorf("find storage folder: %w", err)
	}
	if !o.asFound {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, folderFault(dir, err)
		}
	}
	return files{dir, o.log}, nil
}

func (f files) engine() string { return engine.SQLite }
func (f files) close() error   { return nil }

func (f files) folder(id instances.ID) string { return filepath.Join(f.dir, string(id)) }

func (f files) main(id instances.ID) engine.File {
	return engine.At(filepath.Join(f.folder(id), mainName(id)))
}

func (f files) keys(id instances.ID) engine.File {
	return engine.At(filepath.Join(f.folder(id), keysName(id)))
}

func (f files) step(ctx context.Context, id instances.ID, name string) {
	f.log.DebugContext(ctx, "database step", "instance", id, "step", name)
}

func (f files) provision(ctx context.Context, id instances.ID) (instances.Access, error) {
	f.step(ctx, id, "provision")
	if err := os.MkdirAll(f.folder(id), 0o700); err != nil {
		return instances.Access{}, folderFault(f.folder(id), err)
	}
	main, keys := f.main(id), f.keys(id)
	if err := halfLost(main, keys); err != nil {
		return instances.Access{}, err
	}
	f.step(ctx, id, "folder made")
	if err := keys.Create(); err != nil {
		return instances.Access{}, err
	}
	f.step(ctx, id, "keys made")
	if err := main.Create(); err != nil {
		return instances.Access{}, err
	}
	f.step(ctx, id, "main made")
	err := migrateMain(ctx, main)
	// With those, nothing is missing: it is the worker that checks its databases and tells
	// what is wrong with them.
	if err != nil && !errors.Is(err, ErrNewer) && !errors.Is(err, ErrDamaged) && !errors.Is(main.Check(ctx), ErrDamaged) {
		return instances.Access{}, err
	}
	f.step(ctx, id, "main migrated")
	if err := begin(ctx, keys); err != nil {
		return instances.Access{}, err
	}
	f.step(ctx, id, "keys begun")
	return instances.Access{Engine: engine.SQLite, Main: main.URI(), Keys: keys.URI()}, nil
}

// halfLost finds a database that existed and does no longer. To make an empty one in its
// place would hide that a session or its messages are gone. That both are gone, only the
// number's record can tell.
func halfLost(main, keys engine.File) error {
	_, noMain := os.Stat(main.Path)
	info, noKeys := os.Stat(keys.Path)
	var gone string
	switch {
	case noMain == nil && errors.Is(noKeys, os.ErrNotExist):
		gone = keys.Path
	case errors.Is(noMain, os.ErrNotExist) && noKeys == nil && info.Size() > 0:
		gone = main.Path
	default:
		return nil
	}
	return fault.Wrap(fault.Unavailable, fmt.Sprintf(
		"The database file %s is gone; put it back from a backup, or delete this number.", gone),
		fmt.Errorf("%w: one of two files missing", ErrRefused))
}

func migrateMain(ctx context.Context, main engine.File) error {
	db, err := main.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	return migrations.Up(ctx, db, engine.SQLite, migrations.Instance)
}

// begin makes an empty file a database without tables: from then on, a file without a byte
// in it was lost.
func begin(ctx context.Context, f engine.File) error {
	if info, err := os.Stat(f.Path); err != nil || info.Size() > 0 {
		return err
	}
	db, err := f.Open(ctx)
	if err != nil {
		return err
	}
	return db.Close()
}

func (f files) drop(ctx context.Context, id instances.ID) error {
	f.step(ctx, id, "drop")
	for _, file := range []engine.File{f.main(id), f.keys(id)} {
		if err := file.Remove(); err != nil {
			return fault.Wrap(fault.Unavailable, fmt.Sprintf(
				"The database file %s cannot be removed; check who may write to its folder.", file.Path), err)
		}
		f.step(ctx, id, "dropped "+filepath.Base(file.Path))
	}
	// Empty, it was only there for the two; else it is the launcher's.
	_ = os.Remove(f.folder(id))
	f.step(ctx, id, "folder removed")
	return nil
}

func (f files) unknown(_ context.Context, known []instances.ID) ([]Leftover, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, folderFault(f.dir, err)
	}
	var all []Leftover
	for _, entry := range entries {
		id := instances.ID(entry.Name())
		if !entry.IsDir() || slices.Contains(known, id) || check(id) != nil {
			continue
		}
		bytes, err := size(f.folder(id))
		if err != nil {
			return nil, folderFault(f.folder(id), err)
		}
		all = append(all, Leftover{id, bytes})
	}
	return all, nil
}

func size(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		} else if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

func (f files) readMain(ctx context.Context, id instances.ID) (*sql.DB, error) {
	return f.main(id).OpenReadOnly(ctx)
}

func folderFault(dir string, err error) error {
	return fault.Wrap(fault.Unavailable,
		fmt.Sprintf("The storage folder %s cannot be used; check who may write there, or set STORAGE_DIR to another one.", dir),
		fmt.Errorf("%w: %w", ErrRefused, err))
}
