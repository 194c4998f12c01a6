package instances

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Between two starts out of the line lies a time between these, so that WhatsApp does not
// see hundreds of logins in one moment.
const (
	minSpacing = 25 * time.Millisecond
	maxSpacing = 75 * time.Millisecond

	lineUp = 50 * time.Millisecond // for all to be in the line before the first one's turn
)

// line lets numbers start a few at a time: of those that wait, always the one whose last
// message is the latest. It lets nobody through before it is opened.
type line struct {
	mu      sync.Mutex
	free    int       // places
	next    time.Time // of the next start
	waiting []*waiter // latest message first
}

type waiter struct {
	active time.Time // when its last message came or went
	turn   chan struct{}
	start  time.Time // set before turn is closed
}

// open lets so many start at once.
func (l *line) open(places int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free += places
	l.advance()
}

// wait returns when it is the caller's turn; leave has to be called when its start is over.
func (l *line) wait(ctx context.Context, active time.Time) (leave func(), err error) {
	w := &waiter{active: active, turn: make(chan struct{})}
	l.mu.Lock()
	at, _ := slices.BinarySearchFunc(l.waiting, w, func(a, b *waiter) int {
		if c := b.active.Compare(a.active); c != 0 {
			return c
		}
		return -1 // behind those that are alike
	})
	l.waiting = slices.Insert(l.waiting, at, w)
	l.advance()
	l.mu.Unlock()

	leave = func() { l.open(1) }
	select {
	case <-w.turn:
	case <-ctx.Done():
		l.mu.Lock()
		i := slices.Index(l.waiting, w)
		if i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
		}
		l.mu.Unlock()
		if i < 0 { // its turn came in this moment
			leave()
		}
		return nil, ctx.Err()
	}
	select {
	case <-time.After(time.Until(w.start)):
		return leave, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// advance gives the free places to those in front.
func (l *line) advance() {
	for l.free > 0 && len(l.waiting) > 0 {
		first := l.waiting[0]
		l.waiting = slices.Delete(l.waiting, 0, 1)
		l.free--
		first.start = later(l.next, time.Now())
		l.next = first.start.Add(minSpacing + rand.N(maxSpacing-minSpacing))
		close(first.turn)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
