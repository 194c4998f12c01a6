package webhooks

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"time"

	"switchboard/engine"
	"switchboard/messages"
)

// landed is an attempt that is over, or that was not made.
type landed struct {
	queue   *queue
	lane    *lane
	empty   bool // nothing waits in the lane
	next    time.Time
	attempt *Attempt // nil: none was made
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

// head is the delivery that comes next in a lane.
type head struct {
	seq, attempts, next int64
	at                  int64
	event               messages.Event
	body                []byte
}

// deliver posts what comes next in a lane and stores what came of it.
func (r *runner) deliver(q *queue, l *lane, p endpoint) landed {
	out := landed{queue: q, lane: l}
	var h head
	err := r.o.DB.QueryRowContext(r.ctx, `
		SELECT d."event", d."attempts", d."next_at", e."id", e."name", e."at", e."body"
		FROM "deliveries" d JOIN "events" e ON e."seq" = d."event"
		WHERE d."endpoint" = $1 AND d."chat" = $2 AND d."state" = 'pending' ORDER BY d."event" LIMIT 1`,
		p.ID, l.chat).Scan(&h.seq, &h.attempts, &h.next, &h.event.ID, &h.event.Name, &h.at, &h.body)
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
	h.event.Chat, h.event.At = l.chat, moment(h.at)
	a := r.post(r.ctx, p, h.event, h.body)
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
				state, h.attempts+1, engine.Millis(next), a.At.UnixMilli(), a.Status,
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
