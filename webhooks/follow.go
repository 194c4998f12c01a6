package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchboard/engine"

	"github.com/google/uuid"
)

// Told is an event as it is told to a stream.
type Told struct {
	Seq  int64           `json:"seq"` // its place in the outbox
	ID   string          `json:"id"`  // as in the header Webhook-Id; "" if only the place is told
	Name string          `json:"name"`
	Body json.RawMessage `json:"body"` // as it is posted to webhooks
	// End says that there is nothing behind this place yet.
	End bool `json:"end,omitempty"`
}

// At is what Follow takes for a place in the outbox.
func At(seq int64) string { return atPrefix + strconv.FormatInt(seq, 10) }

// Since is what Follow takes for everything that is stored from a moment on.
func Since(t time.Time) string { return sincePrefix + strconv.FormatInt(t.UnixMilli(), 10) }

const atPrefix, sincePrefix = "#", "@"

// atOnce is how many events are read from the outbox at a time.
const atOnce = 50

// Overlap is how far a stream that is resumed goes back before the event it is resumed after:
// what was stored by another number, or in another transaction, may have come in that order
// or in the other.
const Overlap = 10 * time.Second

// Follow calls tell with events, whether a webhook wants them or not, until ctx ends or tell
// fails; before that with the place where it begins. If after is the id of an event, here or of
// another number, it begins Overlap before that event and leaves out that one; if it is a
// place in this outbox, exactly behind it; if it is Since, with what was stored from then on.
// Otherwise there are only events that come. Whenever all that there is has been told, the
// place is told once more, as the End. Nothing is kept for a follower that is slow: it reads the outbox at its own speed.
func (w *Webhooks) Follow(ctx context.Context, after string, tell func(Told) error) error {
	seq, err := w.startAfter(ctx, after)
	if err != nil {
		return err
	}
	if err := tell(Told{Seq: seq}); err != nil {
		return err
	}
	for {
		w.mu.Lock()
		news := w.news
		w.mu.Unlock()
		for {
			next, err := w.some(ctx, seq, after, tell)
			if err != nil {
				return err
			}
			if next == seq {
				break
			}
			seq = next
		}
		if err := tell(Told{Seq: seq, End: true}); err != nil {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.gone:
			return errEnds
		}
	}
}

// MomentOf returns the moment from which Follow begins after the id of an event or Since.
func MomentOf(after string) (time.Time, bool) {
	if ms, since := strings.CutPrefix(after, sincePrefix); since {
		n, err := strconv.ParseInt(ms, 10, 64)
		return time.UnixMilli(n), err == nil
	}
	at, ok := timeOf(after)
	return at.Add(-Overlap), ok
}

// timeOf returns the time that is in the id of an event.
func timeOf(id string) (time.Time, bool) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 {
		return time.Time{}, false
	}
	return time.Unix(parsed.Time().UnixTime()), true
}

// firstID is at or before the ids of all events of a moment.
func firstID(at time.Time) string {
	var id uuid.UUID
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = 7 << 4
	return id.String()
}

// startAfter returns the number of the event behind which a follower begins.
func (w *Webhooks) startAfter(ctx context.Context, after string) (seq int64, err error) {
	if place, ok := strings.CutPrefix(after, atPrefix); ok {
		if seq, err = strconv.ParseInt(place, 10, 64); err == nil {
			return seq, nil
		}
	}
	// The end first: what is stored between the two is behind it.
	err = w.o.DB.QueryRowContext(ctx, `SELECT coalesce(max("seq"), 0) FROM "outbox"`).Scan(&seq)
	if at, ok := MomentOf(after); ok && err == nil {
		var first sql.Null[int64]
		err = w.o.DB.QueryRowContext(ctx, `SELECT min("seq") - 1 FROM "events" WHERE "id" >= $1`, firstID(at)).Scan(&first)
		if first.Valid {
			seq = first.V
		}
	}
	return seq, err
}

// some tells the events that come next and returns the number of the last one.
func (w *Webhooks) some(ctx context.Context, seq int64, after string, tell func(Told) error) (int64, error) {
	batch, err := w.batch(ctx, seq)
	if err != nil {
		return seq, fmt.Errorf("read events: %w", err)
	}
	for _, e := range batch {
		if e.ID != after {
			if err := tell(e); err != nil {
				return seq, err
			}
		}
		seq = e.Seq
	}
	return seq, nil
}

// batch reads the events that come next, all before any is told: a slow follower must not hold
// a connection to the database.
func (w *Webhooks) batch(ctx context.Context, seq int64) ([]Told, error) {
	return engine.All(ctx, w.o.DB, "read events", func(r engine.Row) (e Told, err error) {
		var body []byte
		err = r.Scan(&e.Seq, &e.ID, &e.Name, &body)
		e.Body = body
		return e, err
	}, `SELECT "seq", "id", "name", "body" FROM "events" WHERE "seq" > $1 ORDER BY "seq" LIMIT $2`, seq, atOnce)
}
