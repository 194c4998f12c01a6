package sinks

import (
	"context"
	"errors"
	"sync"
	"time"
)

// idleAfter is how long a connection to a broker stays after the last event.
const idleAfter = time.Minute

// connection to a broker.
type connection interface {
	usable() bool
	close() // does not wait long
}

// line is the one connection of a sink. It is made when it is needed, ends a while after
// that, and is made anew when it broke.
type line struct {
	dial func(context.Context) (connection, error)
	turn chan struct{} // whoever connects has put something in

	mu       sync.Mutex
	now      connection // nil: none
	users    int
	idle     *time.Timer
	closed   bool
	failure  error // of the last time when no connection could be made …
	failedAt time.Time
}

func newLine(dial func(context.Context) (connection, error)) *line {
	return &line{dial: dial, turn: make(chan struct{}, 1)}
}

// refusal is an error for which there is an answer already.
type refusal struct{ Answer }

func (r *refusal) Error() string { return r.Answer.Error }

// without is the answer when there is no connection, or not any more.
func without(err error) Answer {
	if known, ok := errors.AsType[*refusal](err); ok {
		return known.Answer
	}
	return Answer{Error: inWords(err)}
}

var errClosed = errors.New("this sink is closed")

// take returns the connection, which the caller gives back. Those who wait for the same
// attempt to connect share what comes of it.
func (l *line) take(ctx context.Context) (connection, error) {
	asked := time.Now()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c, err := l.ready(asked); c != nil || err != nil {
		return c, err
	}
	c, err := l.dial(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.failure, l.failedAt = err, time.Now()
		return nil, err
	case l.closed:
		go c.close()
		return nil, errClosed
	}
	l.now = c
	l.users++
	return c, nil
}

// ready returns the connection that there is; without one, how an attempt ended that was made
// since somebody asked.
func (l *line) ready(asked time.Time) (connection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed
	case l.now != nil && l.now.usable():
		l.users++
		if l.idle != nil {
			l.idle.Stop()
		}
		return l.now, nil
	case l.now != nil:
		go l.now.close()
		l.now = nil
	}
	if l.failedAt.After(asked) {
		return nil, l.failure
	}
	return nil, nil
}

// give gives a connection back.
func (l *line) give() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users == 0 && !l.closed {
		l.idle = time.AfterFunc(idleAfter, func() { l.end(false) })
	}
}

// Close ends the connection for good.
func (l *line) Close() { l.end(true) }

func (l *line) end(forGood bool) {
	l.mu.Lock()
	l.closed = l.closed || forGood
	last := l.now
	if l.users > 0 && !l.closed {
		last = nil // somebody took it just now
	}
	if last != nil {
		l.now = nil
	}
	l.mu.Unlock()
	if last != nil {
		last.close()
	}
}
