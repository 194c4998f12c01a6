package messages_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/messages"
)

// A message is found by its id alone, without reading all that there are.
func testByIDAlone(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	for n := range 300 {
		msg := incoming(fmt.Sprint("ID", n), "text")
		msg.Chat = fmt.Sprintf("4917%08d@s.whatsapp.net", n%50)
		msg.FromMe = n%2 == 0
		save(t, m, msg)
	}
	if got, err := m.FindAnywhere(t.Context(), "ID7"); err != nil || got.ID != "ID7" || got.Chat != "491700000007@s.whatsapp.net" {
		t.Errorf("found is %+v, %v", got, err)
	}
	if chat, err := m.SentTo(t.Context(), "ID8"); err != nil || chat != "491700000008@s.whatsapp.net" {
		t.Errorf("sent to %s, %v", chat, err)
	}
	if _, err := m.SentTo(t.Context(), "ID7"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("sent by somebody else: %v", err)
	}
	if _, err := db.ExecContext(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	for _, query := range messages.ByID {
		if plan := planOf(t, db, query, "ID7"); !strings.Contains(plan, "messages_id") {
			t.Errorf("%s\nis done so:\n%s", query, plan)
		}
	}
}

// Whether something came before its message is looked up for each message, so it must not take
// longer the more there are in its chat.
func testEarlyChangesAreFoundAtOnce(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	for n := range 300 {
		save(t, m, incoming(fmt.Sprint("ID", n), "text"))
	}
	if engine.Behind(db) == engine.Postgres {
		if _, err := db.ExecContext(t.Context(), `ANALYZE`); err != nil {
			t.Fatal(err)
		}
	}
	if plan := planOf(t, db, messages.EarlyChanges, ann, "ID7"); !strings.Contains(plan, "messages_early") {
		t.Errorf("they are found so:\n%s", plan)
	}
}

// planOf is how a database means to answer a query.
func planOf(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if _, err := db.ExecContext(t.Context(), `SELECT sqlite_version()`); err != nil {
		explain = "EXPLAIN "
	}
	rows, err := db.QueryContext(t.Context(), explain+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		var step any
		cells[len(cells)-1] = &step // what is left for people to read
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
