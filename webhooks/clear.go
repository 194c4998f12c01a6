package webhooks

import (
	"database/sql"
	"time"

	"switchboard/engine"
)

// What is kept of events that nobody waits for any more: so long, and so many.
const (
	keepFor  = 3 * 24 * time.Hour
	keepMost = 10_000

	// What was parked for an endpoint that is gone cannot be sent again, and goes after this.
	keepOrphans = 30 * 24 * time.Hour

	pruneSoon  = time.Minute // after a start
	pruneEvery = time.Hour
)

// undelivered are the events that are never removed: somebody has not got them yet.
const undelivered = `SELECT "event" FROM "deliveries" WHERE "state" <> 'delivered'`

// clear removes old events and their deliveries, but none that somebody has not got.
func (r *runner) clear() {
	now := time.Now()
	known := map[string]bool{}
	for _, p := range *r.endpoints.Load() {
		known[p.ID] = true
	}
	var oldest, count int64
	err := r.write(r.ctx, "remove old events", func(tx *sql.Tx) error {
		parked, err := engine.Values[string](r.ctx, tx, "read for whom events are parked", `SELECT DISTINCT "endpoint" FROM "deliveries" WHERE "state" = 'parked'`)
		if err != nil {
			return err
		}
		for _, id := range parked {
			if known[id] {
				continue
			}
			if _, err := tx.ExecContext(r.ctx, `
				DELETE FROM "deliveries" WHERE "endpoint" = $1 AND "state" = 'parked'
					AND "event" IN (SELECT "seq" FROM "events" WHERE "at" < $2)`,
				id, now.Add(-keepOrphans).UnixMilli()); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(r.ctx, `
			DELETE FROM "events" WHERE ("at" < $1 OR "seq" <= (SELECT coalesce(max("seq"), 0) FROM "outbox") - $2)
				AND "seq" NOT IN (`+undelivered+`)`,
			now.Add(-keepFor).UnixMilli(), keepMost); err != nil {
			return err
		}
		if _, err := tx.ExecContext(r.ctx, `
			DELETE FROM "deliveries" WHERE "state" = 'delivered' AND "event" NOT IN (SELECT "seq" FROM "events")`); err != nil {
			return err
		}
		return tx.QueryRowContext(r.ctx, `SELECT coalesce(min("at"), 0), count(*) FROM "events"`).Scan(&oldest, &count)
	})
	r.prune = now.Add(pruneEvery)
	switch {
	case err != nil:
		r.failed("remove old events", err)
	case count == 0:
		r.prune = time.Time{} // the next event sets it
	case count < keepMost/2 && moment(oldest).Add(keepFor).After(r.prune):
		r.prune = moment(oldest).Add(keepFor) // a quiet number is not woken for nothing
	}
}
