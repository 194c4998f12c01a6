package gowa

import (
	"net/http"
	"time"

	"switchboard/fault"
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
