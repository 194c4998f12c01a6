package legacy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/engine"
	"switchboard/fault"
)

// replace builds a store that holds nothing but one device, beside the keys database, and
// puts it in the place of that, which has to be empty of devices.
func replace(ctx context.Context, source engine.File, d device, keys engine.File) error {
	build := engine.At(keys.Path + ".import")
	if err := build.Remove(); err != nil { // of a run that was killed
		return err
	}
	if err := build.Create(); err != nil {
		return err
	}
	defer func() { _ = build.Remove() }()
	if err := fill(ctx, build, source, d); err != nil {
		return err
	}
	return keys.Replace(build)
}

func fill(ctx context.Context, build, source engine.File, d device) (err error) {
	db, err := build.Open(ctx)
	if err != nil {
		return err
	}
	// The last handle to go writes everything into the one file that is then renamed.
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := transfer(ctx, db, source, d); err != nil {
		return source.Fault(err)
	}
	container := sqlstore.NewWithDB(db, "sqlite3", nil)
	if err := container.Upgrade(ctx); errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf(
			"The file %s was written by a program with a newer WhatsApp library; update Switchboard first.", source.Path), err)
	} else if err != nil {
		return fmt.Errorf("upgrade copy: %w", err)
	}
	all, err := container.GetAllDevices(ctx)
	if err != nil {
		return fmt.Errorf("read copy: %w", err)
	}
	if len(all) != 1 || *all[0].ID != d.jid {
		return fmt.Errorf("read copy: %d devices, or another one", len(all))
	}
	return nil
}

// transfer copies, as of one moment, the library's tables with the rows of one device. What
// belongs to no device (the schema's version, the map between phone numbers and hidden
// identifiers) comes whole: without it, sessions could not be matched to people.
func transfer(ctx context.Context, db *sql.DB, source engine.File, d device) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open copy: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, `ATTACH DATABASE $1 AS "source"`, source.ReadOnlyURI()); err != nil {
		return fmt.Errorf("attach store: %w", err)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin copy: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	// Rows come in any order; the references are checked at the commit.
	if _, err := tx.ExecContext(ctx, `PRAGMA defer_foreign_keys = ON`); err != nil {
		return fmt.Errorf("begin copy: %w", err)
	}
	// All tables come before the first row: a row needs the tables that it refers to.
	tables, err := makeAll(ctx, tx, "table")
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := rows(ctx, tx, table, d.raw); err != nil {
			return err
		}
	}
	if _, err := makeAll(ctx, tx, "index"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit copy: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `DETACH DATABASE "source"`); err != nil {
		return fmt.Errorf("detach store: %w", err)
	}
	return nil
}

// makeAll makes the library's tables, or their indexes, as they are in the store, and
// returns the names.
func makeAll(ctx context.Context, tx *sql.Tx, kind string) ([]string, error) {
	names, statements, err := objects(ctx, tx, kind)
	if err != nil {
		return nil, err
	}
	for i, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("make %s: %w", names[i], err)
		}
	}
	return names, nil
}

// objects returns names and statements of what makeAll makes.
func objects(ctx context.Context, tx *sql.Tx, kind string) (names, statements []string, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT "name", "sql" FROM "source"."sqlite_master"
		WHERE "type" = $1 AND "tbl_name" LIKE 'whatsmeow\_%' ESCAPE '\' AND "sql" IS NOT NULL`, kind)
	if err != nil {
		return nil, nil, fmt.Errorf("list what is in the store: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name, statement string
		if err := rows.Scan(&name, &statement); err != nil {
			return nil, nil, fmt.Errorf("list what is in the store: %w", err)
		}
		names, statements = append(names, name), append(statements, statement)
	}
	return names, statements, rows.Err()
}

// rows copies one table's rows of one device.
func rows(ctx context.Context, tx *sql.Tx, table, jid string) error {
	columns, err := columns(ctx, tx, table)
	if err != nil {
		return err
	}
	statement := fmt.Sprintf(`INSERT INTO "main".%q SELECT * FROM "source".%q`, table, table)
	var args []any
	for _, owner := range []string{"our_jid", "jid"} {
		if slices.Contains(columns, owner) {
			statement += fmt.Sprintf(` WHERE %q = $1`, owner)
			args = []any{jid}
			break
		}
	}
	if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("copy %s: %w", table, err)
	}
	return nil
}

func columns(ctx context.Context, tx *sql.Tx, table string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT "name" FROM pragma_table_info($1, 'source')`, table)
	if err != nil {
		return nil, fmt.Errorf("list columns of %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list columns of %s: %w", table, err)
		}
		all = append(all, name)
	}
	return all, rows.Err()
}
