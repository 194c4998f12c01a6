package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/migrations"
)

// openFile opens the SQLite file that the URI names. Before anything is written, an
// existing file is checked; one that another WhatsApp program has used is copied.
func openFile(ctx context.Context, uri string) (*sql.DB, error) {
	f, err := engine.ParseFile(uri)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(f.Path); errors.Is(err, os.ErrNotExist) {
		if err := f.Create(); err != nil {
			return nil, err
		}
	}
	if err := adopt(ctx, f); err != nil {
		return nil, err
	}
	// A file of another program may be open to everybody. Where the file system knows no
	// such thing, or the file is another user's, it stays as its owner wants it.
	_ = os.Chmod(f.Path, 0o600)
	return f.Open(ctx)
}

// adopt makes sure that the file is ours, or may become ours.
func adopt(ctx context.Context, f engine.File) error {
	db, err := f.OpenAsFound(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	found, err := tables(ctx, db)
	if err != nil {
		return f.Fault(err)
	}
	if len(found) == 0 || found[migrations.Table] {
		return nil
	}
	if !found["whatsmeow_device"] {
		return fault.New(fault.Unavailable, fmt.Sprintf(
			"The database file %s belongs to another program; set DB_URI to a new file.", f.Path))
	}
	ours, err := ownTables(ctx)
	if err != nil {
		return err
	}
	for name := range ours {
		if found[name] {
			return fault.New(fault.Unavailable, fmt.Sprintf(
				"The database file %s already has a table %q of another program; set DB_URI to a new file.", f.Path, name))
		}
	}
	return backUp(ctx, db, f)
}

// tables returns what a database holds under a name, in lower case: to SQLite, upper and
// lower case are the same.
func tables(ctx context.Context, db *sql.DB) (map[string]bool, error) {
	names := map[string]bool{}
	return names, engine.Each(ctx, db, "list tables", func(r engine.Row) error {
		var name string
		err := r.Scan(&name)
		names[strings.ToLower(name)] = true
		return err
	}, `SELECT "name" FROM "sqlite_master" WHERE "name" NOT LIKE 'sqlite\_%' ESCAPE '\'`)
}

// ownTables finds out what the migrations make by letting them make it in memory.
func ownTables(ctx context.Context) (map[string]bool, error) {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		return nil, fmt.Errorf("open database in memory: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would be a database of its own
	if err := migrations.Up(ctx, db, engine.SQLite, migrations.Panel); err != nil {
		return nil, err
	}
	return tables(ctx, db)
}

// backUp writes a consistent copy beside the file, under the first free one of the names
// <file>.before-switchboard, <file>.before-switchboard-2 and so on.
func backUp(ctx context.Context, db *sql.DB, f engine.File) error {
	to := f.Path + ".before-switchboard"
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, os.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s.before-switchboard-%d", f.Path, n)
	}
	if err := copyTo(ctx, db, to); err != nil {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf(
			"No copy of %s could be made at %s; check the space on the disk and who may write there.", f.Path, to), err)
	}
	return nil
}

// copyTo makes a copy that appears complete or not at all, readable by this user alone.
func copyTo(ctx context.Context, db *sql.DB, path string) error {
	part, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make copy: %w", err)
	}
	defer part.Close()
	defer os.Remove(part.Name()) // fails after the rename, as it should
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, part.Name()); err != nil {
		return fmt.Errorf("write copy: %w", err)
	}
	if err := part.Sync(); err != nil {
		return fmt.Errorf("write copy: %w", err)
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return fmt.Errorf("name copy: %w", err)
	}
	return nil
}
