//go:build !race

package whatsapp

import (
	"fmt"
	"testing"
	"time"

	"switchboard/instances"
)

// The phone hands its history over once. What could not be stored when it came is stored when
// that works again, also by another process.
func TestHistoryIsNotLost(t *testing.T) {
	t.Parallel()
	p, owner, friend := newPlace(t), newPhone(t, "Owner"), newPhone(t, "Friend")
	for i := range 3 {
		if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("long ago ", i)); err != nil {
			t.Fatal(err)
		}
		arrives(t, owner, 0, fmt.Sprint("long ago ", i))
	}
	if _, err := p.main.Exec(`CREATE TRIGGER "broken" BEFORE INSERT ON "messages" BEGIN SELECT RAISE(ABORT, 'broken'); END`); err != nil {
		t.Fatal(err)
	}
	s := p.open(quick)
	scan(t, s, owner)
	for ctx, names := within(t), 0; names == 0; { // the first part holds names alone
		if err := p.main.QueryRowContext(ctx, `SELECT count(*) FROM "history"`).Scan(&names); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // the database has no signal to wait for
	}
	s.Close()
	if _, err := p.main.Exec(`DROP TRIGGER "broken"`); err != nil {
		t.Fatal(err)
	}
	s = p.open(quick)
	untilIs(t, s, instances.Connected, "")
	for i := range 3 {
		p.one("history", text(fmt.Sprint("long ago ", i)))
	}
	var left int
	for ctx := within(t); ; {
		if err := p.main.QueryRowContext(ctx, `SELECT count(*) FROM "history_parts"`).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
