package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// checkTime is how long the integrity check may take. It reads the whole file: of a small
// one every damage is found before it is used, of a big one at least the coarse damage.
const checkTime = 3 * time.Second

// OpenAsFound opens an existing file for reading only, checks that it is a sound database
// that Open can write to, and changes nothing on disk, not even by leaving the files that
// SQLite puts beside a database. It is for a look before the first Open.
func (f File) OpenAsFound(ctx context.Context) (*sql.DB, error) {
	if err := f.usable(); err != nil {
		return nil, err
	}
	set := map[string]string{"_busy_timeout": "10000"}
	if f.atRest() {
		set["immutable"] = "1"
	}
	db, err := f.open(ctx, f.dsn("ro", set))
	if errors.Is(err, ErrRefused) && exists(f.Path+"-journal") {
		// The program that wrote last was killed. SQLite completes or undoes what it was
		// doing, for which it has to write.
		if db, err = f.open(ctx, f.dsn("rw", set)); err == nil {
			_ = db.Close()
			db, err = f.open(ctx, f.dsn("ro", set))
		}
	}
	if err != nil {
		return nil, err
	}
	if err := f.sound(ctx, db); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// Check is OpenAsFound for those who only want to know.
func (f File) Check(ctx context.Context) error {
	db, err := f.OpenAsFound(ctx)
	if err != nil {
		return err
	}
	return db.Close()
}

func (f File) usable() error {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return f.refused("does not exist; put a backup in its place", err)
	case err != nil:
		return f.refused("cannot be reached; check its path and who may read there", err)
	case info.IsDir():
		return f.refused("is a folder; name a file in it", errors.New("is a directory"))
	case !info.Mode().IsRegular():
		return f.refused("is no ordinary file; name another one", fmt.Errorf("mode %s", info.Mode()))
	}
	const write = 2
	for _, path := range []string{f.Path, filepath.Dir(f.Path)} {
		if err := syscall.Access(path, write); err != nil {
			return f.refused("cannot be written; check that this user may write to it and to its folder", err)
		}
	}
	return nil
}

// atRest tells whether the file uses a write-ahead log and nobody has it open. Then SQLite
// may be told that it does not change, and needs no files beside it.
//
// The header is read only if those files are missing, that is when this process has no
// handle either: closing any descriptor of a file drops the locks that the process has on it.
func (f File) atRest() bool {
	if exists(f.Path+"-wal") || exists(f.Path+"-shm") {
		return false
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return false
	}
	defer file.Close()
	header := make([]byte, 20)
	if _, err := io.ReadFull(file, header); err != nil {
		return false
	}
	const writeVersion, wal = 18, 2
	return string(header[:16]) == "SQLite format 3\x00" && header[writeVersion] == wal
}

func (f File) sound(ctx context.Context, db *sql.DB) error {
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var verdict string
	err := db.QueryRowContext(limited, `PRAGMA quick_check(1)`).Scan(&verdict)
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return nil
	case err != nil:
		return f.Fault(err)
	case verdict != "ok":
		return f.damaged(errors.New(verdict))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
