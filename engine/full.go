package engine

import (
	"errors"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// Unwritable tells whether err says that what a database is kept on takes no writes, for another
// reason than want of room: it may only be read, or does not work. What failed may be tried again, as a whole.
func Unwritable(err error) bool {
	var lite sqlite3.Error
	if errors.As(err, &lite) {
		switch lite.Code {
		case sqlite3.ErrReadonly, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrPerm:
			return !Full(err)
		}
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code == "25006" || server.Code == "58030" // a read-only transaction, as on a standby; an I/O error
	}
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO)
}

// Failed tells whether err is a database's own, whatever it says.
func Failed(err error) bool {
	var lite sqlite3.Error
	var server *pgconn.PgError
	return errors.As(err, &lite) || errors.As(err, &server) || Away(err) || Full(err) || Unwritable(err)
}

// Full tells whether err says that there is no room on the disk, ours or that of the database
// server. What failed may be tried again, as a whole, once there is.
func Full(err error) bool {
	var lite sqlite3.Error
	if errors.As(err, &lite) && (lite.Code == sqlite3.ErrFull || lite.SystemErrno == syscall.ENOSPC || lite.SystemErrno == syscall.EDQUOT) {
		return true
	}
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "53100" {
		return true
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
