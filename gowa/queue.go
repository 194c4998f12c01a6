package gowa

import (
	"context"
	"net/http"
	"time"

	"switchboard/fault"
	"switchboard/messages"
	"switchboard/sending"
)

// What waits to be sent is no business of the original's; these operations are ours.
var queueRoutes = []route{
	{method: http.MethodGet, path: "/queue", do: (*API).listQueue},
	{method: http.MethodDelete, path: "/queue/{queue_id}", do: (*API).cancelSend},
}

// waiting is something that waits to be sent.
type waiting struct {
	ID        string    `json:"id"`
	MessageID string    `json:"message_id"`
	Operation string    `json:"operation"`
	Phone     string    `json:"phone"`
	State     string    `json:"state"`
	SendAt    time.Time `json:"send_at"`
	Attempts  int       `json:"attempts"`
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
}

const longestQueue = 1000 // that is listed

func (a *API) listQueue(r *request) (string, any, error) {
	list := []waiting{}
	if a.o.Sends != nil {
		all, err := a.o.Sends.List(r.Context(), r.integer("limit", 100, 1, longestQueue))
		if err := r.err(); err != nil {
			return "", nil, err
		}
		if err != nil {
			return "", nil, err
		}
		for _, s := range all {
			list = append(list, show(s))
		}
	}
	return "Queue retrieved", map[string]any{"data": list}, nil
}

func show(s sending.Send) waiting {
	return waiting{
		ID: s.ID, MessageID: s.MessageID, Operation: s.Path, Phone: s.Chat, State: string(s.State), SendAt: s.Due,
		Attempts: s.Attempts, Reason: s.Reason, CreatedAt: s.CreatedAt,
	}
}

func (a *API) cancelSend(r *request) (string, any, error) {
	if a.o.Sends == nil {
		return "", nil, fault.New(fault.NotFound, "There is nothing with this id in the queue.")
	}
	return "Message cancelled", nil, a.o.Sends.Cancel(r.Context(), r.required("queue_id"))
}

// unsent says how a message is that waits for its time or turn, or never got further; nil
// for any other.
func (a *API) unsent(ctx context.Context, id string) (any, error) {
	if a.o.Sends == nil {
		return nil, nil
	}
	s, found, err := a.o.Sends.OfMessage(ctx, id)
	if err != nil || !found {
		return nil, err
	}
	status := map[sending.State]messages.Delivery{
		sending.Waiting: messages.Queued, sending.Failed: messages.NotSent, sending.Cancelled: messages.NotSent,
	}[s.State]
	if status == "" {
		return nil, nil // being sent, or sent: what is stored knows more
	}
	out := map[string]any{"message_id": id, "status": string(status), "timestamp": utc(s.ChangedAt), "receipts": []progress{}}
	if s.Reason != "" {
		out["reason"] = s.Reason
	}
	if s.State == sending.Waiting {
		out["send_at"], out["queue_id"] = utc(s.Due), s.ID
	}
	return out, nil
}

// sentTo returns the chat that a message from here went to: as the request says, or as it is
// stored.
func (a *API) sentTo(r *request, id string) (string, error) {
	if r.text("phone") != "" {
		jid, _, err := r.about()
		return a.o.Number.StoredAs(r.Context(), jid), err
	}
	if err := r.err(); err != nil {
		return "", err
	}
	return a.o.Number.Stored().SentTo(r.Context(), id)
}
