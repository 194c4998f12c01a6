package webhooks

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"time"

	"switchboard/fault"
)

var errEnds = fault.New(fault.Unavailable, "The process of this number is just ending. Try again in a few seconds.")

// runner empties the outbox. Its goroutine, Run, is the only one that touches it; attempts
// run beside it and tell what came of them.
type runner struct {
	*Webhooks
	ctx context.Context

	queues  map[string]*queue // by endpoint, those with something to deliver
	seen    int64             // events up to this one are in the queues
	applied bool              // the queues go by the endpoints of the settings
	stale   bool              // the queues have to be read again
	retry   time.Time         // when to try again what the database refused
	flying  int               // attempts under way, at all endpoints
	done    chan landed
	prune   time.Time // when old events are looked for next; zero: not before there is one
}

// queue is what waits for one endpoint.
type queue struct {
	endpoint endpoint
	known    bool // the settings have this endpoint

	lanes  map[string]*lane // by chat
	order  lanes            // those of them with nothing under way, the next one first
	flying int
	health health
	next   time.Time // nothing is tried before
}

// health of an endpoint: how long it has taken nothing.
type health struct {
	failures int64
	since    time.Time
	paused   time.Time // zero: it is not
}

// lane is a chat with something to deliver to an endpoint: one event after the other.
type lane struct {
	chat  string
	next  time.Time
	index int  // in order
	more  bool // something came in while one was under way
}

// landed is an attempt that is over, or that was not made.
type landed struct {
	queue   *queue
	lane    *lane
	empty   bool // nothing waits in the lane
	next    time.Time
	attempt *Attempt // nil: none was made
}

// Run delivers until ctx ends, and then waits for the attempts under way to be over, which
// ends them too. It is called once.
func (w *Webhooks) Run(ctx context.Context) {
	r := &runner{Webhooks: w, ctx: ctx, queues: map[string]*queue{}, stale: true, done: make(chan landed)}
	defer close(w.gone)
	defer w.senders.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			for ; r.flying > 0; r.flying-- {
				<-r.done
			}
			return
		case <-w.wake:
			r.look()
		case f := <-w.calls:
			f(r)
		case l := <-r.done:
			r.land(l)
		case <-timer.C:
		}
		if next := r.advance(); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// advance begins whatever is due, and returns when to look again, zero if only something new
// can bring that about.
func (r *runner) advance() (next time.Time) {
	now := time.Now()
	consider := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if now.Before(r.retry) {
		consider(r.retry)
	} else {
		r.retry = time.Time{}
		if !r.applied {
			r.apply()
		}
		if r.stale {
			r.read()
		}
		if !r.prune.IsZero() && !now.Before(r.prune) {
			r.clear()
		}
		consider(r.retry)
	}
	consider(r.prune)
	for id, q := range r.queues {
		if len(q.lanes) == 0 && q.health.failures == 0 {
			delete(r.queues, id)
			continue
		}
		if !q.known || q.endpoint.Paused {
			continue
		}
		limit := perEndpoint
		if q.health.failures >= tripAfter {
			limit = 1
		}
		for q.flying < limit && len(q.order) > 0 {
			due := q.order[0].next
			if due.Before(q.next) {
				due = q.next
			}
			if now.Before(due) {
				consider(due)
				break
			}
			r.fly(q, heap.Pop(&q.order).(*lane))
		}
	}
	return next
}

// failed notes that the database refused something.
func (r *runner) failed(what string, err error) {
	if r.ctx.Err() == nil {
		r.o.Log.Warn("webhooks wait for the database", "doing", what, "error", err)
	}
	r.retry = time.Now().Add(r.pace.first)
}

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
	if err := r.parkOthers(known); err != nil {
		r.failed("apply settings", err)
		return
	}
	r.applied, r.stale = true, true
}

// parkOthers parks what waits for endpoints that are gone.
func (r *runner) parkOthers(known map[string]bool) error {
	rows, err := r.o.DB.QueryContext(r.ctx, `SELECT DISTINCT "endpoint" FROM "deliveries" WHERE "state" = 'pending'`)
	if err != nil {
		return err
	}
	waiting, err := texts(rows)
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

// texts reads and closes rows of one text each.
func texts(rows *sql.Rows) (all []string, err error) {
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
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
	rows, err := r.o.DB.QueryContext(r.ctx, `SELECT "id", "failures", "failing_since", "paused_at" FROM "endpoints"`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var failures, since, paused int64
		if err := rows.Scan(&id, &failures, &since, &paused); err != nil {
			return err
		}
		r.queue(id).health = health{failures, moment(since), moment(paused)}
	}
	return rows.Err()
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
	rows, err := r.o.DB.QueryContext(r.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, chat string
		if err := rows.Scan(&id, &chat); err != nil {
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
	}
	r.seen = last
	return rows.Err()
}

// fly begins to deliver what comes next in a lane.
func (r *runner) fly(q *queue, l *lane) {
	q.flying++
	r.flying++
	p := q.endpoint
	go func() { r.done <- r.deliver(q, l, p) }()
}

// land takes note of what came of an attempt.
func (r *runner) land(l landed) {
	l.queue.flying--
	r.flying--
	if l.attempt != nil {
		r.judge(l.queue, l.attempt)
	}
	if l.empty && !l.lane.more {
		delete(l.queue.lanes, l.lane.chat)
		return
	}
	if l.empty {
		l.next = time.Time{}
	}
	l.lane.more, l.lane.next = false, l.next
	heap.Push(&l.queue.order, l.lane)
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
	q.next = now.Add(max(r.pace.between(h.failures), a.after))
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
		q.endpoint.ID, h.failures, h.since.UnixMilli(), millis(h.paused), a.Error)
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

// head is the delivery that comes next in a lane.
type head struct {
	seq, attempts, next int64
	id                  string
	body                []byte
}

// deliver posts what comes next in a lane and stores what came of it.
func (r *runner) deliver(q *queue, l *lane, p endpoint) landed {
	out := landed{queue: q, lane: l}
	var h head
	err := r.o.DB.QueryRowContext(r.ctx, `
		SELECT d."event", d."attempts", d."next_at", e."id", e."body"
		FROM "deliveries" d JOIN "events" e ON e."seq" = d."event"
		WHERE d."endpoint" = $1 AND d."chat" = $2 AND d."state" = 'pending' ORDER BY d."event" LIMIT 1`,
		p.ID, l.chat).Scan(&h.seq, &h.attempts, &h.next, &h.id, &h.body)
	now := time.Now()
	switch {
	case errors.Is(err, sql.ErrNoRows):
		out.empty = true
		return out
	case err != nil:
		out.next = now.Add(r.pace.first)
		return out
	case moment(h.next).After(now):
		out.next = moment(h.next)
		return out
	}
	a := r.post(r.ctx, p, h.id, h.body)
	if r.ctx.Err() != nil { // the worker ends: that is not the endpoint's fault
		if a.Error != "" {
			return out
		}
	} else {
		out.attempt = &a
	}
	state := "delivered"
	if a.Error != "" {
		state = "pending"
		out.next = a.At.Add(max(r.pace.wait(h.attempts+1), a.after))
		if h.attempts+1 >= r.pace.last() {
			state = "parked"
		}
	}
	r.store(h, p.ID, state, out.next, a)
	if state == "parked" {
		out.next = time.Time{}
	}
	return out
}

// store keeps what came of an attempt, however long the database takes. If the worker ends
// before that, the event is delivered once more.
func (r *runner) store(h head, endpoint, state string, next time.Time, a Attempt) {
	// A worker that is asked to end still has the moment for this.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.ctx))
	defer cancel()
	stop := context.AfterFunc(r.ctx, func() { time.AfterFunc(time.Second, cancel) })
	defer stop()
	for wait := r.pace.first / 4; ; wait = min(2*wait, 5*time.Second) {
		err := r.write(ctx, "store a delivery", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `
				UPDATE "deliveries" SET "state" = $1, "attempts" = $2, "next_at" = $3, "tried_at" = $4, "status" = $5,
					"latency_ms" = $6, "error" = $7, "response" = $8
				WHERE "event" = $9 AND "endpoint" = $10`,
				state, h.attempts+1, millis(next), a.At.UnixMilli(), a.Status,
				a.Latency.Milliseconds(), a.Error, a.Response, h.seq, endpoint)
			return err
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		r.o.Log.Warn("delivery not stored, will be tried again", "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// lanes is a heap of lanes, the one that is due first on top.
type lanes []*lane

func (l lanes) Len() int           { return len(l) }
func (l lanes) Less(i, j int) bool { return l[i].next.Before(l[j].next) }
func (l lanes) Swap(i, j int)      { l[i], l[j] = l[j], l[i]; l[i].index, l[j].index = i, j }

// Push is for package heap.
func (l *lanes) Push(x any) {
	added := x.(*lane)
	added.index = len(*l)
	*l = append(*l, added)
}

// Pop is for package heap. The index of what is out is negative.
func (l *lanes) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	last.index = -1
	return last
}
