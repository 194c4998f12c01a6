package migrations

import (
	"io/fs"
	"strings"

	"switchboard/engine"
)

// twins shows, of a folder with migrations, those of one engine: NNNN_name.<engine>.sql
// where it exists, else NNNN_name.sql.
type twins struct {
	fs.FS
	engine string
}

// Glob is what goose lists migrations with.
func (t twins) Glob(pattern string) ([]string, error) {
	names, err := fs.Glob(t.FS, pattern)
	if err != nil {
		return nil, err
	}
	mine := names[:0]
	for _, name := range names {
		if of := engineOf(name); of == "" || of == t.engine {
			mine = append(mine, name)
		}
	}
	return mine, nil
}

// engineOf returns the engine that a file is for, "" if it is for both.
func engineOf(name string) string {
	for _, e := range []string{engine.SQLite, engine.Postgres} {
		if strings.HasSuffix(name, "."+e+".sql") {
			return e
		}
	}
	return ""
}
