package sending

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/settings"
)

const (
	keep       = 48 * time.Hour // for which a key is remembered after its send ended
	pruneEvery = time.Hour
	ahead      = 100             // so many of what waits are looked at at once
	firstRetry = 5 * time.Second // and twice as long each time …
	maxRetry   = time.Minute     // … up to this
	giveUp     = 24 * time.Hour  // after a send was due
	mostWait   = 10_000          // sends in the queue
)

// Options of a queue.
type Options struct {
	Book Book
	Dir  string // for files that wait; made when it is needed
	// MessageID makes an id for a message to come.
	MessageID func() string
	// Known reports whether something was written to or by a chat already.
	Known func(ctx context.Context, chat string) (bool, error)
	Log   *slog.Logger
}

// Do does what a send asks for, under its message id.
type Do func(ctx context.Context, s Send) Answer

// Queue does what is asked to be sent: at once, once, or when it is time. Its methods may be
// called from any goroutine.
type Queue struct {
	o Options

	pace   atomic.Pointer[settings.Pace]
	adding sync.Mutex // a key is looked up and taken by one at a time

	mu     sync.Mutex
	active map[string]chan struct{} // by key: what Once is doing; closed when that has ended
	over   map[string]chan struct{} // by id: closed when that has ended
	pruned time.Time
	wake   chan struct{}

	// of the goroutine that runs
	last, lastStranger time.Time
	failures           int       // in a row, because the number is not connected …
	away               time.Time // … for which everything waits until then
}

// New returns a queue that works off nothing until it runs.
func New(o Options) *Queue {
	q := &Queue{o: o, active: map[string]chan struct{}{}, over: map[string]chan struct{}{}, wake: make(chan struct{}, 1)}
	q.pace.Store(&settings.Pace{})
	return q
}

// Apply has the queue go by a number's pace from now on.
func (q *Queue) Apply(s settings.Settings) {
	q.pace.Store(&s.Pace)
	q.look()
}

// Paced reports whether what is sent has to wait for its turn.
func (q *Queue) Paced() bool {
	return on(*q.pace.Load())
}

// look has the goroutine look at the queue again.
func (q *Queue) look() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// ErrReused is wrapped by the fault for a key that came with something else before.
var ErrReused = errors.New("key used for another request")

// Once does what s asks for, unless that was done under the same key before: then it returns
// the send of that time, and replayed is true. While it is being done elsewhere, Once waits
// for that. s needs Key, Hash and Path. A key that came with something else is a
// fault.Conflict that wraps ErrReused.
func (q *Queue) Once(ctx context.Context, s Send, do Do) (_ Send, replayed bool, err error) {
	s.State = Working
	s, fresh, mine, err := q.begin(ctx, s)
	if err != nil || !mine {
		return s, true, err
	}
	defer q.done(s)
	s.Answer = do(ctx, s)
	// The client may have gone, but what it will be told when it asks again is to be noted.
	ctx = context.WithoutCancel(ctx)
	switch {
	case s.Answer.Status < 300:
		s.State = Done
		err = q.o.Book.finish(ctx, s.ID, Done, s.Answer, "")
	case fresh && refused(s.Answer.Status):
		s.State = Failed
		err = q.o.Book.forget(ctx, s.ID)
	}
	if err != nil {
		// It was done. Done again, it will be under the same id.
		q.o.Log.Error("end of a send cannot be noted", "error", err)
	}
	return s, false, nil
}

// refused says whether an answer means that nothing was sent, nor will be.
func refused(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusForbidden:
		return true
	}
	return false
}

// begin notes a send, or finds out what became of the one with its key. With mine it is to be
// done now, and done to be called after that.
func (q *Queue) begin(ctx context.Context, s Send) (_ Send, fresh, mine bool, err error) {
	s.ID, s.MessageID, s.CreatedAt = newID(), q.o.MessageID(), time.Now()
	q.prune(ctx)
	for {
		kept, fresh, mine, over, err := q.claim(ctx, s)
		if err != nil || over == nil {
			return kept, fresh, mine, err
		}
		select {
		case <-over:
		case <-ctx.Done():
			return s, false, false, fault.New(fault.Conflict, "The request with this Idempotency-Key is still being worked on. Ask again in a moment.")
		}
	}
}

// claim is one try of begin. over is closed when whoever works on it has ended; nil if
// nobody else does.
func (q *Queue) claim(ctx context.Context, s Send) (kept Send, fresh, mine bool, over <-chan struct{}, err error) {
	q.adding.Lock()
	defer q.adding.Unlock()
	q.mu.Lock()
	doing := q.active[s.Key] // before the look: an end in between is seen
	q.mu.Unlock()
	kept, fresh, err = q.o.Book.add(ctx, s)
	if err == nil && kept.Hash != s.Hash {
		err = reused()
	}
	switch {
	case err != nil, kept.State != Working, len(kept.Parameters) > 0: // which the queue has to do it again
		return kept, false, false, nil, err
	case doing != nil:
		return kept, false, false, doing, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.active[s.Key] = make(chan struct{})
	return kept, fresh, true, nil, nil
}

func reused() error {
	return fault.Wrap(fault.Conflict, "This Idempotency-Key came with another request before. Use a new one for every message.", ErrReused)
}

// overOf returns what is closed when a send ends. q.mu is held.
func (q *Queue) overOf(id string) chan struct{} {
	over := q.over[id]
	if over == nil {
		over = make(chan struct{})
		q.over[id] = over
	}
	return over
}

// done tells those who wait for what Once does to look at it.
func (q *Queue) done(s Send) {
	q.mu.Lock()
	close(q.active[s.Key])
	delete(q.active, s.Key)
	q.mu.Unlock()
	q.ended(s.ID)
}

// ended tells those who wait for a send to look at it.
func (q *Queue) ended(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if over := q.over[id]; over != nil {
		close(over)
		delete(q.over, id)
	}
}

func newID() string {
	id, err := uuid.NewV7() // rises with the time
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// prune forgets old keys now and then.
func (q *Queue) prune(ctx context.Context) {
	q.mu.Lock()
	due := time.Since(q.pruned) >= pruneEvery
	if due {
		q.pruned = time.Now()
	}
	q.mu.Unlock()
	if !due {
		return
	}
	if err := q.o.Book.prune(ctx, time.Now().Add(-keep)); err != nil {
		q.o.Log.Warn("old sends cannot be forgotten", "error", err)
	}
}

// Upload is a file that comes with what is put into the queue.
type Upload struct {
	File
	From io.Reader
}

// Put has something wait for its time and turn, and returns it as it waits. With a key that
// came before, it returns what that became. The files are kept until it has been sent.
func (q *Queue) Put(ctx context.Context, s Send, uploads map[string]Upload) (Send, error) {
	s.ID, s.MessageID, s.CreatedAt, s.State = newID(), q.o.MessageID(), time.Now(), Waiting
	s.Due = later(s.CreatedAt, s.Due)
	q.prune(ctx)
	if n, err := q.o.Book.count(ctx); err != nil {
		return s, err
	} else if n >= mostWait {
		return s, fault.New(fault.Throttled, "Ten thousand messages of this number wait already. Try again when there are less.")
	}
	if err := q.store(&s, uploads); err != nil {
		return s, err
	}
	kept, fresh, err := q.o.Book.add(ctx, s)
	if err != nil || !fresh {
		q.drop(s)
	}
	switch {
	case err != nil:
		return s, err
	case kept.Hash != s.Hash:
		return s, reused()
	}
	q.look()
	if q.o.Book.Sync != nil { // whoever is told that it waits does not ask again
		err = q.o.Book.Sync()
	}
	return kept, err
}

func (q *Queue) store(s *Send, uploads map[string]Upload) error {
	if len(uploads) == 0 {
		return nil
	}
	if err := os.MkdirAll(q.o.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the queue: %w", err)
	}
	s.Files = map[string]File{}
	for name, upload := range uploads {
		upload.Stored = s.ID + "." + name
		s.Files[name] = upload.File
		if err := write(filepath.Join(q.o.Dir, upload.Stored), upload.From); err != nil {
			q.drop(*s)
			return fmt.Errorf("keep a file of the queue: %w", err)
		}
	}
	if err := engine.SyncFolder(q.o.Dir); err != nil {
		q.drop(*s)
		return fmt.Errorf("keep the files of the queue: %w", err)
	}
	return nil
}

func write(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}

// drop removes the files of a send.
func (q *Queue) drop(s Send) {
	for _, f := range s.Files {
		if err := os.Remove(filepath.Join(q.o.Dir, f.Stored)); err != nil && !errors.Is(err, os.ErrNotExist) {
			q.o.Log.Warn("file of the queue cannot be removed", "error", err)
		}
	}
}

// Open opens a file that waits with a send.
func (q *Queue) Open(f File) (*os.File, error) { return os.Open(filepath.Join(q.o.Dir, f.Stored)) }

// Await waits until a send has ended, or ctx has, and returns it as it is then.
func (q *Queue) Await(ctx context.Context, id string) (Send, error) {
	for {
		q.mu.Lock()
		over := q.overOf(id) // before the look: an end in between is seen
		q.mu.Unlock()
		s, err := q.o.Book.byID(context.WithoutCancel(ctx), id)
		if err != nil || s.State != Waiting && s.State != Working {
			q.ended(id) // nobody else would forget over
			return s, err
		}
		select {
		case <-over:
		case <-ctx.Done():
			return s, nil
		}
	}
}

// Cancel takes something that waits out of the queue.
func (q *Queue) Cancel(ctx context.Context, id string) error {
	s, err := q.o.Book.byID(ctx, id)
	if err != nil {
		return err
	}
	if err := q.o.Book.Cancel(ctx, id); err != nil {
		return err
	}
	q.drop(s)
	q.ended(id)
	return nil
}

// List returns what waits, in the order in which it is due.
func (q *Queue) List(ctx context.Context, limit int) ([]Send, error) {
	return q.o.Book.Queue(ctx, limit)
}

// OfMessage returns the send that a message comes from; false if there is none.
func (q *Queue) OfMessage(ctx context.Context, messageID string) (Send, bool, error) {
	return q.o.Book.OfMessage(ctx, messageID)
}
