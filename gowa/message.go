package gowa

import (
	"context"
	"net/http"

	"switchboard/instances"
	"switchboard/whatsapp"
)

// Actor is what the operations on a message need. A chat is a JID.
type Actor interface {
	React(ctx context.Context, chat, id, emoji string) (instances.Sent, error)
	Revoke(ctx context.Context, chat, id string) (instances.Sent, error)
	Edit(ctx context.Context, chat, id, text string) (instances.Sent, error)
	MarkRead(ctx context.Context, chat, id string) error
	Star(ctx context.Context, chat, id string, starred bool) error
	DeleteForMe(ctx context.Context, chat, id string) error
	Forward(ctx context.Context, to, id string, again bool, x whatsapp.Extras) (instances.Sent, error)
}

var messageRoutes = []route{
	{method: http.MethodPost, path: "/message/{message_id}/reaction", do: (*API).react},
	{method: http.MethodPost, path: "/message/{message_id}/revoke", do: (*API).revoke},
	{method: http.MethodPost, path: "/message/{message_id}/delete", do: (*API).deleteForMe},
	{method: http.MethodPost, path: "/message/{message_id}/update", do: (*API).edit},
	{method: http.MethodPost, path: "/message/{message_id}/read", do: (*API).markRead},
	{method: http.MethodPost, path: "/message/{message_id}/star", do: (*API).star},
	{method: http.MethodPost, path: "/message/{message_id}/unstar", do: (*API).unstar},
	{method: http.MethodPost, path: "/message/{message_id}/forward", do: (*API).forward},
}

// about returns the message and the chat that a request is about.
func (r *request) about() (chat, id string, err error) {
	chat, id = r.address("phone"), r.required("message_id")
	return chat, id, r.err()
}

func (a *API) react(r *request) (string, any, error) {
	emoji := r.text("emoji")
	if len([]rune(emoji)) > 32 {
		r.bad("emoji", "has to be one emoji, or nothing to take it off.")
	}
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.React(r.Context(), chat, id, emoji)
	if err != nil {
		return "", nil, err
	}
	return taken("Reaction sent to "+chat, m)
}

func (a *API) revoke(r *request) (string, any, error) {
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.Revoke(r.Context(), chat, id)
	if err != nil {
		return "", nil, err
	}
	return taken("Revoke success "+chat, m)
}

func (a *API) edit(r *request) (string, any, error) {
	message := r.required("message")
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.Edit(r.Context(), chat, id, message)
	if err != nil {
		return "", nil, err
	}
	return taken("Update message success "+chat, m)
}

func (a *API) markRead(r *request) (string, any, error) {
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	if err := a.o.Number.MarkRead(r.Context(), chat, id); err != nil {
		return "", nil, err
	}
	text := "Mark as read success " + id
	return text, sent{MessageID: id, Status: text}, nil
}

func (a *API) deleteForMe(r *request) (string, any, error) {
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	return "Message deleted successfully", nil, a.o.Number.DeleteForMe(r.Context(), chat, id)
}

func (a *API) star(r *request) (string, any, error)   { return a.setStar(r, true) }
func (a *API) unstar(r *request) (string, any, error) { return a.setStar(r, false) }

func (a *API) setStar(r *request, on bool) (string, any, error) {
	chat, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	message := "Starred message successfully"
	if !on {
		message = "Unstarred message successfully"
	}
	return message, nil, a.o.Number.Star(r.Context(), chat, id, on)
}

func (a *API) forward(r *request) (string, any, error) {
	again, expires := r.flag("force_reupload", false), r.duration("duration")
	to, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.Forward(r.Context(), to, id, again, whatsapp.Extras{Expires: expires})
	if err != nil {
		return "", nil, err
	}
	return taken("Message forwarded to "+to, m)
}
