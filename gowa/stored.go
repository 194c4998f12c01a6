package gowa

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/messages"
)

// Stored is what the operations need that read what the number keeps.
type Stored interface {
	// Stored returns what is kept. StoredAs returns the form in which an address is kept.
	Stored() *messages.Messages
	StoredAs(ctx context.Context, jid string) string
	Media(ctx context.Context, chat, id string) (messages.File, error)
	MediaNamed(ctx context.Context, file string) (messages.File, error)
	OpenMedia(ctx context.Context, f messages.File) (io.ReadSeekCloser, error)
}

var storedRoutes = []route{
	{method: http.MethodGet, path: "/chats", do: (*API).listChats},
	{method: http.MethodGet, path: "/chat/{chat_jid}/messages", do: (*API).chatMessages},
	{method: http.MethodGet, path: "/message/{message_id}/download", do: (*API).download},
	{method: http.MethodGet, path: "/message/{message_id}/status", do: (*API).messageStatus},
	{method: http.MethodGet, path: "/messages/search", do: (*API).searchMessages},
	{method: http.MethodGet, path: "/statics/media/{name}", do: (*API).mediaFile},
}

// maxListed is how many things one answer lists at most.
const maxListed = 100

// pagination tells which part of a list an answer has.
type pagination struct {
	Limit  int `json:"limit"`
	Offset int `json:"offset"`
	Total  int `json:"total"`
}

// page reads which part is asked for. A limit of 0 is as good as none, as in gowa.
func (r *request) page(fallback int) pagination {
	return pagination{Limit: cmp.Or(r.integer("limit", 0, 0, maxListed), fallback), Offset: r.integer("offset", 0, 0, 1<<31-1)}
}

// chat is a chat in the answers.
type chat struct {
	JID                 string `json:"jid"`
	Name                string `json:"name"`
	LastMessageTime     string `json:"last_message_time"`
	EphemeralExpiration int    `json:"ephemeral_expiration"`
	CreatedAt           string `json:"created_at"`
	UpdatedAt           string `json:"updated_at"`
	Archived            bool   `json:"archived"`

	// Not in gowa.
	LID    string `json:"lid,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Pinned bool   `json:"pinned,omitempty"`
	Muted  bool   `json:"muted,omitempty"`
	Unread int    `json:"unread_count,omitempty"`
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func chatOf(c messages.Chat) chat {
	return chat{
		JID: c.JID, Name: orUser(c.Name, c.JID), LastMessageTime: utc(c.LastAt), EphemeralExpiration: int(c.Ephemeral / time.Second),
		CreatedAt: utc(c.CreatedAt), UpdatedAt: utc(c.UpdatedAt), Archived: c.Archived,
		LID: c.LID, Kind: string(messages.KindOfChat(c.JID)), Pinned: !c.PinnedAt.IsZero(), Muted: c.MutedUntil.After(time.Now()), Unread: c.Unread,
	}
}

// orUser is a name, or what an address has before its server where there is none.
func orUser(name, jid string) string {
	if name != "" {
		return name
	}
	user, _, _ := strings.Cut(jid, "@")
	return user
}

func (a *API) listChats(r *request) (string, any, error) {
	p := r.page(25)
	f := messages.ChatFilter{
		Written: true, Search: strings.TrimSpace(r.text("search")), HasMedia: r.flag("has_media", false), Archived: r.maybe("archived"), Limit: p.Limit, Offset: p.Offset,
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, total, err := a.o.Number.Stored().Chats(r.Context(), f)
	if err != nil {
		return "", nil, err
	}
	p.Total = total
	data := make([]chat, len(all))
	for i, c := range all {
		data[i] = chatOf(c)
	}
	return "Success get chat list", map[string]any{"data": data, "pagination": p}, nil
}

// kept is a message in the answers.
type kept struct {
	ID                string    `json:"id"`
	ChatJID           string    `json:"chat_jid"`
	SenderJID         string    `json:"sender_jid"`
	SenderDisplayName string    `json:"sender_display_name"`
	Content           string    `json:"content"`
	Timestamp         string    `json:"timestamp"`
	IsFromMe          bool      `json:"is_from_me"`
	MediaType         string    `json:"media_type"`
	Reactions         []reacted `json:"reactions,omitempty"`
	CallMetadata      string    `json:"call_metadata,omitempty"`
	Filename          string    `json:"filename"`
	URL               string    `json:"url"`
	FileLength        int64     `json:"file_length"`
	CreatedAt         string    `json:"created_at"`
	UpdatedAt         string    `json:"updated_at"`

	// Not in gowa.
	SenderLID string `json:"sender_lid,omitempty"`
	Kind      string `json:"kind,omitempty"`
	RepliedTo string `json:"replied_to_id,omitempty"`
	Status    string `json:"status,omitempty"`
	EditedAt  string `json:"edited_at,omitempty"`
	RevokedAt string `json:"revoked_at,omitempty"`
	Path      string `json:"file_path,omitempty"`
}

type reacted struct {
	Emoji             string `json:"emoji"`
	SenderJID         string `json:"sender_jid"`
	SenderDisplayName string `json:"sender_display_name"`
	IsFromMe          bool   `json:"is_from_me"`
	Timestamp         string `json:"timestamp"`
	SenderLID         string `json:"sender_lid,omitempty"` // not in gowa
}

// display is how a person is called: the account itself as it calls itself.
func (a *API) display(fromMe bool, name, jid string) string {
	if own := a.o.Number.Report().PushName; fromMe && own != "" {
		return own
	}
	return orUser(name, jid)
}

func (a *API) keptOf(m messages.Message) kept {
	k := kept{
		ID: m.ID, ChatJID: m.Chat, SenderJID: m.Sender, SenderDisplayName: a.display(m.FromMe, m.Name, m.Sender), Content: m.Text,
		Timestamp: utc(m.At), IsFromMe: m.FromMe, CreatedAt: utc(m.StoredAt), UpdatedAt: utc(m.StoredAt),
		SenderLID: m.SenderLID, Kind: string(m.Kind), RepliedTo: m.Quoted, Status: string(m.Status),
	}
	if !m.EditedAt.IsZero() {
		k.EditedAt, k.UpdatedAt = utc(m.EditedAt), utc(m.EditedAt)
	}
	if !m.RevokedAt.IsZero() { // what somebody took back is kept, and not shown
		k.RevokedAt, k.UpdatedAt, k.Content = utc(m.RevokedAt), utc(m.RevokedAt), ""
		return k
	}
	for _, r := range m.Reactions {
		k.Reactions = append(k.Reactions, reacted{r.Emoji, r.Person, a.display(r.FromMe, r.Name, r.Person), r.FromMe, utc(r.At), r.PersonLID})
	}
	if d := m.Media; d != nil {
		k.MediaType, k.Filename, k.URL, k.FileLength, k.Path = string(d.Type), d.Name, d.URL, d.Size, "statics/media/"+d.File
		if k.Filename == "" {
			k.Filename = d.File
		}
	}
	if c := m.Call; c != nil {
		k.MediaType = "call"
		text, _ := json.Marshal(map[string]any{ // nothing in it fails
			"call_id": c.ID, "auto_rejected": c.Outcome == messages.Declined, "outcome": string(c.Outcome), "video": c.Video,
		})
		k.CallMetadata = string(text)
	}
	return k
}

func (a *API) chatMessages(r *request) (string, any, error) {
	p := r.page(50)
	jid := r.address("chat_jid")
	f := messages.Filter{
		From: r.moment("start_time"), To: r.moment("end_time"), MediaOnly: r.flag("media_only", false), FromMe: r.maybe("is_from_me"),
		Search: strings.TrimSpace(r.text("search")), Limit: p.Limit, Offset: p.Offset,
	}
	if f.MediaOnly && f.FromMe != nil && !*f.FromMe { // as gowa has it
		f.FromMe = nil
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	f.Chat = a.o.Number.StoredAs(r.Context(), jid)
	store := a.o.Number.Stored()
	chats, _, err := store.Chats(r.Context(), messages.ChatFilter{JID: f.Chat})
	if err != nil {
		return "", nil, err
	}
	if len(chats) == 0 {
		return "", nil, fault.New(fault.NotFound, "This number has no chat with "+jid+".")
	}
	all, total, err := store.InChat(r.Context(), f)
	if err != nil {
		return "", nil, err
	}
	p.Total = total
	return "Success get chat messages", map[string]any{"data": a.keptAll(all), "pagination": p, "chat_info": chatOf(chats[0])}, nil
}

func (a *API) keptAll(all []messages.Message) []kept {
	data := make([]kept, len(all))
	for i, m := range all {
		data[i] = a.keptOf(m)
	}
	return data
}

// searchMessages is not in gowa: it finds words in all chats.
func (a *API) searchMessages(r *request) (string, any, error) {
	query, limit := r.required("query"), r.integer("limit", 50, 1, maxListed)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	all, err := a.o.Number.Stored().Search(r.Context(), query, limit)
	if err != nil {
		return "", nil, err
	}
	return "Success search messages", map[string]any{"data": a.keptAll(all)}, nil
}

// progress is how far a message got with one person.
type progress struct {
	JID         string `json:"jid"`
	LID         string `json:"lid,omitempty"`
	DeliveredAt string `json:"delivered_at,omitempty"`
	ReadAt      string `json:"read_at,omitempty"`
	PlayedAt    string `json:"played_at,omitempty"`
}

// messageStatus is not in gowa.
func (a *API) messageStatus(r *request) (string, any, error) {
	id := r.required("message_id")
	if waits, err := a.unsent(r.Context(), id); err != nil || waits != nil {
		return "Success get message status", waits, err
	}
	chat, err := a.sentTo(r, id)
	if err != nil {
		return "", nil, err
	}
	p, err := a.o.Number.Stored().Progress(r.Context(), chat, id)
	if err != nil {
		return "", nil, err
	}
	people := make([]progress, len(p.People))
	for i, one := range p.People {
		people[i] = progress{JID: one.Person, LID: one.PersonLID}
		for to, at := range map[*string]time.Time{&people[i].DeliveredAt: one.DeliveredAt, &people[i].ReadAt: one.ReadAt, &people[i].PlayedAt: one.PlayedAt} {
			if !at.IsZero() {
				*to = utc(at)
			}
		}
	}
	result := map[string]any{"message_id": id, "status": string(p.Status), "timestamp": utc(p.At), "receipts": people}
	if p.Reason != "" {
		result["reason"] = p.Reason
	}
	return "Success get message status", result, nil
}

func (a *API) download(r *request) (string, any, error) {
	jid, id, err := r.about()
	if err != nil {
		return "", nil, err
	}
	f, err := a.o.Number.Media(r.Context(), a.o.Number.StoredAs(r.Context(), jid), id)
	if err != nil {
		return "", nil, err
	}
	name := f.Name
	if name == "" {
		name = f.File
	}
	const text = "Media downloaded successfully"
	return text, map[string]any{
		"message_id": id, "status": text, "media_type": string(f.Type), "filename": name, "file_path": "statics/media/" + f.File,
		"file_url": a.address(r, "/statics/media/"+f.File), "file_size": f.Size,
	}, nil
}

// mediaFile answers with a file itself. Whoever sent it decided what is in it, so a browser is
// told to show nothing but what cannot run.
func (a *API) mediaFile(r *request) (string, any, error) {
	f, err := a.o.Number.MediaNamed(r.Context(), r.text("name"))
	if err != nil {
		return "", nil, err
	}
	file, err := a.o.Number.OpenMedia(r.Context(), f)
	if err != nil {
		return "", nil, err
	}
	return "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { _ = file.Close() }()
		kind, disposition := "application/octet-stream", "attachment"
		if media, _, err := mime.ParseMediaType(f.MIME); err == nil && harmless(media) {
			kind, disposition = media, "inline"
		}
		name := f.Name
		if name == "" {
			name = f.File
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": path.Base(clean(name))}))
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Cache-Control", "private")
		http.ServeContent(w, r, "", f.StoredAt, file)
	}), nil
}

// harmless tells whether a browser may show media of that type by itself.
func harmless(media string) bool {
	kind, sub, _ := strings.Cut(media, "/")
	return (kind == "image" && sub != "svg+xml") || kind == "video" || kind == "audio"
}
