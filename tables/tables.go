// Package tables reads and writes whole tables, in the same way on SQLite and PostgreSQL.
//
// What is read from one engine can be written to the other and is the same there, value by
// value. Names, columns and types come from the schema that is found, so that tables which
// are nobody's but a library's can be moved too. A snapshot shows a database as it is at one
// moment, however long the reading takes and whoever writes meanwhile. Every table has a sum,
// by which two of them can be compared.
package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a column holds, whatever the engine calls it.
type Kind string

// The kinds. A column of any other type is refused: nothing is guessed.
const (
	Text    Kind = "text"
	Bytes   Kind = "bytes"
	Integer Kind = "integer"
	Boolean Kind = "boolean"
	UUID    Kind = "uuid"
)

// Table is one table's schema, as far as it matters for moving rows.
type Table struct {
	Name       string      `json:"name"`
	Columns    []Column    `json:"columns"`
	Key        []string    `json:"key,omitempty"` // the primary key
	References []Reference `json:"references,omitempty"`
}

// Column of a table.
type Column struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Required bool   `json:"required,omitempty"` // NOT NULL
}

// Reference is a foreign key.
type Reference struct {
	Columns []string `json:"columns"`
	Table   string   `json:"table"`
	To      []string `json:"to"`
}

// Content is a set of tables with their rows. Tables that others refer to come before those.
type Content interface {
	Tables() []Table
	// Each calls do with every row, table after table. Values are nil, string, []byte, int64
	// or bool. An error of do ends it and is returned.
	Each(ctx context.Context, do func(t Table, row []any) error) error
}

// Want chooses tables by their name.
type Want func(table string) bool

// Except wants all tables but those.
func Except(names ...string) Want {
	return func(table string) bool { return !slices.Contains(names, table) }
}

// sorted puts tables behind those that they refer to.
func sorted(all []Table) ([]Table, error) {
	slices.SortFunc(all, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	var out []Table
	placed := map[string]bool{}
	exists := map[string]bool{}
	for _, t := range all {
		exists[t.Name] = true
	}
	for len(out) < len(all) {
		before := len(out)
		for _, t := range all {
			waits := slices.ContainsFunc(t.References, func(r Reference) bool {
				return r.Table != t.Name && exists[r.Table] && !placed[r.Table]
			})
			if !placed[t.Name] && !waits {
				out = append(out, t)
				placed[t.Name] = true
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("order tables: they refer to each other in a circle")
		}
	}
	return out, nil
}

func (t Table) column(name string) (Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
