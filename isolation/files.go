package isolation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/migrations"
)

// files is SQLite: two files in the instance's own folder.
type files struct{ dir string }

func openFiles(storageDir string) (files, error) {
	dir, err := filepath.Abs(filepath.Join(storageDir, "instances"))
	if err != nil {
		return files{}, fmt.Errorf("find storage folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files{}, fault.Wrap(fault.Unavailable,
			fmt.Sprintf("The storage folder %s cannot be made; check who may write there, or set STORAGE_DIR.", dir),
			fmt.Errorf("%w: %w", ErrRefused, err))
	}
	return files{dir}, nil
}

func (f files) folder(id instances.ID) string { return filepath.Join(f.dir, string(id)) }
func (f files) main(id instances.ID) engine.File {
	return engine.At(filepath.Join(f.folder(id), mainName(id)))
}
func (f files) keys(id instances.ID) engine.File {
	return engine.At(filepath.Join(f.folder(id), keysName(id)))
}

func (f files) provision(ctx context.Context, id instances.ID) (instances.Access, error) {
	if err := f.keys(id).Create(); err != nil {
		return instances.Access{}, err
	}
	if err := f.main(id).Create(); err != nil {
		return instances.Access{}, err
	}
	db, err := f.main(id).Open(ctx)
	if err != nil {
		return instances.Access{}, err
	}
	defer db.Close()
	if err := migrations.Up(ctx, db, engine.SQLite, migrations.Instance); err != nil {
		return instances.Access{}, err
	}
	return instances.Access{Engine: engine.SQLite, Main: f.main(id).URI(), Keys: f.keys(id).URI()}, nil
}

func (f files) drop(id instances.ID) error {
	for _, file := range []engine.File{f.main(id), f.keys(id)} {
		for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
			if err := os.Remove(file.Path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("drop databases of %s: %w", id, err)
			}
		}
	}
	return nil
}

func (f files) readMain(ctx context.Context, id instances.ID) (*sql.DB, error) {
	return f.main(id).OpenReadOnly(ctx)
}
