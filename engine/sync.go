package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Sync returns when everything that was committed to the file so far would survive a loss of
// power. A commit alone survives the end of the process: SQLite hands it to the system, which
// writes it within half a minute. It takes as long as the disk needs, which may be milliseconds.
func (f File) Sync() error {
	// Every commit is in the log. Whoever closes the last connection moves them from there to the
	// file and waits for the disk, and then there is no log.
	log, err := os.Open(f.Path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = unix.Fdatasync(int(log.Fd()))
		_ = log.Close()
	}
	if err != nil {
		return fmt.Errorf("have the disk keep %s: %w", f.Path, err)
	}
	return nil
}

// SyncFolder returns when the names of the files in a folder, as they are now, would survive a
// loss of power. What is in the files is up to whoever wrote them.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
