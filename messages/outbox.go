package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Event is something that happened to a number, for those who subscribed to it. It is made
// where the change is, and goes into the outbox in the transaction that stores the change:
// either both are there or neither.
type Event struct {
	ID      string          // of this event alone, and later ones sort after it; see NewEvent
	Name    string          // "message", "group.participants", …
	Chat    string          // JID of the chat as it is stored, "" for what belongs to no chat
	ChatLID string          // the hidden form of the chat, "" where unknown
	At      time.Time       // when it happened
	Payload json.RawMessage // the inner object, without the envelope that deliveries put around it
}

// NewEvent returns an event with an id of its own. The ids of one process rise in the order
// of the calls; what sets two events of the same moment apart across a restart is the clock.
func NewEvent(name, chat, chatLID string, at time.Time, payload any) (Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, err
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return Event{}, err
	}
	return Event{ID: id.String(), Name: name, Chat: chat, ChatLID: chatLID, At: at, Payload: raw}, nil
}

// Outbox is where events wait to be delivered.
type Outbox interface {
	// Put stores events within tx, in their order. It does not look at other transactions
	// and does not wait for anything but the database.
	Put(ctx context.Context, tx *sql.Tx, events []Event) error
	// Wake says that events were committed. It returns at once.
	Wake()
}

// WithOutbox has o take the events of every change.
func WithOutbox(o Outbox) Option {
	return func(m *Messages) { m.outbox = o }
}

// Emit puts events into the outbox that belong to no stored change: somebody types, a call
// comes in.
func (m *Messages) Emit(ctx context.Context, events ...Event) error {
	if m.outbox == nil || len(events) == 0 {
		return nil
	}
	return m.write(ctx, "put events into the outbox", events, func(*sql.Tx) (bool, error) { return true, nil })
}

// write is a transaction that runs f, and puts events into the outbox if f says that it
// changed something. What gathered meanwhile goes with it.
func (m *Messages) write(ctx context.Context, what string, events []Event, f func(*sql.Tx) (changed bool, err error)) error {
	return m.writeWith(ctx, 0, what, events, f)
}

// writeWith is write that takes along only what has gathered for so long.
func (m *Messages) writeWith(ctx context.Context, age time.Duration, what string, events []Event, f func(*sql.Tx) (changed bool, err error)) error {
	defer m.lock()()
	alone := []change{{what: what, events: events, do: f}}
	b := m.take(age)
	if b == nil {
		return m.commit(ctx, what, alone)
	}
	if m.commit(ctx, what, slices.Concat(b.changes, alone)) == nil {
		m.end(b, func(change) error { return nil })
		return nil
	}
	// Whichever of them spoiled it, it does so for itself only.
	go func() {
		defer m.lock()()
		m.settle(b)
	}()
	return m.commit(ctx, what, alone)
}

// commit writes changes in one transaction, with their events.
func (m *Messages) commit(ctx context.Context, what string, all []change) error {
	put := false
	err := m.tx(ctx, what, func(tx *sql.Tx) error {
		var events []Event
		for _, c := range all {
			changed, err := c.do(tx)
			if err != nil {
				return err
			}
			if changed {
				events = append(events, c.events...)
			}
		}
		if m.outbox == nil || len(events) == 0 {
			return nil
		}
		put = true
		return m.outbox.Put(ctx, tx, events)
	})
	if err == nil && put {
		m.outbox.Wake()
	}
	return err
}
