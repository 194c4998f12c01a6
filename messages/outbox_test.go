package messages_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"switchboard/messages"
)

// box is an outbox in a table of its own, as the real one is.
type box struct {
	db    *sql.DB
	woken int
	err   error
}

func (b *box) Put(ctx context.Context, tx *sql.Tx, events []messages.Event) error {
	for _, e := range events {
		if _, err := tx.ExecContext(ctx, `INSERT INTO "box" ("id", "name") VALUES ($1, $2)`, e.ID, e.Name); err != nil {
			return err
		}
	}
	return b.err
}

func (b *box) Wake() { b.woken++ }

func boxed(t *testing.T, open opener) (*messages.Messages, *box, func() []string) {
	t.Helper()
	_, db := open(t)
	if _, err := db.Exec(`CREATE TABLE "box" ("id" TEXT PRIMARY KEY, "name" TEXT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	b := &box{db: db}
	return messages.New(db, messages.WithOutbox(b)), b, func() (all []string) {
		rows, err := db.Query(`SELECT "name" FROM "box" ORDER BY "id"`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			all = append(all, name)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

func event(t *testing.T, name string) messages.Event {
	t.Helper()
	e, err := messages.NewEvent(name, ann, "", time.Now(), map[string]string{"chat_id": ann})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A message that WhatsApp delivers again makes no second event, and a message that could not
// be read makes its event when it comes at last.
func testAnEventGoesWithWhatIsNew(t *testing.T, open opener) {
	t.Parallel()
	m, b, events := boxed(t, open)
	hole := incoming("B", "")
	hole.Kind = messages.Undecryptable
	save(t, m, outgoing("C", "hello"), hole)
	for _, round := range []string{"first", "again"} {
		err := errors.Join(
			m.Save(t.Context(), incoming("A", "hello"), event(t, round+" A")),
			m.Save(t.Context(), incoming("B", "readable"), event(t, round+" B")),
			m.Receive(t.Context(), receipt("C", messages.Read), event(t, round+" read")),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	must(t, acknowledged(t, m, ann, "C", time.Time{}, event(t, "sent"))) // although it is read already
	if got, want := events(), []string{"first A", "first B", "first read", "sent"}; !slices.Equal(got, want) || b.woken != len(want) {
		t.Fatalf("got %q, woken %d times; want %q", got, b.woken, want)
	}
	if err := m.Emit(t.Context(), event(t, "one"), event(t, "two")); err != nil || len(events()) != 6 || b.woken != 5 {
		t.Fatalf("got %q, woken %d times, %v", events(), b.woken, err)
	}
}

// Without its event a message is not stored, so that WhatsApp delivers it again.
func testNoMessageWithoutItsEvent(t *testing.T, open opener) {
	t.Parallel()
	m, b, events := boxed(t, open)
	b.err = errors.New("no room")
	if err := m.Save(t.Context(), incoming("A", "hello"), event(t, "A")); !errors.Is(err, b.err) {
		t.Fatalf("got %v", err)
	}
	if len(latest(t, m)) != 0 || len(events()) != 0 || b.woken != 0 {
		t.Fatal("half of it was stored")
	}
	b.err = nil
	if err := m.Save(t.Context(), incoming("A", "hello"), event(t, "A")); err != nil || len(events()) != 1 || b.woken != 1 {
		t.Fatalf("got %q, %v", events(), err)
	}
}
