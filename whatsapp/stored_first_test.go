//go:build !race

package whatsapp

import (
	"slices"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

// sessions returns all Signal sessions of a number.
func (p *place) sessions() string {
	p.t.Helper()
	var all string
	if err := p.keys.QueryRow(`SELECT group_concat("their_id" || ' ' || hex("session")) FROM "whatsmeow_sessions"`).Scan(&all); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// A message is encrypted while it is being stored, and goes out only when it is stored. If
// it cannot be, nothing of it goes out, and the next one can be read.
func TestNothingGoesOutThatIsNotStored(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	if _, err := p.main.ExecContext(t.Context(), `CREATE TRIGGER "refuse" BEFORE INSERT ON "messages" WHEN new."text" = 'refused'
		BEGIN SELECT RAISE(ABORT, 'not now'); END`); err != nil {
		t.Fatal(err)
	}
	sendText(t, s, friend.Number(), "first")
	arrives(t, friend, 0, "first")
	arrives(t, owner, 0, "first")
	said := func(who *phone.Phone, text string) bool {
		t.Helper()
		all, err := who.Changes(within(t), 0)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(all, func(e phone.Entry) bool { return e.Text == text })
	}
	for text, taken := range map[string]bool{"refused": false, "taken": true} {
		before := p.sessions()
		// Whoever writes to the store now waits.
		tx, err := p.main.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		outcome := make(chan error, 1)
		go func() {
			_, err := s.SendText(within(t), friend.Number(), text)
			outcome <- err
		}()
		for ctx := within(t); p.sessions() == before; { // until it is encrypted
			select {
			case <-time.After(5 * time.Millisecond): // the database has no signal to wait for
			case <-ctx.Done():
				t.Fatal("it was not encrypted before it was stored")
			}
		}
		if said(friend, text) {
			t.Errorf("%q went out before it was stored", text)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := <-outcome; (err == nil) != taken {
			t.Fatalf("%q: got %v", text, err)
		}
		sendText(t, s, friend.Number(), "after it was "+text)
		for _, who := range []*phone.Phone{friend, owner} {
			arrives(t, who, 0, "after it was "+text)
			if said(who, text) != taken {
				t.Errorf("%s has %q: %v", who.Name(), text, !taken)
			}
		}
		if stored := slices.ContainsFunc(p.all(), func(m messages.Message) bool { return m.Text == text }); stored != taken {
			t.Errorf("%q is stored: %v", text, stored)
		}
	}
	if n := friend.Undecryptable() + owner.Undecryptable(); n != 0 {
		t.Errorf("%d messages could not be read", n)
	}
}

// Messages that wait for their turn are stored together, before any of them goes out. One that
// cannot be stored keeps none of the others back.
func TestMessagesThatWaitAreStoredTogether(t *testing.T) {
	t.Parallel()
	p, s, _ := paired(t, quick)
	friend := newPhone(t, "Friend")
	sendText(t, s, friend.Number(), "first")
	arrives(t, friend, 0, "first")
	if _, err := p.main.ExecContext(t.Context(), `CREATE TRIGGER "refuse" BEFORE INSERT ON "messages" WHEN new."text" = 'refused'
		BEGIN SELECT RAISE(ABORT, 'not now'); END`); err != nil {
		t.Fatal(err)
	}
	before := p.sessions()
	tx, err := p.main.BeginTx(t.Context(), nil) // whoever writes to the store now waits
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		text string
		err  error
	}
	outcomes := make(chan outcome, 10)
	all := []string{"one", "two", "refused", "three", "four"}
	for _, text := range all {
		go func() {
			_, err := s.SendText(within(t), friend.Number(), text)
			outcomes <- outcome{text, err}
		}()
	}
	eventually(t, "the first to be encrypted", func() bool { return p.sessions() != before })
	eventually(t, "all to be on their way", func() bool { return s.sending.Load() == int64(len(all)) })
	known, err := friend.Changes(within(t), 0)
	if err != nil || slices.ContainsFunc(known, func(e phone.Entry) bool { return slices.Contains(all, e.Text) }) {
		t.Errorf("something went out before it was stored, or %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range all {
		if o := <-outcomes; (o.err == nil) != (o.text != "refused") {
			t.Errorf("%s: %v", o.text, o.err)
		}
	}
	for _, text := range all {
		if text != "refused" {
			arrives(t, friend, 0, text)
		}
		stored := slices.ContainsFunc(p.all(), func(m messages.Message) bool { return m.Text == text && m.Status != messages.Queued })
		if stored == (text == "refused") {
			t.Errorf("%s is stored: %v", text, stored)
		}
	}
	if n := friend.Undecryptable(); n != 0 {
		t.Errorf("%d messages could not be read", n)
	}
}
