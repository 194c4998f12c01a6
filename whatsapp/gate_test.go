//go:build !race

package whatsapp

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

// gatekeeper holds up what is written to a database, once it is told to.
type gatekeeper struct {
	mu    sync.Mutex
	holds bool
	held  chan struct{}
	let   chan error
}

// fence is to be the store's: what it returns becomes of the transaction.
func (g *gatekeeper) fence(context.Context, *sql.Tx) error {
	g.mu.Lock()
	holds := g.holds
	g.holds = false
	g.mu.Unlock()
	if !holds {
		return nil
	}
	close(g.held)
	return <-g.let
}

func (g *gatekeeper) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds, g.held, g.let = true, make(chan struct{}), make(chan error)
}

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
	p, g := newPlace(t), &gatekeeper{}
	p.messages = messages.New(p.main, messages.WithFence(g.fence))
	owner, friend := newPhone(t, "Owner"), newPhone(t, "Friend")
	s := p.open(quick)
	scan(t, s, owner)
	first := sendText(t, s, friend.Number(), "first")
	arrives(t, friend, 0, "first")
	arrives(t, owner, 0, "first")
	p.one("its receipt", func(m messages.Message) bool { return m.ID == first.ID && m.Status == messages.Delivered })
	said := func(who *phone.Phone, text string) bool {
		t.Helper()
		all, err := who.Changes(within(t), 0)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(all, func(e phone.Entry) bool { return e.Text == text })
	}
	noRoom := errors.New("not now")
	for text, why := range map[string]error{"refused": noRoom, "taken": nil} {
		before := p.sessions()
		g.hold()
		outcome := make(chan error, 1)
		go func() {
			_, err := s.SendText(within(t), friend.Number(), text)
			outcome <- err
		}()
		<-g.held
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
		g.let <- why
		if err := <-outcome; !errors.Is(err, why) {
			t.Fatalf("%q: got %v", text, err)
		}
		sendText(t, s, friend.Number(), "after it was "+text)
		for _, who := range []*phone.Phone{friend, owner} {
			arrives(t, who, 0, "after it was "+text)
			if said(who, text) != (why == nil) {
				t.Errorf("%s has %q: %v", who.Name(), text, why != nil)
			}
		}
		if stored := slices.ContainsFunc(p.all(), func(m messages.Message) bool { return m.Text == text }); stored != (why == nil) {
			t.Errorf("%q is stored: %v", text, stored)
		}
	}
	if n := friend.Undecryptable() + owner.Undecryptable(); n != 0 {
		t.Errorf("%d messages could not be read", n)
	}
}

// A message that is never stored does not keep everything else from going out.
func TestTheGateOpensInTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	g := newGate(ctx)
	asked := make(chan error, 1)
	go func() { asked <- g.Err() }()
	g.open(nil)
	if err := <-asked; err != nil || g.Err() != nil || g.stored() != nil {
		t.Fatalf("got %v", err)
	}
	cancel()
	if !errors.Is(g.Err(), context.Canceled) || g.stored() != nil {
		t.Fatal("it does not end with its context")
	}
	g = newGate(t.Context())
	failed := errors.New("failed")
	g.open(failed)
	if !errors.Is(g.Err(), failed) || !errors.Is(g.stored(), failed) {
		t.Fatal("it does not tell why")
	}
}
