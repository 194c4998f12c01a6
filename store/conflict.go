package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// conflict tells whether err is the violation of a unique index or primary key.
func conflict(err error) bool {
	if lite, ok := errors.AsType[sqlite3.Error](err); ok {
		return lite.ExtendedCode == sqlite3.ErrConstraintUnique || lite.ExtendedCode == sqlite3.ErrConstraintPrimaryKey
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// conflictOn tells whether err is such a violation on one column, provided that the index
// is called after table and column: "table_column".
func conflictOn(err error, table, column string) bool {
	if !conflict(err) {
		return false
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.ConstraintName == table+"_"+column
	}
	return strings.Contains(err.Error(), table+"."+column)
}
