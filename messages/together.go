package messages

import (
	"context"
	"database/sql"
	"time"

	"switchboard/engine"
)

// A transaction costs as much as what is done in it. So what nobody waits for gathers, and
// goes with the next transaction that writes; and what is not urgent waits a moment for
// company while messages are being sent. A message to be sent, of which nobody is told yet,
// takes along only what has gathered for a while.

const (
	// gathering is how long a change waits for company.
	gathering = 10 * time.Millisecond
	// ripe is after how long a message to be sent takes it along.
	ripe = 2 * gathering
	// lively is how long after a message was stored to be sent the next one is expected.
	lively = 5 * time.Millisecond
	// writeTime bounds the writing of what nobody waits for, on a server that may be away.
	writeTime = time.Minute
)

// change is something to be written, and the events that tell of it if it changes anything.
// It may be done again in another transaction when the first was undone.
type change struct {
	what   string
	events []Event
	do     func(*sql.Tx) (changed bool, err error)
	over   func(error) // is told once it is written, or cannot be; nil for one that is waited for
}

// batch is what gathered.
type batch struct {
	changes []change
	since   time.Time
	over    chan struct{} // closed when each of them is written, or cannot be
}

// later has a change written with what comes next, or in a moment, and does not wait for it.
func (m *Messages) later(c change) {
	m.gather.Lock()
	defer m.gather.Unlock()
	if m.gathered == nil {
		m.gathered = &batch{over: make(chan struct{}), since: time.Now()}
		if !m.armed { // one timer for many batches: each new one would wake a thread
			m.armed = true
			time.AfterFunc(gathering, m.ring)
		}
	}
	m.gathered.changes = append(m.gathered.changes, c)
}

// ring has written what gathered when it has waited long enough.
func (m *Messages) ring() {
	m.gather.Lock()
	left := time.Duration(0)
	if m.gathered != nil {
		left = gathering - time.Since(m.gathered.since)
	}
	m.armed = left > 0
	if m.armed {
		time.AfterFunc(left, m.ring)
	}
	m.gather.Unlock()
	if left <= 0 {
		m.flush()
	}
}

// soon is write for what is not urgent: while messages are being sent, it waits for company.
func (m *Messages) soon(ctx context.Context, what string, events []Event, f func(*sql.Tx) (bool, error)) error {
	if time.Since(time.Unix(0, m.queuedAt.Load())) > lively {
		return m.write(ctx, what, events, f)
	}
	written := make(chan error, 1)
	m.later(change{what, events, f, func(err error) { written <- err }})
	return <-written
}

// take returns what gathered, for the caller to write; nil if nothing did for that long.
func (m *Messages) take(age time.Duration) *batch {
	m.gather.Lock()
	defer m.gather.Unlock()
	b := m.gathered
	if b == nil || age > 0 && time.Since(b.since) < age {
		return nil
	}
	m.gathered = nil
	m.underway[b] = struct{}{}
	return b
}

// end tells everybody who asks what became of a batch.
func (m *Messages) end(b *batch, outcome func(change) error) {
	for _, c := range b.changes {
		c.over(outcome(c))
	}
	m.gather.Lock()
	delete(m.underway, b)
	m.gather.Unlock()
	close(b.over)
}

// flush writes what gathered.
func (m *Messages) flush() {
	defer m.lock()()
	if b := m.take(0); b != nil {
		m.settle(b)
	}
}

// settle writes a batch, and each of its changes by itself if one spoils it for all.
func (m *Messages) settle(b *batch) {
	if len(b.changes) > 1 && m.unasked("write what gathered", b.changes) == nil {
		m.end(b, func(change) error { return nil })
		return
	}
	m.end(b, func(c change) error { return m.unasked(c.what, []change{c}) })
}

// unasked is commit for what nobody waits for.
func (m *Messages) unasked(what string, all []change) error {
	ctx := context.Background()
	if m.engine != engine.SQLite {
		limited, cancel := context.WithTimeout(ctx, writeTime)
		defer cancel()
		ctx = limited
	}
	return m.commit(ctx, what, all)
}

// Settle returns when everything is written that was to be written when it was called, or
// when ctx ends.
func (m *Messages) Settle(ctx context.Context) {
	m.gather.Lock()
	var waiting []*batch
	for b := range m.underway {
		waiting = append(waiting, b)
	}
	if m.gathered != nil {
		waiting = append(waiting, m.gathered)
		go m.flush()
	}
	m.gather.Unlock()
	for _, b := range waiting {
		select {
		case <-b.over:
		case <-ctx.Done():
			return
		}
	}
}
