package webhooks

import (
	"database/sql"
	"time"

	"switchboard/engine"
)

// health of an endpoint: how long it has taken nothing.
type health struct {
	failures int64
	since    time.Time
	paused   time.Time // zero: it is not
}

// judge concludes from an attempt how the endpoint stands.
func (r *runner) judge(q *queue, a *Attempt) {
	h := &q.health
	now := time.Now()
	log := r.o.Log.With("webhook", q.endpoint.ID)
	if a.Error == "" {
		if h.failures >= tripAfter {
			log.Info("webhook takes events again", "failures", h.failures)
			// What failed meanwhile has waited for this.
			r.attempted(`UPDATE "deliveries" SET "next_at" = 0 WHERE "endpoint" = $1 AND "state" = 'pending' AND "next_at" > 0`, q.endpoint.ID)
			r.attempted(`DELETE FROM "endpoints" WHERE "id" = $1`, q.endpoint.ID)
			for _, l := range q.order {
				l.next = time.Time{}
			}
		}
		*h, q.next = health{}, time.Time{}
		return
	}
	if h.failures++; h.failures == 1 {
		h.since = now
	}
	if h.failures < tripAfter {
		return
	}
	q.next = now.Add(max(r.pace.between(now.Sub(h.since)), a.after))
	switch {
	case !h.paused.IsZero():
	case now.Sub(h.since) >= r.pace.pause:
		h.paused = now
		log.Warn("webhook is paused: it has taken nothing for long", "since", h.since, "error", a.Error)
	case h.failures == tripAfter:
		log.Info("webhook takes nothing", "error", a.Error)
	}
	if !h.paused.IsZero() {
		q.next = now.Add(r.pace.paused)
	}
	r.attempted(`
		INSERT INTO "endpoints" ("id", "failures", "failing_since", "paused_at", "error") VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT ("id") DO UPDATE SET "failures" = excluded."failures", "failing_since" = excluded."failing_since",
			"paused_at" = excluded."paused_at", "error" = excluded."error"`,
		q.endpoint.ID, h.failures, h.since.UnixMilli(), engine.Millis(h.paused), a.Error)
}

// attempted changes what is known of an endpoint. If that fails, the next change makes up for
// it.
func (r *runner) attempted(query string, args ...any) {
	err := r.write(r.ctx, "note how a webhook stands", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(r.ctx, query, args...)
		return err
	})
	if err != nil && r.ctx.Err() == nil {
		r.o.Log.Warn("state of a webhook not stored", "webhook", args[0], "error", err)
	}
}

// resume has an endpoint tried at once, as if it had never failed.
func (r *runner) resume(id string) {
	q := r.queues[id]
	if q == nil {
		return
	}
	q.health, q.next = health{}, time.Time{}
	r.attempted(`DELETE FROM "endpoints" WHERE "id" = $1`, id)
	r.attempted(`UPDATE "deliveries" SET "next_at" = 0 WHERE "endpoint" = $1 AND "state" = 'pending' AND "next_at" > 0`, id)
	r.stale = true
}
