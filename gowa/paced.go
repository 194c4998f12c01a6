package gowa

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/sending"
	"switchboard/whatsapp"
)

// SendText sends a text as POST /send/message does, at the number's pace: what is Queued in
// the end waits for its turn. to is a phone number or a JID.
func (a *API) SendText(ctx context.Context, to, text string) (instances.Sent, error) {
	if a.o.Sends == nil || !a.o.Sends.Paced() {
		return a.o.Number.Send(ctx, to, whatsapp.Text(text), whatsapp.Extras{})
	}
	const path = "/send/message"
	in := &request{values: map[string]any{"phone": to, "message": text}, region: *a.region.Load()}
	var err error
	if in.Request, err = http.NewRequestWithContext(ctx, http.MethodPost, path, http.NoBody); err != nil {
		return instances.Sent{}, err
	}
	route := sendRoutes[slices.IndexFunc(sendRoutes, func(r route) bool { return r.path == path })]
	s := sending.Send{Path: path}
	if s.Hash, err = in.hash(route); err == nil {
		s, err = a.queue(route, in, s)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Field == "phone" {
		return instances.Sent{}, &fault.Error{Kind: f.Kind, Field: "to", Message: strings.TrimPrefix(f.Message, "phone: "), Err: err}
	}
	if err != nil {
		return instances.Sent{}, err
	}
	var answer struct {
		Message string
		Results sent
	}
	if len(s.Answer.Body) > 0 {
		if err := json.Unmarshal(s.Answer.Body, &answer); err != nil {
			return instances.Sent{}, err
		}
	}
	switch {
	case s.State == sending.Waiting || s.State == sending.Working:
		return instances.Sent{ID: s.MessageID, Chat: s.Chat, Queued: true}, nil
	case s.Answer.Status == http.StatusOK:
		return instances.Sent{ID: answer.Results.MessageID, Chat: s.Chat, At: s.ChangedAt}, nil
	case answer.Message != "":
		return instances.Sent{}, fault.New(fault.OfStatus(s.Answer.Status), answer.Message)
	}
	return instances.Sent{}, fault.New(fault.Conflict, "This message was not sent. "+s.Reason)
}
