package engine

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"switchboard/fault"
)

// Fault turns an error of SQLite about this file into a fault that wraps ErrRefused or
// ErrDamaged and says what to do. Other errors come back as they are.
func (f File) Fault(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrNotADB, sqlite3.ErrCorrupt:
		return f.damaged(err)
	case sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrReadonly:
		return f.refused("cannot be opened for reading and writing; check that it exists and that this user may write to it and to its folder", err)
	case sqlite3.ErrFull, sqlite3.ErrIoErr:
		return f.refused("cannot be written; check the disk and the space on it", err)
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return f.refused("is held by another program; stop that one first", err)
	}
	return err
}

func (f File) damaged(err error) error {
	return fault.Wrap(fault.Unavailable,
		fmt.Sprintf("The database file %s is damaged or no database; put a backup in its place.", f.Path),
		fmt.Errorf("%w: %w", ErrDamaged, err))
}

func (f File) refused(why string, err error) error {
	return fault.Wrap(fault.Unavailable,
		fmt.Sprintf("The database file %s %s.", f.Path, why),
		fmt.Errorf("%w: %w", ErrRefused, err))
}
