package gowa

import (
	"encoding/json"
	"strings"
	"time"

	"switchboard/messages"
)

// longestPage is how many chats or messages one answer has at most.
const longestPage = 100

// pagination says which part of a list an answer is.
type pagination struct {
	Limit  int `json:"limit"`
	Offset int `json:"offset"`
	Total  int `json:"total"`
}

// page returns which part of a list is wanted.
func (r *request) page(usual int) (limit, offset int) {
	if limit = r.integer("limit", usual, 0, longestPage); limit == 0 {
		limit = usual
	}
	return limit, r.integer("offset", 0, 0, 1<<31-1)
}

type chat struct {
	JID                 string    `json:"jid"`
	LID                 string    `json:"lid,omitempty"`
	Name                string    `json:"name"`
	LastMessageTime     time.Time `json:"last_message_time"`
	EphemeralExpiration int       `json:"ephemeral_expiration"`
	CreatedAt           time.Time `json:"created_at"`
	UpdatedAt           time.Time `json:"updated_at"`
	Archived            bool      `json:"archived"`
	Pinned              bool      `json:"pinned"`
	Unread              int       `json:"unread_count"`
}

func chatOf(c messages.Chat) chat {
	out := chat{
		JID: c.JID, LID: c.LID, Name: c.Name, LastMessageTime: c.LastAt.UTC(), EphemeralExpiration: int(c.Ephemeral / time.Second),
		CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(), Archived: c.Archived, Pinned: !c.PinnedAt.IsZero(), Unread: c.Unread,
	}
	if out.Name == "" { // a chat is called something
		out.Name, _, _ = strings.Cut(c.JID, "@")
	}
	return out
}

type chats struct {
	Data       []chat     `json:"data"`
	Pagination pagination `json:"pagination"`
}

func (a *API) chats(r *request) (string, any, error) {
	f := messages.ChatFilter{Written: true, Search: strings.TrimSpace(r.text("search")), HasMedia: r.flag("has_media", false), Archived: r.maybe("archived")}
	f.Limit, f.Offset = r.page(25)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, total, err := a.o.Number.Chats(r.Context(), f)
	if err != nil {
		return "", nil, err
	}
	out := chats{Data: make([]chat, len(all)), Pagination: pagination{f.Limit, f.Offset, total}}
	for i, c := range all {
		out.Data[i] = chatOf(c)
	}
	return "Success get chat list", out, nil
}

type reaction struct {
	Emoji             string    `json:"emoji"`
	SenderJID         string    `json:"sender_jid"`
	SenderDisplayName string    `json:"sender_display_name"`
	IsFromMe          bool      `json:"is_from_me"`
	Timestamp         time.Time `json:"timestamp"`
}

type chatMessage struct {
	ID                string     `json:"id"`
	ChatJID           string     `json:"chat_jid"`
	SenderJID         string     `json:"sender_jid"`
	SenderLID         string     `json:"sender_lid,omitempty"`
	SenderDisplayName string     `json:"sender_display_name"`
	Content           string     `json:"content"`
	Timestamp         time.Time  `json:"timestamp"`
	IsFromMe          bool       `json:"is_from_me"`
	MediaType         string     `json:"media_type"`
	Reactions         []reaction `json:"reactions,omitempty"`
	CallMetadata      string     `json:"call_metadata,omitempty"` // JSON in text, as in the original
	Filename          string     `json:"filename"`
	URL               string     `json:"url"`
	FileLength        int64      `json:"file_length"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`

	// What the original does not tell.
	Kind    messages.Kind     `json:"kind"`
	Status  messages.Delivery `json:"status,omitempty"`
	Revoked bool              `json:"is_revoked,omitempty"`
	Edited  bool              `json:"is_edited,omitempty"`
}

// callMetadata is what is told of a call.
type callMetadata struct {
	CallID  string           `json:"call_id"`
	Outcome messages.Outcome `json:"outcome"`
	Video   bool             `json:"is_video"`
}

func messageOf(m messages.Message) chatMessage {
	out := chatMessage{
		ID: m.ID, ChatJID: m.Chat, SenderJID: m.Sender, SenderLID: m.SenderLID, SenderDisplayName: m.Name, Timestamp: m.At.UTC(),
		IsFromMe: m.FromMe, CreatedAt: m.StoredAt.UTC(), UpdatedAt: m.StoredAt.UTC(), Kind: m.Kind, Status: m.Status,
		Revoked: !m.RevokedAt.IsZero(), Edited: !m.EditedAt.IsZero(),
	}
	if m.StoredAt.IsZero() {
		out.CreatedAt, out.UpdatedAt = out.Timestamp, out.Timestamp
	}
	for _, at := range []time.Time{m.EditedAt, m.RevokedAt} {
		if at.After(out.UpdatedAt) {
			out.UpdatedAt = at.UTC()
		}
	}
	if out.Revoked {
		return out // what it said is gone
	}
	out.Content = m.Text
	if f := m.Media; f != nil {
		out.MediaType, out.Filename, out.URL, out.FileLength = string(f.Type), f.Name, f.URL, f.Size
	}
	if c := m.Call; c != nil {
		raw, _ := json.Marshal(callMetadata{c.ID, c.Outcome, c.Video}) // plain data
		out.CallMetadata = string(raw)
	}
	for _, x := range m.Reactions {
		out.Reactions = append(out.Reactions, reaction{x.Emoji, x.Person, x.Name, x.FromMe, x.At.UTC()})
	}
	return out
}

type chatMessages struct {
	Data       []chatMessage `json:"data"`
	Pagination pagination    `json:"pagination"`
	ChatInfo   chat          `json:"chat_info"`
}

func (a *API) chatMessages(r *request) (string, any, error) {
	jid := r.address("chat_jid")
	f := messages.Filter{
		From: r.moment("start_time"), To: r.moment("end_time"), MediaOnly: r.flag("media_only", false),
		FromMe: r.maybe("is_from_me"), Search: strings.TrimSpace(r.text("search")),
	}
	f.Limit, f.Offset = r.page(50)
	if f.MediaOnly && f.FromMe != nil && !*f.FromMe {
		f.FromMe = nil // so it is in the original
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	c, all, total, err := a.o.Number.InChat(r.Context(), jid, f)
	if err != nil {
		return "", nil, err
	}
	out := chatMessages{Data: make([]chatMessage, len(all)), Pagination: pagination{f.Limit, f.Offset, total}, ChatInfo: chatOf(c)}
	for i, m := range all {
		out.Data[i] = messageOf(m)
	}
	return "Success get chat messages", out, nil
}
