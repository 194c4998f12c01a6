package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"switchboard/fault"
)

// File is an SQLite database file.
type File struct {
	Path string
	// params are the query parameters that its URI came with, without those that
	// Switchboard sets itself.
	params url.Values
}

// At names the database file at path.
func At(path string) File { return File{Path: path} }

// forced are the driver's parameters that a URI cannot change, in all their spellings: the
// driver lets the last spelling win.
var forced = []string{
	"_foreign_keys", "_fk", "_journal_mode", "_journal", "_busy_timeout", "_timeout",
	"_synchronous", "_sync", "_txlock", "_cache_size", "_query_only", "_writable_schema",
	"_ignore_check_constraints", "_locking_mode", "_locking", "mode", "immutable", "nolock", "cache",
}

// ParseFile reads a "file:" URI. Paths are as SQLite reads them: relative to the working
// directory unless they begin with a slash, percent-encoded.
func ParseFile(uri string) (File, error) {
	invalid := func(why string) (File, error) {
		return File{}, fault.New(fault.Invalid, "DB_URI "+why+`; write it as "file:storages/whatsapp.db?_foreign_keys=on".`)
	}
	rest, ok := strings.CutPrefix(uri, "file:")
	if !ok {
		return invalid(`does not begin with "file:"`)
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	if host, ok := strings.CutPrefix(path, "//"); ok {
		name, file, found := strings.Cut(host, "/")
		if !found || name != "" && name != "localhost" {
			return invalid("names another machine")
		}
		path = "/" + file
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return invalid("has a broken percent sign in its path")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return invalid("has a query that cannot be read")
	}
	switch mode := params.Get("mode"); {
	case path == "" || strings.HasSuffix(path, "/") || strings.ContainsRune(path, 0):
		return invalid("names no file")
	case path == ":memory:" || mode == "memory":
		return invalid("names a database in memory, which forgets everything")
	case mode == "ro" || params.Has("immutable"):
		return invalid("opens its file for reading only")
	}
	for _, name := range forced {
		params.Del(name)
	}
	return File{Path: filepath.Clean(path), params: params}, nil
}

// URI names the file for ParseFile.
func (f File) URI() string {
	// An absolute path gets the form file:///…, a relative one file:….
	u := url.URL{Scheme: "file", Path: f.Path, RawQuery: f.params.Encode()}
	if !filepath.IsAbs(f.Path) {
		u.Path, u.Opaque = "", (&url.URL{Path: f.Path}).EscapedPath()
	}
	return u.String()
}

// settings make a database safe (a crash of the process loses nothing, one of the machine
// at most the last commits, none of them half; see Sync) and small (up to a megabyte of pages per
// connection). Statements stay prepared while their connection lasts. Transactions take the write lock at once, because one that reads first and
// writes later fails instead of waiting.
var settings = map[string]string{
	"_foreign_keys":    "on",
	"_journal_mode":    "WAL",
	"_synchronous":     "NORMAL",
	"_busy_timeout":    "10000",
	"_txlock":          "immediate",
	"_cache_size":      "-1000",
	"_stmt_cache_size": "40",
}

func (f File) dsn(mode string, set map[string]string) string {
	params := url.Values{}
	maps.Copy(params, f.params)
	params.Set("mode", mode)
	for k, v := range set {
		params.Set(k, v)
	}
	return File{Path: f.Path, params: params}.URI()
}

// Open opens the file for reading and writing. The file has to exist; Create makes one.
// The handle keeps the connections that work needs, four at most, and those that nothing has
// used for a minute no longer: to open one, SQLite reads the whole schema.
func (f File) Open(ctx context.Context) (*sql.DB, error) {
	return f.open(ctx, f.dsn("rw", settings))
}

// OpenReadOnly opens the file for reading only, beside a writer or without one.
func (f File) OpenReadOnly(ctx context.Context) (*sql.DB, error) {
	return f.open(ctx, f.dsn("ro", map[string]string{
		"_query_only": "on", "_busy_timeout": "10000", "_cache_size": "-1000",
	}))
}

func (f File) open(ctx context.Context, dsn string) (*sql.DB, error) {
	db := sql.OpenDB(connector(dsn))
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(time.Minute)
	// The driver opens nothing before the first statement, and SQLite reads nothing before
	// the first query of a table.
	var n int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "sqlite_master"`).Scan(&n); err != nil {
		_ = db.Close()
		return nil, f.Fault(err)
	}
	return db, nil
}

// connector opens connections to a file as its text, a name for the driver, says.
type connector string

var sqlite = &sqlite3.SQLiteDriver{}

// pagesKept is how many changed pages SQLite lets gather in the write-ahead log until it
// brings them into the file. Whoever commits then waits for the disk three times, which
// takes longer than hundreds of commits. More of them would need a larger index in memory.
const pagesKept = 4000

func (c connector) Driver() driver.Driver { return sqlite }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := sqlite.Open(string(c))
	if err != nil {
		return nil, err
	}
	if _, err := conn.(*sqlite3.SQLiteConn).Exec(fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", pagesKept), nil); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
