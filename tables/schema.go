package tables

import (
	"context"
	"fmt"
	"strings"

	"switchboard/engine"
)

// The queries give one row for each column of each table, and one for each column of each
// foreign key, both in order.
var (
	columnsOf = map[string]string{
		engine.SQLite: `
			SELECT m."name", c."name", upper(c."type"), c."notnull", c."pk"
			FROM pragma_table_list m, pragma_table_info(m."name") c
			WHERE m."schema" = 'main' AND m."type" = 'table' AND m."name" NOT LIKE 'sqlite\_%' ESCAPE '\'
			ORDER BY m."name", c."cid"`,
		engine.Postgres: `
			SELECT c.relname, a.attname, upper(t.typname), CASE WHEN a.attnotnull THEN 1 ELSE 0 END, coalesce(k.pos, 0)
			FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			JOIN pg_type t ON t.oid = a.atttypid
			LEFT JOIN LATERAL (
				SELECT p.pos FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS p(attnum, pos)
				WHERE i.indrelid = c.oid AND i.indisprimary AND p.attnum = a.attnum) k ON true
			WHERE c.relkind IN ('r', 'p')
			ORDER BY c.relname, a.attnum`,
	}
	referencesOf = map[string]string{
		engine.SQLite: `
			SELECT m."name", f."id", f."from", f."table", coalesce(f."to", '')
			FROM "sqlite_master" m, pragma_foreign_key_list(m."name") f
			WHERE m."type" = 'table' ORDER BY m."name", f."id", f."seq"`,
		engine.Postgres: `
			SELECT c.relname, con.oid::bigint, a.attname, p.relname, b.attname
			FROM pg_constraint con
			JOIN pg_class c ON c.oid = con.conrelid
			JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
			JOIN pg_class p ON p.oid = con.confrelid
			CROSS JOIN LATERAL unnest(con.conkey, con.confkey) WITH ORDINALITY AS u(mine, theirs, pos)
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.mine
			JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = u.theirs
			WHERE con.contype = 'f' ORDER BY c.relname, con.oid, u.pos`,
	}
	// kinds translates the types of both engines.
	kinds = map[string]Kind{
		"TEXT": Text, "VARCHAR": Text,
		"BYTEA": Bytes, "BLOB": Bytes,
		"BIGINT": Integer, "INTEGER": Integer, "INT": Integer, "SMALLINT": Integer,
		"INT8": Integer, "INT4": Integer, "INT2": Integer,
		"BOOLEAN": Boolean, "BOOL": Boolean,
		"UUID": UUID,
	}
)

// Schema reads the schema of the wanted tables, in an order in which rows can be written.
// SQLite's virtual tables, and those in which it keeps what is in them, are none: what fills
// them here, triggers or the program, fills them there.
func Schema(ctx context.Context, q engine.Queryer, name string, want Want) ([]Table, error) {
	found := map[string]*Table{}
	err := engine.Each(ctx, q, "read columns", func(rows engine.Row) error {
		var table, column, declared string
		var required, place int
		if err := rows.Scan(&table, &column, &declared, &required, &place); err != nil || !want(table) {
			return err
		}
		plain, _, _ := strings.Cut(declared, "(")
		kind, ok := kinds[strings.TrimSpace(plain)]
		if !ok {
			return fmt.Errorf("column %s of %s has the type %q, which cannot be moved", column, table, declared)
		}
		t := found[table]
		if t == nil {
			t = &Table{Name: table}
			found[table] = t
		}
		t.Columns = append(t.Columns, Column{column, kind, required != 0})
		if place > 0 {
			for len(t.Key) < place {
				t.Key = append(t.Key, "")
			}
			t.Key[place-1] = column
		}
		return nil
	}, columnsOf[name])
	if err == nil {
		err = references(ctx, q, name, found)
	}
	if err != nil {
		return nil, err
	}
	all := make([]Table, 0, len(found))
	for _, t := range found {
		all = append(all, *t)
	}
	return sorted(all)
}

func references(ctx context.Context, q engine.Queryer, name string, found map[string]*Table) error {
	last := int64(-1)
	lastTable := ""
	return engine.Each(ctx, q, "read foreign keys", func(rows engine.Row) error {
		var table, column, parent, to string
		var id int64
		if err := rows.Scan(&table, &id, &column, &parent, &to); err != nil {
			return err
		}
		t := found[table]
		if t == nil {
			return nil
		}
		if table != lastTable || id != last {
			t.References = append(t.References, Reference{Table: parent})
			lastTable, last = table, id
		}
		r := &t.References[len(t.References)-1]
		if to == "" && found[parent] != nil && len(found[parent].Key) > len(r.To) {
			to = found[parent].Key[len(r.To)] // SQLite: the parent's primary key is meant
		}
		r.Columns, r.To = append(r.Columns, column), append(r.To, to)
		return nil
	}, referencesOf[name])
}
