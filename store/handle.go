package store

import (
	"context"
	"database/sql"
	"errors"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"switchboard/engine"
	"switchboard/fault"
)

// handle is the control database, whose writes say what is in their way when people can do something about it.
type handle struct{ *sql.DB }

func (h handle) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := h.DB.ExecContext(ctx, query, args...)
	return result, unwritable(err)
}

func unwritable(err error) error {
	var lite sqlite3.Error
	switch {
	case err == nil:
	case engine.Full(err):
		return fault.Wrap(fault.Unavailable, "There is no room left on the disk of the control database, so nothing was changed. Make room, then try again.", err)
	case errors.As(err, &lite) && (lite.Code == sqlite3.ErrReadonly || lite.SystemErrno == syscall.EROFS):
		return fault.Wrap(fault.Unavailable, "The control database may only be read, so nothing was changed. See that its folder can be written, then try again.", err)
	case engine.Away(err) && fault.KindOf(err) == fault.Internal:
		return fault.Wrap(fault.Unavailable, "The database went away in the middle of this, so it may be done or not. Look, and try again in a minute.", err)
	}
	return err
}
