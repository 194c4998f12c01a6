package tables

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"

	"switchboard/engine"
)

// Snapshot is the content of a database at one moment. It is a Content, and not safe for
// concurrent use. While it is open it holds one connection, and the database keeps what
// writers replace: it should not stay open for longer than the reading takes.
type Snapshot struct {
	conn   *sql.Conn
	engine string
	tables []Table

	// Only limits what is read of a table to the rows with a value in a column; "" stands for
	// all rows. It may be nil.
	Only func(t Table) (column string, value any)
}

var begin = map[string]string{
	engine.SQLite:   `BEGIN DEFERRED`,
	engine.Postgres: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`,
}

// Begin takes a snapshot of the wanted tables. It has to be closed. The moment is before
// Begin returns.
func Begin(ctx context.Context, db *sql.DB, name string, want Want) (*Snapshot, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &Snapshot{conn: conn, engine: name}
	if _, err := conn.ExecContext(ctx, begin[name]); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("begin snapshot: %w", err)
	}
	// Both engines fix the moment at the first query, and SQLite at the first of a table.
	if s.tables, err = Schema(ctx, conn, name, want); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the snapshot. The connection goes back as it was, or not at all.
func (s *Snapshot) Close() {
	if _, err := s.conn.ExecContext(context.Background(), `ROLLBACK`); err != nil {
		_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = s.conn.Close()
}

// As limits the snapshot to tables and columns that another content has.
func (s *Snapshot) As(all []Table) { s.tables = all }

// Tables returns the schema.
func (s *Snapshot) Tables() []Table { return s.tables }

// Each reads all rows; see Content.
func (s *Snapshot) Each(ctx context.Context, do func(t Table, row []any) error) error {
	for _, t := range s.tables {
		if err := s.rows(ctx, t, func(row []any) error { return do(t, row) }); err != nil {
			return err
		}
	}
	return nil
}

// Value reads one value with a query of the caller's, at the moment of the snapshot.
func (s *Snapshot) Value(ctx context.Context, into any, query string) error {
	return s.conn.QueryRowContext(ctx, query).Scan(into)
}

func (s *Snapshot) rows(ctx context.Context, t Table, do func(row []any) error) error {
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = quote(c.Name)
		if c.Kind == UUID && s.engine == engine.Postgres {
			list[i] += "::text"
		}
	}
	query := fmt.Sprintf(`SELECT %s FROM %s`, strings.Join(list, ", "), quote(t.Name))
	var args []any
	if s.Only != nil {
		if column, value := s.Only(t); column != "" {
			query += fmt.Sprintf(` WHERE %s = $1`, quote(column))
			args = append(args, value)
		}
	}
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	defer func() { _ = rows.Close() }()
	places := make([]any, len(t.Columns))
	for rows.Next() {
		row := make([]any, len(t.Columns))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		for i, c := range t.Columns {
			if row[i], err = plain(c.Kind, row[i]); err != nil {
				return fmt.Errorf("read column %s of %s: %w", c.Name, t.Name, err)
			}
		}
		if err := do(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	return nil
}
