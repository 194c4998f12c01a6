package audit_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/store"
)

// world is an audit log over a real control database.
type world struct {
	*audit.Log
	t      *testing.T
	store  *store.Store
	db     *sql.DB
	anchor string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), "file:"+filepath.Join(t.TempDir(), "panel.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &world{t: t, store: s, anchor: filepath.Join(t.TempDir(), "head")}
	w.db, _ = s.Database()
	w.Log = w.again("key")
	return w
}

// again is the log as another process has it.
func (w *world) again(key string) *audit.Log {
	return audit.New(w.store, []byte(key), w.anchor, slog.New(slog.DiscardHandler))
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) whole(want int) {
	w.t.Helper()
	if n, err := w.Verify(w.t.Context()); err != nil || n != want {
		w.t.Errorf("%d entries, %v; want %d", n, err, want)
	}
}

func (w *world) broken(what string) {
	w.t.Helper()
	if _, err := w.Verify(w.t.Context()); fault.KindOf(err) != fault.Conflict {
		w.t.Errorf("%s: %v", what, err)
	}
}

func TestTamperingShows(t *testing.T) {
	t.Parallel()
	for what, tamper := range map[string]string{
		"a changed result":   `UPDATE "audit" SET "result" = 'ok' WHERE "seq" = 3`,
		"a changed name":     `UPDATE "audit" SET "who" = 'eve' WHERE "seq" = 5`,
		"a changed time":     `UPDATE "audit" SET "at" = "at" - 1 WHERE "seq" = 1`,
		"a missing entry":    `DELETE FROM "audit" WHERE "seq" = 4`,
		"a missing begin":    `DELETE FROM "audit" WHERE "seq" < 3`,
		"a missing end":      `DELETE FROM "audit" WHERE "seq" = 5`,
		"nothing left":       `DELETE FROM "audit"`,
		"two in turn":        `UPDATE "audit" SET "seq" = CASE "seq" WHEN 2 THEN -3 ELSE -2 END WHERE "seq" IN (2, 3); UPDATE "audit" SET "seq" = -"seq" WHERE "seq" < 0`,
		"one more, unsigned": `INSERT INTO "audit" SELECT 6, "at", "user_id", "who", "via", "address", "action", "instance", "target", "result", "detail", "hash" FROM "audit" WHERE "seq" = 5`,
	} {
		w := newWorld(t)
		for range 5 {
			w.Add(t.Context(), audit.Entry{Who: "ada@example.org", Via: "panel", Action: "instances.stop", Result: audit.Refused})
		}
		w.whole(5)
		w.exec(tamper)
		w.broken(what)
	}
}

// Whoever cuts the end off and lets the log go on is told of for ever.
func TestCutEndIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	}
	w.exec(`DELETE FROM "audit" WHERE "seq" > 3`)
	w.again("key").Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	w.broken("a cut end")
	all, err := w.Entries(t.Context(), audit.Query{Text: "truncated"})
	if err != nil || len(all) != 1 || all[0].Target != "4 to 5" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestRetentionIsNoTampering(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	}
	old, err := w.store.LastEntry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Add(t.Context(), audit.Entry{Action: "new", Result: audit.OK})
	for range 2 { // the second finds the entry of the first, and keeps it
		if err := w.Prune(t.Context(), old.At.Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Verify(t.Context()); err != nil || n < 1 || n > 3 {
			t.Fatalf("%d entries, %v", n, err)
		}
	}
	w.exec(`DELETE FROM "audit" WHERE "seq" = (SELECT MIN("seq") FROM "audit")`)
	w.broken("one entry more is missing at the beginning")
}

func TestANewKeyIsToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	next := w.again("another key")
	if err := next.Rekeyed(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	_, err := next.Verify(t.Context())
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "Entries up to 1 ") {
		t.Errorf("%v", err)
	}
	w.exec(`UPDATE "audit" SET "who" = 'eve' WHERE "seq" = 3`)
	if _, err := next.Verify(t.Context()); !strings.Contains(fault.MessageOf(err), "tampered") {
		t.Errorf("after a change: %v", err)
	}
}

// Several processes write into one log, and no entry is lost.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	for range 4 {
		l := w.again("key")
		all.Go(func() {
			for range 10 {
				l.Add(context.Background(), audit.Entry{Action: "x", Result: audit.OK})
			}
		})
	}
	all.Wait()
	if n, err := w.Verify(t.Context()); n != 40 || err != nil && !strings.Contains(err.Error(), "noted") {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestValuesStayOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Add(t.Context(), audit.Entry{
		Who: "eve\r\n2026 root ok", Action: "=cmd|' /C calc'!A0", Target: "\u202egnp.exe\x1b[2J", Detail: "+1", Address: "@x", Result: audit.OK,
	})
	w.whole(1)
	all, err := w.Entries(t.Context(), audit.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var table, lines bytes.Buffer
	if err := audit.WriteCSV(&table, all); err != nil {
		t.Fatal(err)
	}
	if err := audit.WriteJSONL(&lines, all); err != nil || strings.Count(lines.String(), "\n") != 1 {
		t.Errorf("%q, %v", lines.String(), err)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for _, value := range rows[1] {
		if strings.ContainsAny(value, "\r\n\t\x1b\u202e") || value != "" && strings.ContainsRune("=+-@", rune(value[0])) {
			t.Errorf("%q can do something", value)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Add(t.Context(), audit.Entry{Who: "ada@example.org", Action: "instances.start", Instance: "front_desk", Result: audit.OK})
	w.Add(t.Context(), audit.Entry{Who: "bob@example.org", Action: "instances.stop", Instance: "back_office", Result: audit.OK})
	for _, c := range []struct {
		audit.Query
		want int
	}{
		{audit.Query{}, 2}, {audit.Query{Text: "ADA@"}, 1}, {audit.Query{Text: "instances.st%"}, 0}, {audit.Query{Text: "instances_st"}, 0},
		{audit.Query{Instance: "front_desk"}, 1}, {audit.Query{Limit: 1}, 1}, {audit.Query{Before: 2}, 1}, {audit.Query{Text: `\`}, 0},
		{audit.Query{From: time.Now().Add(time.Hour)}, 0}, {audit.Query{To: time.Now().Add(time.Hour)}, 2},
		{audit.Query{Text: "Stopped", Actions: []string{"instances.stop", "x"}}, 1}, {audit.Query{Text: "Desk", Instances: []string{"front_desk"}}, 1},
		{audit.Query{Text: "Desk", Instances: []string{"front_desk", "back_office"}, Instance: "back_office", Before: 2}, 0},
	} {
		got, err := w.Entries(t.Context(), c.Query)
		if err != nil || len(got) != c.want {
			t.Errorf("%+v: %d, %v; want %d", c.Query, len(got), err, c.want)
		}
	}
}

func TestADamagedNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	if err := os.WriteFile(w.anchor, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.broken("a damaged note")
}
