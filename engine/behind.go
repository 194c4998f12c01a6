package engine

import (
	"database/sql"

	"github.com/mattn/go-sqlite3"
)

// Behind returns the name of the engine that a handle is of.
func Behind(db *sql.DB) string {
	if _, ok := db.Driver().(*sqlite3.SQLiteDriver); ok {
		return SQLite
	}
	return Postgres
}
