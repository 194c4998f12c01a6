package messages_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"switchboard/messages"
)

// picky is an outbox that takes no event of one name, and tells of those that are committed.
type picky struct {
	refuses string
	woken   chan struct{}

	mu  sync.Mutex
	got [][]string // the events of each transaction
}

var errRefused = errors.New("refused")

func (p *picky) Put(_ context.Context, _ *sql.Tx, events []messages.Event) error {
	var names []string
	for _, e := range events {
		if e.Name == p.refuses {
			return errRefused
		}
		names = append(names, e.Name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, names)
	return nil
}

func (p *picky) Wake() { p.woken <- struct{}{} }

func withPicky(t *testing.T, open opener, refuses string) (*messages.Messages, *picky) {
	t.Helper()
	_, db := open(t)
	p := &picky{refuses: refuses, woken: make(chan struct{}, 10)}
	return messages.New(db, messages.WithOutbox(p)), p
}

func status(t *testing.T, m *messages.Messages, id string) messages.Delivery {
	t.Helper()
	p, err := m.Progress(t.Context(), ann, id)
	if err != nil {
		t.Fatal(err)
	}
	return p.Status
}

// That WhatsApp took a message goes with the next change, in the order of the calls, and
// whoever reads sees it at once.
func testWhatGathersIsWrittenTogether(t *testing.T, open opener) {
	t.Parallel()
	m, p := withPicky(t, open, "")
	// Until the one comes after the other before the first is written by itself.
	for n := range 1000 {
		id := string(rune('A' + n))
		save(t, m, outgoing(id, "hello"))
		m.Acknowledged(ann, id, time.Time{}, func(error) {}, event(t, "sent "+id))
		must(t, m.Save(t.Context(), incoming("answer to "+id, "hello"), event(t, "message")))
		if got := status(t, m, id); got != messages.SentOut {
			t.Fatalf("WhatsApp took it, and it is %q", got)
		}
		p.mu.Lock()
		together := slices.ContainsFunc(p.got, func(names []string) bool {
			return slices.Equal(names, []string{"sent " + id, "message"})
		})
		p.mu.Unlock()
		for len(p.woken) > 0 {
			<-p.woken
		}
		if together {
			return
		}
	}
	t.Fatal("never were two changes written together")
}

// Receipts gather with it, and none of them waits for another.
func testReceiptsGather(t *testing.T, open opener) {
	t.Parallel()
	m, p := withPicky(t, open, "")
	save(t, m, outgoing("A", "hello"))
	save(t, m, outgoing("B", "hello"))
	over := make(chan error, 4)
	tell := func(err error) { over <- err }
	receive := func(id string) {
		m.ReceiveLater(messages.Receipt{Chat: ann, Person: ann, IDs: []string{id}, Step: messages.GotIt, At: time.Now(), Whole: true}, tell, event(t, "delivered "+id))
	}
	m.Acknowledged(ann, "A", time.Time{}, tell, event(t, "sent A"))
	receive("A")
	m.Acknowledged(ann, "B", time.Time{}, tell, event(t, "sent B"))
	receive("B")
	for range 4 {
		must(t, <-over)
	}
	if a, b := status(t, m, "A"), status(t, m, "B"); a != messages.Delivered || b != messages.Delivered {
		t.Errorf("got %q and %q", a, b)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := slices.Concat(p.got...); !slices.Equal(got, []string{"sent A", "delivered A", "sent B", "delivered B"}) {
		t.Errorf("told %q", got)
	}
	m.ReceiveLater(messages.Receipt{Chat: ann, Person: ann, IDs: []string{"A"}, Step: "eaten"}, tell)
	if <-over == nil {
		t.Error("an unknown step is no error")
	}
}

// When nothing else comes, it is written all the same.
func testWhatGathersDoesNotWaitForOthers(t *testing.T, open opener) {
	t.Parallel()
	m, p := withPicky(t, open, "")
	save(t, m, outgoing("A", "hello"))
	m.Acknowledged(ann, "A", time.Time{}, func(error) {}, event(t, "sent"))
	<-p.woken
	// A receipt comes while messages are being sent.
	save(t, m, outgoing("B", "hello"))
	must(t, m.Receive(t.Context(), messages.Receipt{Chat: ann, Person: ann, IDs: []string{"A"}, Step: messages.GotIt, At: time.Now(), Whole: true}, event(t, "delivered")))
	if got := status(t, m, "A"); got != messages.Delivered || len(p.woken) != 1 {
		t.Fatalf("it is %q, and %d were told", got, len(p.woken))
	}
}

// A change that cannot be written keeps none from being written that gathered with it.
func testOneChangeSpoilsNoOther(t *testing.T, open opener) {
	t.Parallel()
	m, p := withPicky(t, open, "bad")
	save(t, m, outgoing("A", "hello"))
	save(t, m, outgoing("B", "hello"))
	failed := make(chan error, 2)
	over := func(err error) {
		if err != nil {
			failed <- err
		}
	}
	m.Acknowledged(ann, "A", time.Time{}, over, event(t, "sent"))
	if err := m.Save(t.Context(), incoming("C", "hello"), event(t, "bad")); !errors.Is(err, errRefused) {
		t.Fatalf("got %v", err)
	}
	<-p.woken
	m.Acknowledged(ann, "B", time.Time{}, over, event(t, "bad"))
	must(t, m.Save(t.Context(), incoming("D", "hello"), event(t, "message")))
	if err := <-failed; !errors.Is(err, errRefused) {
		t.Fatalf("got %v", err)
	}
	if a, b := status(t, m, "A"), status(t, m, "B"); a != messages.SentOut || b != messages.Queued || len(failed) != 0 {
		t.Fatalf("got %q and %q", a, b)
	}
	if all := latest(t, m); len(all) != 3 || all[0].ID == "C" {
		t.Fatalf("got %q", texts(all))
	}
}
