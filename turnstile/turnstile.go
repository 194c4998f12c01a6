// Package turnstile lets only so many in at the same time, counted over all processes of a
// host that share a file.
//
// Numbers are processes that know nothing of each other, and a database server has
// connections for all of them together and not more. Each connection takes one of the
// file's places, which is a record lock on one of its bytes: the kernel gives it back when the
// process ends, however it ends. Whoever finds no place queues at the gate, which is one more
// lock, so that one process at a time looks for a place, and everybody can see that somebody waits.
package turnstile

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// gate is the place of the one who looks for a place.
const gate = 1 << 30

// How often whoever waits looks again: at the gate for a place, before it for the gate.
const (
	atGate     = 3 * time.Millisecond
	beforeGate = 20 * time.Millisecond
)

// How long somebody waits at most. Whoever is in already and wants in once more may be what
// others wait for: then one more is better than all standing still.
const (
	longest     = time.Minute
	longestHeld = 10 * time.Second
)

// Turnstile has places. It is safe for concurrent use.
type Turnstile struct {
	file   *os.File // kept, lest it be closed
	fd     uintptr
	places int
	turn   chan struct{} // one in this process waits at the gate: to its own process, no lock is taken

	mu   sync.Mutex
	held map[int]bool // places of this process
}

// Open opens the file at path, making it if need be, and returns a turnstile with so many
// places. A process opens a file once: closing a second handle would give back its places.
func Open(path string, places int) (*Turnstile, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return Of(file, places), nil
}

// Of is Open for a file that the process was given.
func Of(file *os.File, places int) *Turnstile {
	return &Turnstile{file: file, fd: file.Fd(), places: places, turn: make(chan struct{}, 1), held: map[int]bool{}}
}

// File is what another process needs for Of.
func (t *Turnstile) File() *os.File { return t.file }

// Places is how many there are.
func (t *Turnstile) Places() int { return t.places }

// Close closes the file, and with it gives back everything that this process holds.
func (t *Turnstile) Close() error { return t.file.Close() }

// Enter takes a place, and waits for one until ctx ends. leave gives it back; it may be
// called more than once.
func (t *Turnstile) Enter(ctx context.Context) (leave func(), err error) {
	if !t.Waiting() {
		if leave, ok := t.take(); ok {
			return leave, nil
		}
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began, passed := time.Now(), false
	defer func() {
		if passed {
			_ = t.lock(unix.F_UNLCK, gate)
		}
	}()
	for {
		pause := beforeGate/2 + rand.N(beforeGate)
		if passed = passed || t.lock(unix.F_WRLCK, gate) == nil; passed {
			if leave, ok := t.take(); ok {
				return leave, nil
			}
			pause = atGate
		}
		if waited := time.Since(began); waited > longest || waited > longestHeld && t.holds() {
			return func() {}, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Waiting reports whether another process waits for a place.
func (t *Turnstile) Waiting() bool {
	query := unix.Flock_t{Type: unix.F_WRLCK, Start: gate, Len: 1}
	return unix.FcntlFlock(t.fd, unix.F_GETLK, &query) == nil && query.Type != unix.F_UNLCK
}

func (t *Turnstile) holds() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held) > 0
}

// take looks for a free place. Where the file system has no such locks, everybody gets in.
func (t *Turnstile) take() (leave func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := rand.IntN(t.places)
	for i := range t.places {
		place := (first + i) % t.places
		if t.held[place] { // to its own process, every lock is free
			continue
		}
		err := t.lock(unix.F_WRLCK, place)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			continue // another process has it
		}
		if err != nil {
			return func() {}, true
		}
		t.held[place] = true
		return sync.OnceFunc(func() { t.leave(place) }), true
	}
	return nil, false
}

func (t *Turnstile) leave(place int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, place)
	_ = t.lock(unix.F_UNLCK, place) // cannot fail where locking has not
}

// lock sets a lock on a place, at once or not at all.
func (t *Turnstile) lock(kind int16, place int) error {
	return unix.FcntlFlock(t.fd, unix.F_SETLK, &unix.Flock_t{Type: kind, Start: int64(place), Len: 1})
}
