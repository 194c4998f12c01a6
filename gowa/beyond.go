package gowa

import (
	"context"
	"net/http"
	"time"

	"switchboard/whatsapp"
)

// More is what the operations need that gowa does not have.
type More interface {
	MuteChat(ctx context.Context, chat string, muted bool, length time.Duration) error
	MarkChat(ctx context.Context, chat string, read bool) error
	SetAbout(ctx context.Context, about string) error
	Blocklist
	Lookups
	Channels
	Communities
}

// Blocklist is what the operations on blocked people need.
type Blocklist interface {
	Blocked(ctx context.Context) ([]whatsapp.Blocked, error)
	SetBlocked(ctx context.Context, phone string, blocked bool) error
}

// Lookups is what the operations need that look people up.
type Lookups interface {
	LookUp(ctx context.Context, queries []string) ([]whatsapp.Lookup, error)
	Resolve(ctx context.Context, address string) (whatsapp.Address, error)
}

// Channels is what the operations need that make and follow channels.
type Channels interface {
	CreateNewsletter(ctx context.Context, name, description string, picture []byte) (whatsapp.Newsletter, error)
	FollowNewsletter(ctx context.Context, channel string) (whatsapp.Newsletter, error)
	MuteNewsletter(ctx context.Context, id string, muted bool) error
}

// Communities is what the operations on communities need.
type Communities interface {
	SubGroups(ctx context.Context, community string) ([]whatsapp.SubGroup, error)
	LinkGroup(ctx context.Context, community, group string, linked bool) error
}

var moreRoutes = []route{
	{method: http.MethodPost, path: "/chat/{chat_jid}/mute", do: (*API).muteChat},
	{method: http.MethodPost, path: "/chat/{chat_jid}/unread", do: (*API).markUnread},
	{method: http.MethodPost, path: "/user/about", do: (*API).setAbout},
	{method: http.MethodGet, path: "/user/blocked", do: (*API).blocked},
	{method: http.MethodPost, path: "/user/blocked", do: (*API).setBlocked},
	{method: http.MethodPost, path: "/user/lookup", do: (*API).lookUp},
	{method: http.MethodGet, path: "/user/resolve", do: (*API).resolve},
	{method: http.MethodPost, path: "/newsletter", do: (*API).createNewsletter, files: map[string]int64{"picture": maxImage}},
	{method: http.MethodPost, path: "/newsletter/follow", do: (*API).followNewsletter},
	{method: http.MethodPost, path: "/newsletter/mute", do: (*API).muteNewsletter},
	{method: http.MethodPost, path: "/community", do: (*API).createCommunity},
	{method: http.MethodGet, path: "/community/groups", do: (*API).subGroups},
	{method: http.MethodPost, path: "/community/groups", do: (*API).linkGroup},
}

// longestMute is a year, in seconds; for longer there is 0, always.
const longestMute = 366 * 24 * 60 * 60

func (a *API) muteChat(r *request) (string, any, error) {
	chat, muted := r.address("chat_jid"), r.requiredFlag("muted")
	seconds := r.integer("seconds", 0, 0, longestMute)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Chat unmuted"
	if muted {
		message = "Chat muted"
	}
	return message, nil, a.o.Number.MuteChat(r.Context(), chat, muted, time.Duration(seconds)*time.Second)
}

func (a *API) markUnread(r *request) (string, any, error) {
	chat, unread := r.address("chat_jid"), r.requiredFlag("unread")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Chat marked as read"
	if unread {
		message = "Chat marked as unread"
	}
	return message, nil, a.o.Number.MarkChat(r.Context(), chat, !unread)
}

func (a *API) setAbout(r *request) (string, any, error) {
	about := r.text("about")
	if _, given := r.values["about"]; !given {
		r.bad("about", "has to be given; an empty one takes the text away.")
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	return "Text about this number changed", nil, a.o.Number.SetAbout(r.Context(), about)
}

func (a *API) blocked(r *request) (string, any, error) {
	all, err := a.o.Number.Blocked(r.Context())
	return "Blocked people", listed[whatsapp.Blocked]{all}, err
}

func (a *API) setBlocked(r *request) (string, any, error) {
	phone, blocked := r.address("phone"), r.requiredFlag("blocked")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "No longer blocked"
	if blocked {
		message = "Blocked"
	}
	return message, nil, a.o.Number.SetBlocked(r.Context(), phone, blocked)
}

func (a *API) lookUp(r *request) (string, any, error) {
	phones := r.addresses("phones")
	if len(phones) == 0 {
		r.bad("phones", "cannot be blank.")
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, err := a.o.Number.LookUp(r.Context(), phones)
	if err != nil {
		return "", nil, err
	}
	for i, text := range r.list("phones") {
		all[i].Query = text
	}
	return "Looked up", listed[whatsapp.Lookup]{all}, nil
}

func (a *API) resolve(r *request) (string, any, error) {
	phone := r.address("phone")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	known, err := a.o.Number.Resolve(r.Context(), phone)
	return "Both forms of the address", known, err
}

func (a *API) createNewsletter(r *request) (string, any, error) {
	name, description := r.required("name"), r.text("description")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	var picture []byte
	if file := r.files["picture"]; file != nil {
		var err error
		if picture, err = avatar(r.Context(), file); err != nil {
			return "", nil, inField("picture", err)
		}
	}
	n, err := a.o.Number.CreateNewsletter(r.Context(), name, description, picture)
	return "Channel made", n, err
}

func (a *API) followNewsletter(r *request) (string, any, error) {
	channel := r.required("newsletter_id")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	n, err := a.o.Number.FollowNewsletter(r.Context(), channel)
	return "Channel followed", n, err
}

func (a *API) muteNewsletter(r *request) (string, any, error) {
	id, muted := r.newsletter(), r.requiredFlag("muted")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Channel unmuted"
	if muted {
		message = "Channel muted"
	}
	return message, nil, a.o.Number.MuteNewsletter(r.Context(), id, muted)
}

func (a *API) createCommunity(r *request) (string, any, error) {
	n := whatsapp.NewGroup{Name: r.required("title"), Participants: r.addresses("participants"), Community: true}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	g, err := a.o.Number.CreateGroup(r.Context(), n)
	return "Community made", groupID{g.JID}, err
}

func (a *API) subGroups(r *request) (string, any, error) {
	id := r.groupIn("community_id")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, err := a.o.Number.SubGroups(r.Context(), id)
	return "Groups of the community", listed[whatsapp.SubGroup]{all}, err
}

func (a *API) linkGroup(r *request) (string, any, error) {
	community, group, linked := r.groupIn("community_id"), r.group(), r.flag("linked", true)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	message := "Group taken out of the community"
	if linked {
		message = "Group made part of the community"
	}
	return message, nil, a.o.Number.LinkGroup(r.Context(), community, group, linked)
}
