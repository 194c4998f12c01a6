//go:build !race

package whatsapp

import (
	"database/sql"
	"fmt"
	"testing"

	"switchboard/instances"
)

// What cannot be stored because a database may only be read is not acknowledged either: the number says so, and
// once the database can be written everything is there, once.
func TestWhatCannotBeWrittenIsNotLost(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]func(*place) *sql.DB{
		"keys":     func(p *place) *sql.DB { return p.keys },
		"messages": func(p *place) *sql.DB { return p.main },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, owner, friend := newPlace(t), newPhone(t, "Owner"), newPhone(t, "Friend")
			s := p.open(quick)
			scan(t, s, owner)
			if _, err := friend.SendText(within(t), owner.Number(), "before"); err != nil {
				t.Fatal(err)
			}
			p.one("the first message", text("before"))
			db := which(p)
			// What follows is a setting of the connection: there has to be one, and to stay.
			db.SetMaxOpenConns(1)
			db.SetConnMaxIdleTime(0)
			only := func(value string) {
				for alone := false; !alone; {
					c, err := db.Conn(within(t))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := c.ExecContext(within(t), "PRAGMA query_only = "+value); err != nil {
						t.Fatal(err)
					}
					alone = db.Stats().OpenConnections == 1
					if err := c.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			only("true")
			const n = 3
			for i := range n {
				if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("only read ", i)); err != nil {
					t.Fatal(err)
				}
			}
			untilIs(t, s, instances.Connected, instances.StorageReadOnly)
			only("false")
			for i := range n {
				p.one("what could not be written", text(fmt.Sprint("only read ", i)))
			}
			untilIs(t, s, instances.Connected, "")
			if got := count(fromOthers, p.all()); got != n+1 {
				t.Errorf("%d messages are stored, want %d", got, n+1)
			}
		})
	}
}
