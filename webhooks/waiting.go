package webhooks

import (
	"container/heap"
	"database/sql"
	"time"

	"switchboard/engine"
)

// apply gives the queues the endpoints of the settings, and parks what waits for others.
func (r *runner) apply() {
	list := *r.endpoints.Load()
	known := map[string]bool{}
	for _, p := range list {
		known[p.ID] = true
		q := r.queue(p.ID)
		if q.endpoint.URL != p.URL || q.endpoint.Paused && !p.Paused {
			q.next = time.Time{} // somebody has done something about it
		}
		q.endpoint, q.known = p, true
	}
	for _, q := range r.queues {
		q.known = known[q.endpoint.ID]
	}
	r.outlets.keep(known)
	if err := r.parkOthers(known); err != nil {
		r.failed("apply settings", err)
		return
	}
	r.applied, r.stale = true, true
}

// parkOthers parks what waits for endpoints that are gone.
func (r *runner) parkOthers(known map[string]bool) error {
	waiting, err := engine.Values[string](r.ctx, r.o.DB, "read for whom events wait", `SELECT DISTINCT "endpoint" FROM "deliveries" WHERE "state" = 'pending'`)
	if err != nil {
		return err
	}
	for _, id := range waiting {
		if known[id] {
			continue
		}
		err := r.write(r.ctx, "park", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(r.ctx,
				`UPDATE "deliveries" SET "state" = 'parked', "error" = $1 WHERE "endpoint" = $2 AND "state" = 'pending'`,
				"This webhook was removed before the event was delivered.", id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// queue returns the queue of an endpoint, making it if there is none.
func (r *runner) queue(id string) *queue {
	q := r.queues[id]
	if q == nil {
		q = &queue{lanes: map[string]*lane{}}
		q.endpoint.ID = id
		for _, p := range *r.endpoints.Load() {
			if p.ID == id {
				q.endpoint, q.known = p, true
			}
		}
		r.queues[id] = q
	}
	return q
}

// read finds everything that waits, and how the endpoints stand.
func (r *runner) read() {
	err := r.readHealth()
	if err == nil {
		err = r.find(`SELECT DISTINCT "endpoint", "chat" FROM "deliveries" WHERE "state" = 'pending'`)
	}
	if err != nil {
		r.failed("read what waits", err)
		return
	}
	r.stale = false
	if r.prune.IsZero() {
		r.prune = time.Now().Add(pruneSoon)
	}
}

func (r *runner) readHealth() error {
	return engine.Each(r.ctx, r.o.DB, "read how webhooks stand", func(row engine.Row) error {
		var id string
		var failures, since, paused int64
		if err := row.Scan(&id, &failures, &since, &paused); err != nil {
			return err
		}
		r.queue(id).health = health{failures, moment(since), moment(paused)}
		return nil
	}, `SELECT "id", "failures", "failing_since", "paused_at" FROM "endpoints"`)
}

// look finds what came in since the last time.
func (r *runner) look() {
	if r.stale {
		return // everything is going to be read
	}
	if err := r.find(`SELECT DISTINCT "endpoint", "chat" FROM "deliveries" WHERE "event" > $1 AND "state" = 'pending'`, r.seen); err != nil {
		r.failed("look for new events", err)
		r.stale = true
	}
	if r.prune.IsZero() {
		r.prune = time.Now().Add(pruneEvery)
	}
}

// find queues the lanes that a query returns. Events are committed in the order of their
// numbers, so what a later look has to find has a number above the one that is read first.
func (r *runner) find(query string, args ...any) error {
	var last int64
	if err := r.o.DB.QueryRowContext(r.ctx, `SELECT coalesce(max("seq"), 0) FROM "outbox"`).Scan(&last); err != nil {
		return err
	}
	err := engine.Each(r.ctx, r.o.DB, "find what waits", func(row engine.Row) error {
		var id, chat string
		if err := row.Scan(&id, &chat); err != nil {
			return err
		}
		q := r.queue(id)
		switch l := q.lanes[chat]; {
		case l == nil:
			l = &lane{chat: chat}
			q.lanes[chat] = l
			heap.Push(&q.order, l)
		case l.index < 0:
			l.more = true
		case r.stale:
			l.next = time.Time{} // it may have been sent again
			heap.Fix(&q.order, l.index)
		}
		return nil
	}, query, args...)
	r.seen = last
	return err
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
