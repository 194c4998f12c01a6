package tables

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"switchboard/engine"
)

// batch is how many values go into one statement; SQLite takes 32,766, PostgreSQL 65,535.
const batch = 2000

// Copy writes a content into the tables of db, which have to exist with these columns and
// these kinds and to be empty, or else clear says so and their rows are removed first. All of
// it happens in one transaction: the content is there completely or not at all. Texts that
// PostgreSQL cannot store get replacement characters there. Copy returns the sums of what it
// wrote.
func Copy(ctx context.Context, from Content, db *sql.DB, name string, clear bool) (Sums, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin copy: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	w := &writer{tx: tx, engine: name, sums: SumsFor(from.Tables())}
	if err := w.fits(ctx, from.Tables()); err != nil {
		return nil, err
	}
	if clear {
		// Those that refer to others go first.
		for i := len(from.Tables()) - 1; i >= 0; i-- {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+quote(from.Tables()[i].Name)); err != nil {
				return nil, fmt.Errorf("clear %s: %w", from.Tables()[i].Name, err)
			}
		}
	}
	err = from.Each(ctx, func(t Table, row []any) error { return w.add(ctx, t, row) })
	if err == nil {
		err = w.flush(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit copy: %w", err)
	}
	return w.sums, nil
}

// writer collects rows of one table after the other.
type writer struct {
	tx     *sql.Tx
	engine string
	sums   Sums
	table  Table
	rows   int
	args   []any
}

// fits checks that everything that comes has its place.
func (w *writer) fits(ctx context.Context, all []Table) error {
	there, err := Schema(ctx, w.tx, w.engine, func(name string) bool { return w.sums[name] != nil })
	if err != nil {
		return err
	}
	found := map[string]Table{}
	for _, t := range there {
		found[t.Name] = t
	}
	for _, t := range all {
		for _, c := range t.Columns {
			if place, ok := found[t.Name].column(c.Name); !ok || place.Kind != c.Kind {
				return fmt.Errorf("column %s of %s (%s) has no place here", c.Name, t.Name, c.Kind)
			}
		}
	}
	return nil
}

func (w *writer) add(ctx context.Context, t Table, row []any) error {
	if t.Name != w.table.Name || len(w.args)+len(row) > batch {
		if err := w.flush(ctx); err != nil {
			return err
		}
		w.table = t
	}
	row = storableOn(w.engine, row)
	w.sums[t.Name].Add(Encode(t, row))
	w.args = append(w.args, row...)
	w.rows++
	return nil
}

func (w *writer) flush(ctx context.Context) error {
	if w.rows == 0 {
		return nil
	}
	columns := make([]string, len(w.table.Columns))
	for i, c := range w.table.Columns {
		columns[i] = c.Name
	}
	var statement strings.Builder
	fmt.Fprintf(&statement, `INSERT INTO %s (%s) VALUES `, quote(w.table.Name), quoteAll(columns))
	n := 0
	for row := range w.rows {
		if row > 0 {
			statement.WriteString(", ")
		}
		for i, c := range w.table.Columns {
			n++
			lead, mark := ", ", fmt.Sprintf("$%d", n)
			if i == 0 {
				lead = "("
			}
			if c.Kind == UUID && w.engine == engine.Postgres {
				mark = fmt.Sprintf("CAST($%d AS uuid)", n)
			}
			statement.WriteString(lead + mark)
		}
		statement.WriteString(")")
	}
	_, err := w.tx.ExecContext(ctx, statement.String(), w.args...)
	if err != nil {
		return fmt.Errorf("write %s: %w", w.table.Name, err)
	}
	w.rows, w.args = 0, w.args[:0]
	return nil
}

// Compare reads the tables of db that a content had, and returns an error that names the
// first one whose sum is not the one that is wanted.
func Compare(ctx context.Context, db *sql.DB, name string, all []Table, want Sums) error {
	s, err := Begin(ctx, db, name, func(table string) bool { return want[table] != nil })
	if err != nil {
		return err
	}
	defer s.Close()
	s.As(all)
	got, err := Summed(ctx, s, name)
	if err != nil {
		return err
	}
	for _, t := range all {
		if *got[t.Name] != *want[t.Name] {
			return fmt.Errorf("%s differs after the copy: %d rows, %d expected", t.Name, got[t.Name].Rows, want[t.Name].Rows)
		}
	}
	return nil
}

// Summed reads a content and returns the sums that it has on an engine.
func Summed(ctx context.Context, c Content, name string) (Sums, error) {
	sums := SumsFor(c.Tables())
	err := c.Each(ctx, func(t Table, row []any) error {
		sums[t.Name].Add(Encode(t, storableOn(name, row)))
		return nil
	})
	return sums, err
}

// Create makes tables in an SQLite database, with their keys but without indexes, checks and
// defaults. It serves to bring back a schema that no program makes any more.
func Create(ctx context.Context, db *sql.DB, all []Table) error {
	types := map[Kind]string{Text: "TEXT", Bytes: "BYTEA", Integer: "BIGINT", Boolean: "BOOLEAN", UUID: "UUID"}
	for _, t := range all {
		var parts []string
		for _, c := range t.Columns {
			part := quote(c.Name) + " " + types[c.Kind]
			if c.Required {
				part += " NOT NULL"
			}
			parts = append(parts, part)
		}
		if len(t.Key) > 0 {
			parts = append(parts, "PRIMARY KEY ("+quoteAll(t.Key)+")")
		}
		for _, r := range t.References {
			parts = append(parts, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE CASCADE ON UPDATE CASCADE",
				quoteAll(r.Columns), quote(r.Table), quoteAll(r.To)))
		}
		if _, err := db.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE %s (%s)`, quote(t.Name), strings.Join(parts, ", "))); err != nil {
			return fmt.Errorf("make %s: %w", t.Name, err)
		}
	}
	return nil
}
