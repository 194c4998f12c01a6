package gowa

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/whatsapp"
)

// Sender is what the operations that send need.
type Sender interface {
	Send(ctx context.Context, to string, c whatsapp.Content, x whatsapp.Extras) (instances.Sent, error)
	SetPresence(ctx context.Context, available bool) error
	SetTyping(ctx context.Context, chat string, typing bool) error
}

var sendRoutes = []route{
	{method: http.MethodPost, path: "/send/message", do: (*API).sendMessage},
	{method: http.MethodPost, path: "/send/image", do: (*API).sendImage, files: map[string]int64{"image": maxImage}},
	{method: http.MethodPost, path: "/send/file", do: (*API).sendFile, files: map[string]int64{"file": maxFile}},
	{method: http.MethodPost, path: "/send/video", do: (*API).sendVideo, files: map[string]int64{"video": maxVideo}},
	{method: http.MethodPost, path: "/send/audio", do: (*API).sendAudio, files: map[string]int64{"audio": maxFile}},
	{method: http.MethodPost, path: "/send/sticker", do: (*API).sendSticker, files: map[string]int64{"sticker": maxImage}},
	{method: http.MethodPost, path: "/send/contact", do: (*API).sendContact},
	{method: http.MethodPost, path: "/send/link", do: (*API).sendLink},
	{method: http.MethodPost, path: "/send/location", do: (*API).sendLocation},
	{method: http.MethodPost, path: "/send/poll", do: (*API).sendPoll},
	{method: http.MethodPost, path: "/send/presence", do: (*API).sendPresence},
	{method: http.MethodPost, path: "/send/chat-presence", do: (*API).sendChatPresence},
}

// sent is what a send results in.
type sent struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

// stamp writes a time as the original does in its messages.
func stamp(at time.Time) string { return at.Format("2006-01-02 15:04:05 -0700 MST") }

// extras reads what every message may have.
func (r *request) extras() whatsapp.Extras {
	return whatsapp.Extras{
		ReplyTo: strings.TrimSpace(r.text("reply_message_id")), Forwarded: r.flag("is_forwarded", false),
		Expires: r.duration("duration"), Mentions: r.mentions(),
	}
}

// mentions are the addresses of whom a message mentions, or whatsapp.Everyone.
func (r *request) mentions() []string {
	texts := r.list("mentions")
	for i, text := range texts {
		text = strings.TrimSpace(text)
		if strings.EqualFold(text, whatsapp.Everyone) {
			continue
		}
		jid, err := r.jid(strings.TrimPrefix(text, "@"))
		if err != nil {
			r.bad("mentions", fmt.Sprintf("%q: %s", shorten(text, maxEcho), fault.MessageOf(err)))
			return nil
		}
		texts[i] = jid
	}
	return texts
}

// send sends to the request's "phone"; what is sent, in a word, is for the answer.
func (a *API) send(r *request, what string, c whatsapp.Content) (string, any, error) {
	phone, x := r.address("phone"), r.extras()
	if err := r.err(); err != nil {
		return "", nil, err
	}
	m, err := a.o.Number.Send(r.Context(), phone, c, x)
	if err != nil {
		return "", nil, err
	}
	return taken(what+" sent to "+phone, m)
}

// taken is the answer to what WhatsApp has taken, and when.
func taken(text string, m instances.Sent) (string, any, error) {
	text += " (server timestamp: " + stamp(m.At) + ")"
	if m.Unquoted {
		text += ", without a quote: the message that it answers is not known here"
	}
	return text, sent{MessageID: m.ID, Status: text}, nil
}

func (a *API) sendMessage(r *request) (string, any, error) {
	return a.send(r, "Message", whatsapp.Text(r.required("message")))
}

func (a *API) sendContact(r *request) (string, any, error) {
	name, phone := r.required("contact_name"), r.address("contact_phone")
	digits, isPerson := strings.CutSuffix(phone, userServer)
	if phone != "" && !isPerson {
		r.bad("contact_phone", "has to be a phone number.")
	}
	return a.send(r, "Contact", whatsapp.Contact{Name: name, Phone: digits})
}

func (a *API) sendLocation(r *request) (string, any, error) {
	return a.send(r, "Location", whatsapp.Location{
		Latitude: r.decimal("latitude", 90), Longitude: r.decimal("longitude", 180), Name: r.text("name"), Address: r.text("address"),
	})
}

// Bounds of a poll, which are WhatsApp's.
const (
	maxOptions    = 12
	maxOption     = 100
	maxQuestion   = 255
	leastOptions  = 2
	notInAnyOrder = 1 << 20
)

func (a *API) sendPoll(r *request) (string, any, error) {
	p := whatsapp.Poll{Question: r.required("question"), Options: r.list("options"), Max: r.integer("max_answer", 0, 1, notInAnyOrder)}
	seen := map[string]bool{}
	for _, o := range p.Options {
		if strings.TrimSpace(o) == "" || len([]rune(o)) > maxOption {
			r.bad("options", fmt.Sprintf("have from 1 to %d characters each.", maxOption))
		}
		if seen[o] {
			r.bad("options", "have to be different from each other.")
		}
		seen[o] = true
	}
	if len(p.Options) < leastOptions || len(p.Options) > maxOptions {
		r.bad("options", fmt.Sprintf("have to be from %d to %d.", leastOptions, maxOptions))
	}
	if len([]rune(p.Question)) > maxQuestion {
		r.bad("question", fmt.Sprintf("has at most %d characters.", maxQuestion))
	}
	if r.text("max_answer") == "" {
		r.bad("max_answer", "cannot be blank.")
	} else if p.Max > len(p.Options) {
		r.bad("max_answer", "cannot be more than there are options.")
	}
	return a.send(r, "Poll", p)
}

func (a *API) sendLink(r *request) (string, any, error) {
	link, caption := strings.TrimSpace(r.required("link")), r.required("caption")
	at, err := egress.Parse(link)
	if err != nil && link != "" {
		r.bad("link", fault.MessageOf(err))
	}
	_ = r.address("phone")
	_ = r.extras()
	if err := r.err(); err != nil { // before anything is fetched
		return "", nil, err
	}
	l := whatsapp.Link{Text: caption + "\n" + link, URL: link}
	a.preview(r.Context(), at, &l)
	return a.send(r, "Link", l)
}

func (a *API) sendPresence(r *request) (string, any, error) {
	state := r.oneOf("type", "available", "unavailable")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	if err := a.o.Number.SetPresence(r.Context(), state == "available"); err != nil {
		return "", nil, err
	}
	text := "Send presence success " + state
	return text, sent{MessageID: "presence", Status: text}, nil
}

func (a *API) sendChatPresence(r *request) (string, any, error) {
	phone, action := r.address("phone"), r.oneOf("action", "start", "stop")
	if err := r.err(); err != nil {
		return "", nil, err
	}
	if err := a.o.Number.SetTyping(r.Context(), phone, action == "start"); err != nil {
		return "", nil, err
	}
	text := "Send chat presence " + action + " typing success " + phone
	return text, sent{MessageID: "chat-presence", Status: text}, nil
}
