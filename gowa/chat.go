package gowa

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Chats is what the operations on chats need.
type Chats interface {
	PinChat(ctx context.Context, chat string, pinned bool) error
	ArchiveChat(ctx context.Context, chat string, archived bool) error
	LabelChat(ctx context.Context, chat, label, name string, labeled bool) error
	SetDisappearing(ctx context.Context, chat string, after time.Duration) error
}

var chatRoutes = []route{
	{method: http.MethodPost, path: "/chat/{chat_jid}/pin", do: (*API).pinChat},
	{method: http.MethodPost, path: "/chat/{chat_jid}/archive", do: (*API).archiveChat},
	{method: http.MethodPost, path: "/chat/{chat_jid}/disappearing", do: (*API).setDisappearing},
	{method: http.MethodPost, path: "/chat/{chat_jid}/label", do: (*API).labelChat},
}

// chatChange is what the operations on one chat result in.
type chatChange struct {
	Status       string `json:"status"`
	Message      string `json:"message"`
	ChatJID      string `json:"chat_jid"`
	Pinned       *bool  `json:"pinned,omitempty"`
	Archived     *bool  `json:"archived,omitempty"`
	TimerSeconds *int   `json:"timer_seconds,omitempty"`
	LabelID      string `json:"label_id,omitempty"`
	Labeled      *bool  `json:"labeled,omitempty"`
}

// changed answers a change of a chat that worked, or that did not.
func changed(err error, message string, c chatChange) (string, any, error) {
	if err != nil {
		return "", nil, err
	}
	c.Status, c.Message = "success", message
	return message, c, nil
}

func (a *API) pinChat(r *request) (string, any, error) {
	chat, pinned := r.address("chat_jid"), r.requiredFlag("pinned")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Chat unpinned successfully"
	if pinned {
		message = "Chat pinned successfully"
	}
	return changed(a.o.Number.PinChat(r.Context(), chat, pinned), message, chatChange{ChatJID: chat, Pinned: &pinned})
}

func (a *API) archiveChat(r *request) (string, any, error) {
	chat, archived := r.address("chat_jid"), r.requiredFlag("archived")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Chat unarchived successfully"
	if archived {
		message = "Chat archived successfully"
	}
	return changed(a.o.Number.ArchiveChat(r.Context(), chat, archived), message, chatChange{ChatJID: chat, Archived: &archived})
}

func (a *API) setDisappearing(r *request) (string, any, error) {
	chat, seconds := r.address("chat_jid"), r.duration("timer_seconds")
	if seconds == nil {
		r.bad("timer_seconds", "cannot be blank.")
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	after := int(*seconds)
	message := "Disappearing messages disabled"
	if after > 0 {
		message = fmt.Sprintf("Disappearing messages set to %d seconds", after)
	}
	err := a.o.Number.SetDisappearing(r.Context(), chat, time.Duration(after)*time.Second)
	return changed(err, message, chatChange{ChatJID: chat, TimerSeconds: &after})
}

// labelChat is no longer in gowa; its clients still ask for it.
func (a *API) labelChat(r *request) (string, any, error) {
	chat, label, labeled := r.address("chat_jid"), r.required("label_id"), r.requiredFlag("labeled")
	name := r.text("label_name")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Label removed from chat"
	if labeled {
		message = "Label applied to chat"
	}
	err := a.o.Number.LabelChat(r.Context(), chat, label, name, labeled)
	return changed(err, message, chatChange{ChatJID: chat, LabelID: label, Labeled: &labeled})
}
