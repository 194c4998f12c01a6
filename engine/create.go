package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Create makes an empty database file, readable by this user alone, and the folders above
// it, if they do not exist. It never touches a file that does.
func (f File) Create() error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return f.refused("cannot be made, because its folder cannot; check who may write there", err)
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return nil
	} else if err != nil {
		return f.refused("cannot be made; check that this user may write to its folder", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("make %s: %w", f.Path, err)
	}
	return nil
}

// Remove deletes the file and those that SQLite keeps beside it, as far as they exist.
func (f File) Remove() error {
	// The database goes last: one that comes back from a backup must not meet a log of
	// another.
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Remove(f.Path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove database: %w", err)
		}
	}
	return nil
}
