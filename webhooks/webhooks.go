// Package webhooks tells endpoints what happens to a number, so that nothing is lost on the
// way.
//
// An event is stored in the same transaction as the change that it is about, together with
// one delivery for each endpoint that wants it. From there it is posted until the endpoint
// takes it: in order within a chat, several chats at the same time, and no endpoint waits for
// another. Retries come at growing intervals for at least a day; what still was not taken is
// parked, and kept until a person sends it again. An endpoint that fails for hours is paused
// and tried once an hour, and goes on from where it stopped.
//
// The worker runs all of it. The panel reads what became of deliveries, and asks the worker
// for the rest.
package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/egress"
	"switchboard/engine"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/settings"
)

// Options is what a number's webhooks work with. Fence may be nil.
type Options struct {
	ID    instances.ID
	DB    *sql.DB // the number's main database; stays the caller's to close, after Run
	Fence func(ctx context.Context, tx *sql.Tx) error
	Guard *egress.Guard
	Log   *slog.Logger

	pace *pace // for tests; nil: the usual one
}

// Webhooks is the outbox of a number and what empties it. Its methods may be called from any
// goroutine.
type Webhooks struct {
	o    Options
	pace pace

	endpoints atomic.Pointer[[]endpoint]
	device    atomic.Value // string
	wake      chan struct{}
	calls     chan func(*runner)
	gone      chan struct{} // closed when Run has ended
	outlets   outlets

	mu   sync.Mutex
	news chan struct{} // closed at the next event
}

var _ messages.Outbox = (*Webhooks)(nil)

// New returns the webhooks of a number, which deliver nothing before Run.
func New(ctx context.Context, o Options) (*Webhooks, error) {
	w := &Webhooks{
		o: o, pace: usualPace, wake: make(chan struct{}, 1), calls: make(chan func(*runner)),
		gone: make(chan struct{}), news: make(chan struct{}),
	}
	if o.pace != nil {
		w.pace = *o.pace
	}
	w.endpoints.Store(new([]endpoint))
	var device string
	if err := o.DB.QueryRowContext(ctx, `SELECT coalesce(max("device"), '') FROM "outbox"`).Scan(&device); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	w.device.Store(device)
	return w, nil
}

// Apply has events go to the webhooks in s from now on. What still waits for a webhook that
// is gone is parked.
func (w *Webhooks) Apply(s settings.Settings) {
	list := make([]endpoint, 0, len(s.Webhooks))
	for _, hook := range s.Webhooks {
		list = append(list, newEndpoint(hook))
	}
	w.endpoints.Store(&list)
	w.tell(func(r *runner) { r.applied = false })
}

// tell has f run beside the deliveries, if those run, and does not wait for it.
func (w *Webhooks) tell(f func(*runner)) {
	go func() {
		select {
		case w.calls <- f:
		case <-w.gone:
		}
	}()
}

// ask has f run beside the deliveries and waits until it has.
func (w *Webhooks) ask(ctx context.Context, f func(*runner) error) error {
	answer := make(chan error, 1)
	select {
	case w.calls <- func(r *runner) { answer <- f(r) }:
		return <-answer
	case <-w.gone:
		return errEnds
	case <-ctx.Done():
		return ctx.Err()
	}
}

// envelope is the body of a delivery, in the words of go-whatsapp-web-multidevice.
type envelope struct {
	Event     string          `json:"event"`
	Device    string          `json:"device_id,omitempty"`
	Session   instances.ID    `json:"session_id"`
	Timestamp string          `json:"timestamp,omitempty"`
	Payload   json.RawMessage `json:"payload"`
}

// body puts the envelope around an event.
func (w *Webhooks) body(e messages.Event) ([]byte, error) {
	out := envelope{Event: e.Name, Device: w.device.Load().(string), Session: w.o.ID, Payload: e.Payload}
	if e.Name != "message" && !strings.HasPrefix(e.Name, "message.") { // those have it inside
		out.Timestamp = e.At.UTC().Format(time.RFC3339)
	}
	return json.Marshal(out)
}

// Put stores events, and a delivery for each endpoint that wants one, within tx; see
// messages.Outbox. It locks the outbox until tx ends, so it comes last in it.
func (w *Webhooks) Put(ctx context.Context, tx *sql.Tx, events []messages.Event) error {
	var last int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO "outbox" ("one", "seq", "device") VALUES (1, $1, '')
		ON CONFLICT ("one") DO UPDATE SET "seq" = "outbox"."seq" + excluded."seq" RETURNING "seq"`, len(events)).Scan(&last)
	if err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	for i, e := range events {
		body, err := w.body(e)
		if err != nil {
			return fmt.Errorf("write event %q: %w", e.Name, err)
		}
		seq := last - int64(len(events)-1-i)
		_, err = tx.ExecContext(ctx,
			`INSERT INTO "events" ("seq", "id", "name", "chat", "at", "body") VALUES ($1, $2, $3, $4, $5, $6)`,
			seq, e.ID, e.Name, e.Chat, e.At.UnixMilli(), string(body))
		if err != nil {
			return fmt.Errorf("store event: %w", err)
		}
		for _, to := range *w.endpoints.Load() {
			if !to.wants(e) {
				continue
			}
			if _, err := tx.ExecContext(ctx,
				`INSERT INTO "deliveries" ("event", "endpoint", "chat", "state") VALUES ($1, $2, $3, 'pending')`,
				seq, to.ID, e.Chat); err != nil {
				return fmt.Errorf("store delivery: %w", err)
			}
		}
	}
	return nil
}

// Wake says that events were committed; see messages.Outbox.
func (w *Webhooks) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake
	}
	w.mu.Lock()
	close(w.news)
	w.news = make(chan struct{})
	w.mu.Unlock()
}

// Device says which account the number is, a JID; "" changes nothing. It is in every event
// from now on, also after a restart.
func (w *Webhooks) Device(ctx context.Context, jid string) error {
	if jid == "" || jid == w.device.Load() {
		return nil
	}
	err := w.write(ctx, "note the account", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO "outbox" ("one", "seq", "device") VALUES (1, 0, $1)
			ON CONFLICT ("one") DO UPDATE SET "device" = excluded."device"`, jid)
		return err
	})
	if err == nil {
		w.device.Store(jid)
	}
	return err
}

// write is a transaction.
func (w *Webhooks) write(ctx context.Context, what string, f func(*sql.Tx) error) error {
	return engine.Write(ctx, w.o.DB, what, w.o.Fence, f)
}
