package web

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"switchboard/fault"
	"switchboard/whatsapp/simulator/phone"
)

// maxWait is the longest a request for new messages is held.
const maxWait = time.Minute

// Messages is a page of messages. After is the highest Seq in it, or the one asked with.
type Messages struct {
	Messages []phone.Entry  `json:"messages"`
	After    int64          `json:"after"`
	Activity phone.Activity `json:"activity"` // of the chat's other side, if a chat was named
}

func (s *server) listChats(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	chats, err := p.Chats(r.Context())
	if err != nil {
		return err
	}
	if chats == nil {
		chats = []phone.Chat{}
	}
	return answer(w, http.StatusOK, map[string]any{"chats": chats})
}

// listMessages has two forms: with "after" the changes since then, waiting for one if asked
// to; with "chat" alone the last messages of that chat.
func (s *server) listMessages(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	q := r.URL.Query()
	chat := q.Get("chat")
	if !q.Has("after") {
		limit := 50
		if q.Has("limit") {
			n, err := strconv.Atoi(q.Get("limit"))
			if err != nil || n < 1 || n > 500 {
				return fault.InField("limit", "Ask for 1 to 500 messages.")
			}
			limit = n
		}
		out := Messages{After: p.Seq()}
		var err error
		if out.Messages, err = p.Entries(r.Context(), chat, limit); err != nil {
			return err
		}
		out.Activity = p.Activity(chat)
		return answer(w, http.StatusOK, out)
	}
	after, err := strconv.ParseInt(q.Get("after"), 10, 64)
	if err != nil || after < 0 {
		return fault.InField("after", "Give the number that came as \"after\" with the last answer, or 0.")
	}
	var wait time.Duration
	if q.Has("wait") {
		if wait, err = time.ParseDuration(q.Get("wait")); err != nil || wait < 0 || wait > maxWait {
			return fault.InField("wait", "Give a time up to a minute, like 30s.")
		}
	}
	out, err := s.changes(r.Context(), p, after, wait)
	if err != nil {
		return err
	}
	out.Activity = p.Activity(chat)
	return answer(w, http.StatusOK, out)
}

func (s *server) changes(ctx context.Context, p *phone.Phone, after int64, wait time.Duration) (Messages, error) {
	out := Messages{Messages: []phone.Entry{}, After: after}
	all, err := p.Changes(ctx, after)
	if len(all) == 0 && err == nil && wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
		if all, err = p.Watch(ctx, after); errors.Is(err, context.DeadlineExceeded) {
			return out, nil
		}
	}
	if err != nil {
		return out, err
	}
	if len(all) > 0 {
		out.Messages, out.After = all, all[len(all)-1].Seq
	}
	return out, nil
}

// File is a file of a message to send.
type File struct {
	Kind    phone.Kind `json:"kind"` // image, video, audio, document
	MIME    string     `json:"mime"`
	Name    string     `json:"name,omitempty"`
	Caption string     `json:"caption,omitempty"`
	Voice   bool       `json:"voice,omitempty"`
	Data    []byte     `json:"data"` // Base64
}

// Poll is a question to send.
type Poll struct {
	Question   string   `json:"question"`
	Options    []string `json:"options"`
	Selectable int      `json:"selectable"` // 0 for any number
}

func (s *server) sendMessage(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		To      string `json:"to"`
		Text    string `json:"text"`
		ReplyTo string `json:"reply_to"`
		File    *File  `json:"file"`
		Poll    *Poll  `json:"poll"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	var sent phone.Entry
	var err error
	switch {
	case in.File != nil:
		sent, err = p.SendFile(r.Context(), in.To, phone.File(*in.File))
	case in.Poll != nil:
		sent, err = p.SendPoll(r.Context(), in.To, phone.Question{Text: in.Poll.Question, Options: in.Poll.Options, Selectable: in.Poll.Selectable})
	case in.ReplyTo != "":
		sent, err = p.Reply(r.Context(), in.To, in.ReplyTo, in.Text)
	default:
		sent, err = p.SendText(r.Context(), in.To, in.Text)
	}
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, sent)
}

func (s *server) changeMessage(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Chat     string   `json:"chat"`
		Text     *string  `json:"text"`
		Reaction *string  `json:"reaction"`
		Votes    []string `json:"votes"`
		Revoked  bool     `json:"revoked"`
		Deleted  bool     `json:"deleted"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	ctx, id := r.Context(), r.PathValue("id")
	var err error
	switch {
	case in.Revoked:
		err = p.Revoke(ctx, in.Chat, id)
	case in.Deleted:
		err = p.DeleteForMe(ctx, in.Chat, id)
	case in.Text != nil:
		err = p.Edit(ctx, in.Chat, id, *in.Text)
	case in.Reaction != nil:
		err = p.React(ctx, in.Chat, id, *in.Reaction)
	case in.Votes != nil:
		err = p.Vote(ctx, in.Chat, id, in.Votes)
	default:
		err = fault.New(fault.Invalid, "Say what to change: text, reaction, votes, revoked or deleted.")
	}
	if err != nil {
		return err
	}
	return done(w)
}

func (s *server) downloadFile(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	chat, id := r.URL.Query().Get("chat"), r.PathValue("id")
	entry, err := p.Entry(r.Context(), chat, id)
	if err != nil {
		return err
	}
	data, err := p.Download(r.Context(), chat, id)
	if err != nil {
		return err
	}
	disposition := "attachment"
	kind := "application/octet-stream"
	// Only what a browser shows without running anything is shown in place.
	switch entry.Media.MIME {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		disposition, kind = "inline", entry.Media.MIME
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": entry.Media.Name}))
	_, _ = w.Write(data) // the client has gone away
	return nil
}

// expireFile has the network forget a file, and the phone, too, unless it keeps its copy.
func (s *server) expireFile(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Chat string `json:"chat"`
		Kept bool   `json:"kept"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	if err := p.Expire(r.Context(), in.Chat, r.PathValue("id"), in.Kept); err != nil {
		return err
	}
	return done(w)
}

func (s *server) markRead(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Chat string   `json:"chat"`
		IDs  []string `json:"ids"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	if err := p.MarkRead(r.Context(), in.Chat, in.IDs...); err != nil {
		return err
	}
	return done(w)
}

func (s *server) typing(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Chat      string `json:"chat"`
		Typing    bool   `json:"typing"`
		Recording bool   `json:"recording"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	if err := p.Typing(r.Context(), in.Chat, in.Typing, in.Recording); err != nil {
		return err
	}
	return done(w)
}

func (s *server) subscribe(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Number string }
	if err := read(r, &in); err != nil {
		return err
	}
	if err := p.Subscribe(r.Context(), in.Number); err != nil {
		return err
	}
	return done(w)
}

func (s *server) listGroups(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	groups, err := p.Groups(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]any{"groups": groups})
}

func (s *server) createGroup(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Name    string   `json:"name"`
		Members []string `json:"members"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	g, err := p.CreateGroup(r.Context(), in.Name, in.Members)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, g)
}

func (s *server) changeGroup(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Add    []string `json:"add"`
		Remove []string `json:"remove"`
		phone.GroupChange
	}
	if err := read(r, &in); err != nil {
		return err
	}
	var errs []error
	if len(in.Add) > 0 {
		errs = append(errs, p.AddToGroup(r.Context(), r.PathValue("id"), in.Add))
	}
	if len(in.Remove) > 0 {
		errs = append(errs, p.RemoveFromGroup(r.Context(), r.PathValue("id"), in.Remove))
	}
	errs = append(errs, p.ChangeGroup(r.Context(), r.PathValue("id"), in.GroupChange))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return done(w)
}
