package worker

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"switchboard/instances"
	"switchboard/messages"
	"switchboard/webhooks"
)

// herald makes an event "connection.…" of every change of status.
type herald struct {
	store *messages.Messages
	hooks *webhooks.Webhooks
	log   *slog.Logger

	mu    sync.Mutex
	news  chan struct{}
	queue []change // that are not stored yet
	last  instances.Status
}

type change struct {
	instances.Change
	jid string
}

// newHerald begins with what was missed while no process of the number ran.
func newHerald(store *messages.Messages, hooks *webhooks.Webhooks, log *slog.Logger, missed []instances.Change) *herald {
	h := &herald{store: store, hooks: hooks, log: log, news: make(chan struct{}, 1)}
	for _, c := range missed {
		h.queue, h.last = append(h.queue, change{Change: c}), c.Status
	}
	h.tell(instances.Report{Status: instances.Starting})
	return h
}

// tell takes a change from the session. It does not block.
func (h *herald) tell(r instances.Report) {
	h.mu.Lock()
	h.queue = append(h.queue, change{instances.Change{Status: r.Status, Was: h.last, Reason: r.Reason, At: time.Now()}, r.JID})
	h.last = r.Status
	h.mu.Unlock()
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// run stores the changes until ctx ends, which makes the last two.
func (h *herald) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			h.tell(instances.Report{Status: instances.Stopping})
			h.tell(instances.Report{Status: instances.Idle})
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			h.storeAll(last)
			cancel()
			return
		case <-h.news:
			h.storeAll(ctx)
		}
	}
}

// storeAll stores what is queued, however long the database takes.
func (h *herald) storeAll(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; {
		h.mu.Lock()
		if len(h.queue) == 0 {
			h.queue = nil
			h.mu.Unlock()
			return
		}
		next := h.queue[0]
		h.mu.Unlock()
		err := h.keep(ctx, next)
		if err == nil {
			h.mu.Lock()
			h.queue = h.queue[1:]
			h.mu.Unlock()
			continue
		}
		if ctx.Err() != nil {
			return
		}
		h.log.Warn("change of status not stored, will be tried again", "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func (h *herald) keep(ctx context.Context, c change) error {
	if err := h.hooks.Device(ctx, bare(c.jid)); err != nil {
		return err
	}
	e, err := messages.NewEvent("connection."+string(c.Status), "", "", c.At, struct {
		Status instances.Status `json:"status"`
		Reason instances.Reason `json:"reason"`
		Was    instances.Status `json:"previous_status"`
	}{c.Status, c.Reason, c.Was})
	if err != nil {
		return err
	}
	return h.store.Emit(ctx, e)
}

// bare takes the device off a JID.
func bare(jid string) string {
	user, server, found := strings.Cut(jid, "@")
	if !found {
		return jid
	}
	user, _, _ = strings.Cut(user, ":")
	return user + "@" + server
}
