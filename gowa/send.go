package gowa

import (
	"context"
	"fmt"
	"net/http"

	"switchboard/fault"
	"switchboard/instances"
)

// Sender is what the operations that send need.
type Sender interface {
	SendText(ctx context.Context, to, text string) (instances.Sent, error)
}

var sendRoutes = []route{
	{method: http.MethodPost, path: "/send/message", do: (*API).sendMessage},
}

// sent is what a send results in.
type sent struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

func (a *API) sendMessage(r *request) (string, any, error) {
	phone, message := r.address("phone"), r.required("message")
	// What would be left out of the message silently is refused.
	if r.text("reply_message_id") != "" || len(r.list("mentions")) > 0 || r.integer("duration", 0, 0, 7776000) != 0 || r.flag("is_forwarded", false) {
		return "", nil, fault.New(fault.Invalid, "Replies, mentions, durations and forwards are not supported yet.")
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.SendText(r.Context(), phone, message)
	if err != nil {
		return "", nil, err
	}
	text := fmt.Sprintf("Message sent to %s (server timestamp: %s)", phone, m.At.Format("2006-01-02 15:04:05 -0700 MST"))
	return text, sent{MessageID: m.ID, Status: text}, nil
}
