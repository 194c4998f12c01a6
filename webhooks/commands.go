package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"switchboard/fault"
	"switchboard/messages"
)

// Resend has deliveries made again: those that were made before, and at once those that wait
// for another attempt. It returns how many. The endpoint gets the same Webhook-Id as before.
func (w *Webhooks) Resend(ctx context.Context, f Filter) (count int64, err error) {
	where, args, err := f.where()
	if err != nil {
		return 0, err
	}
	err = w.write(ctx, "send again", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			UPDATE "deliveries" SET "state" = 'pending', "attempts" = 0, "next_at" = 0
			WHERE ("event", "endpoint") IN (
				SELECT d."event", d."endpoint" FROM "deliveries" d JOIN "events" e ON e."seq" = d."event" WHERE `+where+`)`, args...)
		if err != nil {
			return err
		}
		count, err = result.RowsAffected()
		return err
	})
	if err == nil && count > 0 {
		w.tell(func(r *runner) {
			r.stale = true
			for _, q := range r.queues {
				q.next = time.Time{}
			}
		})
	}
	return count, err
}

// Resume has an endpoint that fails tried at once.
func (w *Webhooks) Resume(ctx context.Context, endpoint string) error {
	return w.ask(ctx, func(r *runner) error {
		r.resume(endpoint)
		return nil
	})
}

// Test posts an event "test" to an endpoint, whatever the endpoint subscribed to, and returns
// what came of it. It is tried once and not kept.
func (w *Webhooks) Test(ctx context.Context, id string) (Attempt, error) {
	list := *w.endpoints.Load()
	i := slices.IndexFunc(list, func(p endpoint) bool { return p.ID == id })
	if i < 0 {
		return Attempt{}, fault.New(fault.NotFound, "This webhook does not exist.")
	}
	e, err := messages.NewEvent("test", "", "", time.Now(), json.RawMessage(`{"message":"This is a test event of Switchboard."}`))
	if err != nil {
		return Attempt{}, err
	}
	body, err := w.body(e)
	if err != nil {
		return Attempt{}, err
	}
	return w.post(ctx, list[i], e, body), nil
}

// The commands of Do.
const (
	DoResend = "resend" // a Filter; answers with a Count
	DoResume = "resume" // a Which
	DoTest   = "test"   // a Which; answers with an Attempt
)

// Which names a webhook.
type Which struct {
	Webhook string `json:"webhook"`
}

// Count says how many deliveries something was done with.
type Count struct {
	Count int64 `json:"count"`
}

// Do carries out a command that the panel sends.
func (w *Webhooks) Do(ctx context.Context, what string, in json.RawMessage) (any, error) {
	read := func(into any) error {
		if err := json.Unmarshal(in, into); err != nil {
			return fault.Wrap(fault.Invalid, "This is not the JSON object that it has to be.", err)
		}
		return nil
	}
	switch what {
	case DoResend:
		var f Filter
		if err := read(&f); err != nil {
			return nil, err
		}
		n, err := w.Resend(ctx, f)
		return Count{n}, err
	case DoResume, DoTest:
		var which Which
		if err := read(&which); err != nil {
			return nil, err
		}
		if what == DoTest {
			return w.Test(ctx, which.Webhook)
		}
		return nil, w.Resume(ctx, which.Webhook)
	}
	return nil, fault.New(fault.NotFound, "This version of Switchboard cannot do that with events; restart the number.")
}
