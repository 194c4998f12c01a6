package e2e

import (
	"path"
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/isolation/pgtest"
)

// onBothEngines walks a journey with databases in files, and with databases on a PostgreSQL
// server.
func onBothEngines(t *testing.T, journey func(t *testing.T, database ...string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		journey(t)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		journey(t, "DB_URI="+pgtest.New(t).URI)
	})
}

// has tells whether a database of a number exists.
func (p *panel) has(id, database string) (there bool) {
	p.t.Helper()
	for _, v := range p.vars {
		uri, found := strings.CutPrefix(v, "DB_URI=postgres")
		if !found {
			continue
		}
		db, err := engine.OpenPostgres(within(p.t, patience), "postgres"+uri, engine.Pool{Open: 1, Wait: patience})
		if err != nil {
			p.t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow(`SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&there); err != nil {
			p.t.Fatal(err)
		}
		return there
	}
	return exists(path.Join(p.folder(id), database))
}
