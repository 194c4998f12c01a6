package webhooks

import (
	"container/heap"
	"context"
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
	settled chan struct{} // closed as soon as nothing is under way; nil if nobody waits for that
	prune   time.Time     // when old events are looked for next; zero: not before there is one
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

// Run delivers until ctx ends, and then waits for the attempts under way to be over, which
// ends them too. It is called once.
func (w *Webhooks) Run(ctx context.Context) {
	r := &runner{Webhooks: w, ctx: ctx, queues: map[string]*queue{}, stale: true, done: make(chan landed)}
	defer close(w.gone)
	defer w.outlets.keep(nil)
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
		if r.flying == 0 && r.settled != nil {
			close(r.settled)
			r.settled = nil
		}
	}
}

// Settle returns when nothing is left that can be delivered now, or when ctx ends. One at a time
// may wait.
func (w *Webhooks) Settle(ctx context.Context) {
	settled := make(chan struct{})
	err := w.ask(ctx, func(r *runner) error {
		r.look()
		r.settled = settled
		return nil
	})
	if err != nil {
		return
	}
	select {
	case <-settled:
	case <-w.gone:
	case <-ctx.Done():
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
