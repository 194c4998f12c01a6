// Package engine opens databases, of either engine, the one way in which Switchboard
// opens them.
//
// The engine follows from the URI: "file:" is SQLite, "postgres://" and "postgresql://"
// are PostgreSQL. Whatever a URI asks for, an SQLite file gets the settings that keep data
// safe (foreign keys, write-ahead log, a busy timeout), and its errors come back as faults
// whose message says what to do. How rows are read and times are stored is here too; the
// package knows nothing of what is in a database.
package engine

import (
	"errors"
	"strings"

	"switchboard/fault"
)

// The engines, in the words of the API and of start documents.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Why a database cannot be used. The faults of this package wrap one of them.
var (
	ErrRefused = errors.New("database refused") // cannot be opened: missing, no permission, no server
	ErrDamaged = errors.New("database damaged") // opened, and not sound
)

// Of returns the engine that a URI selects, or a fault.Invalid.
func Of(uri string) (string, error) {
	scheme, _, _ := strings.Cut(uri, ":")
	switch {
	case scheme == "file" && len(uri) > len("file:"):
		return SQLite, nil
	case strings.HasPrefix(uri, "postgres://"), strings.HasPrefix(uri, "postgresql://"):
		return Postgres, nil
	}
	return "", fault.New(fault.Invalid,
		`DB_URI has to begin with "file:" (SQLite) or "postgres://" (PostgreSQL); the default is "file:storages/whatsapp.db?_foreign_keys=on".`)
}
