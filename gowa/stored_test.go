//go:build !race

package gowa_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

type listed struct {
	Data []struct {
		ID, JID, Name, Content, Timestamp, URL, Filename, Kind string
		ChatJID                                                string `json:"chat_jid"`
		Sender                                                 string `json:"sender_jid"`
		Display                                                string `json:"sender_display_name"`
		FromMe                                                 bool   `json:"is_from_me"`
		Media                                                  string `json:"media_type"`
		Length                                                 int    `json:"file_length"`
		Call                                                   string `json:"call_metadata"`
		Reactions                                              []struct {
			Emoji string
			Who   string `json:"sender_display_name"`
		}
	}
	Pagination struct{ Limit, Offset, Total int }
	Chat       struct{ JID, Name string } `json:"chat_info"`
}

func (l listed) contents() string {
	var all []string
	for _, m := range l.Data {
		all = append(all, m.Content+m.Name)
	}
	return strings.Join(all, "|")
}

// What was said can be read back, in the words of go-whatsapp-web-multidevice.
func TestWhatIsStored(t *testing.T) {
	t.Parallel()
	n := newLinked(t)
	ann, me := newPhone(t, "Ann"), n.owner.Number()
	chat := ann.Number() + "@s.whatsapp.net"
	hello, err := ann.SendText(within(t), me, "hello there")
	if err != nil {
		t.Fatal(err)
	}
	n.storedIn(chat, hello.ID)
	mine := n.done(post, "/send/message", params{"phone": ann.Number(), "message": "hello Ann"}).id(t)
	arrives(t, ann, mine, nil)
	if err := ann.React(within(t), me, hello.ID, "👍"); err != nil {
		t.Fatal(err)
	}
	picture := []byte("\x89PNG\r\n\x1a\n and so on")
	sent, err := ann.SendFile(within(t), me, phone.File{Kind: phone.Image, MIME: "image/png", Caption: "look", Data: picture})
	if err != nil {
		t.Fatal(err)
	}
	n.storedIn(chat, sent.ID)
	page, err := ann.SendFile(within(t), me, phone.File{Kind: phone.Document, MIME: "text/html", Name: "a.html", Data: []byte("<script>")})
	if err != nil {
		t.Fatal(err)
	}
	n.storedIn(chat, page.ID)
	if err := n.store.SaveCall(within(t), messages.Call{ID: "CALL", Chat: "1@s.whatsapp.net", Caller: "1@s.whatsapp.net", At: time.Unix(1_700_000_000, 0)}, ""); err != nil {
		t.Fatal(err)
	}
	get := func(path string, p params) (l listed) {
		t.Helper()
		n.done(http.MethodGet, path, p).as(t, &l)
		return l
	}

	n.run(t, "chats", func(t *testing.T) {
		l := get("/chats", nil)
		if l.contents() != "Ann|1" || l.Pagination.Limit != 25 || l.Pagination.Total != 2 || l.Data[0].JID != chat {
			t.Errorf("got %+v", l)
		}
		for want, p := range map[string]params{"Ann": {"has_media": true}, "1": {"limit": 1, "offset": 1}, "": {"archived": true}, "Ann|1": {"archived": false, "search": ""}} {
			if l := get("/chats", p); l.contents() != want {
				t.Errorf("%v: got %q, want %q", p, l.contents(), want)
			}
		}
		n.refused("400 VALIDATION_ERROR", http.MethodGet, "/chats", params{"limit": 1000})
		n.refused("400 VALIDATION_ERROR", http.MethodGet, "/chats", params{"limit": -1})
	})
	n.run(t, "messages of a chat", func(t *testing.T) {
		l := get("/chat/{chat_jid}/messages", params{"chat_jid": chat})
		if l.contents() != "a.html|look|hello Ann|hello there" || l.Chat.Name != "Ann" || l.Pagination.Limit != 50 || l.Pagination.Total != 4 {
			t.Fatalf("got %+v", l)
		}
		if l := get("/chat/{chat_jid}/messages", params{"chat_jid": chat, "limit": "0"}); l.Pagination.Limit != 50 {
			t.Errorf("a limit of 0 means %d", l.Pagination.Limit)
		}
		if m := l.Data[1]; m.Media != "image" || m.Length != len(picture) || m.Filename == "" {
			t.Errorf("the picture is %+v", m)
		}
		if m := l.Data[2]; !m.FromMe || m.Display != "Owner" || m.ID != mine {
			t.Errorf("mine is %+v", m)
		}
		if m := l.Data[3]; m.Display != "Ann" || m.Sender != chat || len(m.Reactions) != 1 || m.Reactions[0].Emoji != "👍" || m.Reactions[0].Who != "Ann" {
			t.Errorf("hers is %+v", m)
		}
		for want, p := range map[string]params{
			"a.html|look": {"media_only": true, "is_from_me": false}, "hello Ann": {"is_from_me": true}, "hello Ann|hello there": {"search": "HELLO"},
			"look": {"limit": 1, "offset": 1}, "": {"end_time": "2020-01-01T00:00:00Z"}, "a.html|look|hello Ann|hello there": {"start_time": "", "search": ""},
		} {
			p["chat_jid"] = chat
			if l := get("/chat/{chat_jid}/messages", p); l.contents() != want {
				t.Errorf("%v: got %q, want %q", p, l.contents(), want)
			}
		}
		if l := get("/chat/{chat_jid}/messages", params{"chat_jid": "1@s.whatsapp.net"}); len(l.Data) != 1 || l.Data[0].Media != "call" || !strings.Contains(l.Data[0].Call, `"call_id":"CALL"`) {
			t.Errorf("the call is %+v", l)
		}
		n.refused("404 NOT_FOUND", http.MethodGet, "/chat/{chat_jid}/messages", params{"chat_jid": "2@s.whatsapp.net"})
		n.refused("400 VALIDATION_ERROR", http.MethodGet, "/chat/{chat_jid}/messages", params{"chat_jid": chat, "start_time": "yesterday"})
	})
	n.run(t, "files of others", func(t *testing.T) {
		for _, name := range []string{"..%2f..%2fmain", "%2e%2e", "none.png"} {
			if status, _, _ := n.raw(http.MethodGet, "/statics/media/"+name, "", nil); status != http.StatusNotFound {
				t.Errorf("%s: %d", name, status)
			}
		}
		n.refused("404 NOT_FOUND", http.MethodGet, "/message/{message_id}/download", params{"message_id": hello.ID, "phone": ann.Number()})
	})
	n.run(t, "too late to change", func(t *testing.T) {
		old := messages.Message{
			Chat: chat, ID: "OLD", Sender: me + "@s.whatsapp.net", FromMe: true, Kind: messages.Text, Text: "x",
			At: time.Now().Add(-15*time.Minute - time.Second), Status: messages.SentOut,
		}
		if err := n.store.Save(within(t), old); err != nil {
			t.Fatal(err)
		}
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/update", params{"message_id": "OLD", "phone": ann.Number(), "message": "y"})
	})
	n.run(t, "beyond gowa", func(t *testing.T) {
		if status, text, _ := n.raw(http.MethodGet, "/messages/search?query=there", "", nil); status != http.StatusOK || !strings.Contains(string(text), hello.ID) || strings.Contains(string(text), mine) {
			t.Errorf("%d %s", status, text)
		}
		if status, text, _ := n.raw(http.MethodGet, "/message/"+mine+"/status?phone="+ann.Number(), "", nil); status != http.StatusOK || !strings.Contains(string(text), `"status":"delivered"`) || !strings.Contains(string(text), chat) {
			t.Errorf("%d %s", status, text)
		}
		if status, _, _ := n.raw(http.MethodGet, "/message/"+hello.ID+"/status?phone="+ann.Number(), "", nil); status != http.StatusNotFound {
			t.Errorf("%d for somebody else's message", status)
		}
	})
}
