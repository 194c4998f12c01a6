package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
)

// outgoing is a message to send. Text is the text, or the caption of what is behind URL.
type outgoing struct {
	To       string     `json:"to"`
	Type     string     `json:"type"`
	Text     string     `json:"text"`
	URL      string     `json:"url"`
	ReplyTo  string     `json:"reply_to"`
	Mentions []string   `json:"mentions"`
	SendAt   *time.Time `json:"send_at"`
}

// media are the types whose content is fetched, with the number's own operation for each.
var media = map[string]string{"image": "/send/image", "video": "/send/video", "audio": "/send/audio", "document": "/send/file", "sticker": "/send/sticker"}

// operation says what the number is to be asked for.
func (m outgoing) operation() (path string, in map[string]any, err error) {
	in = map[string]any{"phone": m.To, "reply_message_id": m.ReplyTo}
	if len(m.Mentions) > 0 {
		in["mentions"] = m.Mentions
	}
	if m.SendAt != nil {
		in["send_at"] = m.SendAt.UTC().Format(time.RFC3339)
	}
	if m.To == "" {
		return "", nil, fault.InField("to", "Say whom the message goes to: a phone number, or an address of WhatsApp.")
	}
	if m.Type == "" || m.Type == "text" {
		if m.URL != "" {
			return "", nil, fault.InField("type", "Say what is behind \"url\": image, video, audio, document or sticker.")
		}
		if m.Text == "" {
			return "", nil, fault.InField("text", "Write a message first.")
		}
		in["message"] = m.Text
		return "/send/message", in, nil
	}
	path, known := media[m.Type]
	switch {
	case !known:
		return "", nil, fault.InField("type", "The type is text, image, video, audio, document or sticker.")
	case m.URL == "":
		return "", nil, fault.InField("url", "Say where the "+m.Type+" is to be fetched.")
	case m.Text != "" && (m.Type == "audio" || m.Type == "sticker"):
		return "", nil, fault.InField("text", "WhatsApp knows no text beside an audio or a sticker.")
	}
	in[path[len("/send/"):]+"_url"], in["caption"] = m.URL, m.Text
	return path, in, nil
}

// sendMessage has the number send a message, at once or later. With an Idempotency-Key it is
// sent once, however often it is asked for.
func (s *server) sendMessage(w http.ResponseWriter, r *http.Request) error {
	var m outgoing
	if err := readJSON(w, r, &m); err != nil {
		return err
	}
	if _, err := s.Instances.Get(viewer(r), instanceID(r)); err != nil {
		return err
	}
	path, in, err := m.operation()
	if err != nil {
		return err
	}
	what := path[len("/send/"):]
	called := map[string]string{"phone": "to", "reply_message_id": "reply_to", "caption": "text", what: "url", what + "_url": "url"}
	called["message"] = "text"
	return s.ask(w, r, http.MethodPost, path, in, called)
}

// showMessage tells how far a message that was sent got.
func (s *server) showMessage(w http.ResponseWriter, r *http.Request) error {
	id, err := url.PathUnescape(chi.URLParam(r, "message"))
	if err != nil {
		id = chi.URLParam(r, "message")
	}
	query := ""
	if chat := r.URL.Query().Get("chat"); chat != "" {
		query = "?" + url.Values{"phone": {chat}}.Encode()
	}
	return s.ask(w, r, http.MethodGet, "/message/"+url.PathEscape(id)+"/status"+query, nil, nil)
}

func (s *server) listQueue(w http.ResponseWriter, r *http.Request) error {
	return s.ask(w, r, http.MethodGet, "/queue?"+url.Values{"limit": {r.URL.Query().Get("limit")}}.Encode(), nil, nil)
}

func (s *server) cancelMessage(w http.ResponseWriter, r *http.Request) error {
	return s.ask(w, r, http.MethodDelete, "/queue/"+url.PathEscape(chi.URLParam(r, "send")), nil, nil)
}
