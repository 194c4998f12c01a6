package tables_test

import (
	"bytes"
	"context"
	"database/sql"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/tables"
)

func database(t *testing.T, statements ...string) *sql.DB {
	t.Helper()
	file := engine.At(filepath.Join(t.TempDir(), "db"))
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

var all = tables.Except()

func TestSchema(t *testing.T) {
	t.Parallel()
	db := database(t,
		`CREATE TABLE "a_child" ("id" uuid, "p2" INTEGER, "p1" VARCHAR(20), "yes" BOOLEAN NOT NULL DEFAULT false, PRIMARY KEY ("id"), FOREIGN KEY ("p1", "p2") REFERENCES "parent")`,
		`CREATE TABLE "parent" ("y" BIGINT, "x" TEXT, "data" bytea, "next" TEXT REFERENCES "parent" ("x"), PRIMARY KEY ("x", "y"))`,
		`CREATE TABLE "left_out" ("t" TIMESTAMP)`,
		`CREATE VIRTUAL TABLE "words" USING fts4("text")`)
	got, err := tables.Schema(t.Context(), db, engine.SQLite, tables.Except("left_out"))
	if err != nil {
		t.Fatal(err)
	}
	want := []tables.Table{
		{
			Name: "parent", Key: []string{"x", "y"},
			Columns:    []tables.Column{{"y", tables.Integer, false}, {"x", tables.Text, false}, {"data", tables.Bytes, false}, {"next", tables.Text, false}},
			References: []tables.Reference{{[]string{"next"}, "parent", []string{"x"}}},
		},
		{
			Name: "a_child", Key: []string{"id"},
			Columns:    []tables.Column{{"id", tables.UUID, false}, {"p2", tables.Integer, false}, {"p1", tables.Text, false}, {"yes", tables.Boolean, true}},
			References: []tables.Reference{{[]string{"p1", "p2"}, "parent", []string{"x", "y"}}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if _, err := tables.Schema(t.Context(), db, engine.SQLite, all); err == nil || !strings.Contains(err.Error(), "TIMESTAMP") {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestEncodeAndDecode(t *testing.T) {
	t.Parallel()
	table := tables.Table{Name: "x", Columns: []tables.Column{{Kind: tables.Text}, {Kind: tables.Bytes}, {Kind: tables.Integer}, {Kind: tables.Boolean}, {Kind: tables.UUID}}}
	for _, row := range [][]any{
		{nil, nil, nil, nil, nil},
		{"", []byte{}, int64(0), false, ""},
		{"\x00 \" \\ \u2028 <&> 👩‍🚀 \ufffd", []byte("\x00\xff\n"), int64(-1 << 63), true, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{"no UTF-8: \xff\xfe\x00", []byte{0}, int64(1<<63 - 1), true, "x"},
		{"[]", []byte("[]"), int64(1<<53 + 1), true, "null"},
	} {
		line := tables.Encode(table, row)
		if bytes.Contains(line, []byte("\n")) {
			t.Errorf("%q has more than one line", line)
		}
		if got, err := tables.Decode(table, line); err != nil || !reflect.DeepEqual(got, row) {
			t.Errorf("%q became %q: %v", row, got, err)
		}
	}
	for _, line := range []string{``, `{}`, `[]`, `["a",null,1,true]`, `["a","b64!",1,true,""]`, `["a",null,1.5,true,""]`, `[1,null,1,true,""]`, `["a",null,1,1,""]`, `["a",null,1,true,"",null]`} {
		if got, err := tables.Decode(table, []byte(line)); err == nil {
			t.Errorf("%s became %q", line, got)
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	sum := func(lines ...string) tables.Sum {
		var s tables.Sum
		for _, line := range lines {
			s.Add([]byte(line))
		}
		return s
	}
	if sum("a", "b", "c") != sum("c", "a", "b") {
		t.Error("the order matters")
	}
	for _, other := range []tables.Sum{sum("a", "b"), sum("a", "b", "b"), sum("a", "b", "c", "c"), sum("ab", "c", ""), sum()} {
		if other == sum("a", "b", "c") {
			t.Errorf("equal to %+v", other)
		}
	}
}

// A copy is there completely or not at all, and in a table that does not fit, not at all.
func TestCopy(t *testing.T) {
	t.Parallel()
	const schema = `CREATE TABLE "t" ("k" TEXT PRIMARY KEY, "v" BYTEA)`
	from := database(t, schema, `INSERT INTO "t" VALUES ('a', x'00'), ('b', 'a text among bytes'), ('c', NULL)`)
	count := func(db *sql.DB) (n int) {
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM "t"`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	into := func(db *sql.DB, clear bool) error {
		s, err := tables.Begin(t.Context(), from, engine.SQLite, all)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sums, err := tables.Copy(t.Context(), s, db, engine.SQLite, clear)
		if err == nil {
			err = tables.Compare(t.Context(), db, engine.SQLite, s.Tables(), sums)
		}
		return err
	}
	to := database(t, schema)
	if err := into(to, false); err != nil || count(to) != 3 {
		t.Errorf("%v, %d rows", err, count(to))
	}
	if err := into(to, false); err == nil {
		t.Error("it went over what was there")
	}
	if err := into(to, true); err != nil || count(to) != 3 {
		t.Errorf("cleared: %v, %d rows", err, count(to))
	}
	last := database(t, `CREATE TABLE "t" ("k" TEXT PRIMARY KEY CHECK ("k" <> 'c'), "v" BYTEA)`)
	if err := into(last, false); err == nil || count(last) != 0 {
		t.Errorf("a row that is refused: %v, %d rows", err, count(last))
	}
	for _, other := range []string{`CREATE TABLE "t" ("k" TEXT)`, `CREATE TABLE "t" ("k" TEXT, "v" TEXT)`, `CREATE TABLE "u" ("k" TEXT, "v" BYTEA)`} {
		if err := into(database(t, other), false); err == nil || !strings.Contains(err.Error(), "has no place") {
			t.Errorf("%s: %v", other, err)
		}
	}
	// A row that changes behind the copy is found.
	s, err := tables.Begin(t.Context(), from, engine.SQLite, all)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sums, err := tables.Summed(t.Context(), s, engine.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.ExecContext(t.Context(), `UPDATE "t" SET "v" = x'01' WHERE "k" = 'a'`); err != nil {
		t.Fatal(err)
	}
	if err := tables.Compare(t.Context(), to, engine.SQLite, s.Tables(), sums); err == nil {
		t.Error("a difference was not found")
	}
}

// A snapshot stays as it was, and gives its connection back in order.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	db := database(t, `CREATE TABLE "t" ("k" BIGINT)`, `INSERT INTO "t" VALUES (1), (2)`)
	s, err := tables.Begin(t.Context(), db, engine.SQLite, all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO "t" VALUES (3)`); err != nil {
		t.Fatal(err)
	}
	if sums, err := tables.Summed(t.Context(), s, engine.SQLite); err != nil || sums["t"].Rows != 2 {
		t.Errorf("%d rows, %v", sums["t"].Rows, err)
	}
	s.Only = func(tables.Table) (string, any) { return "k", 2 }
	if sums, err := tables.Summed(t.Context(), s, engine.SQLite); err != nil || sums["t"].Rows != 1 {
		t.Errorf("%d rows with one value, %v", sums["t"].Rows, err)
	}
	s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tables.Begin(ctx, db, engine.SQLite, all); err == nil {
		t.Error("began after the end")
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `INSERT INTO "t" VALUES (4)`); err != nil {
		t.Errorf("the connection came back in a transaction: %v", err)
	}
}
