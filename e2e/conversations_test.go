package e2e

import (
	"fmt"
	"image/color"
	"net/http"
	"net/url"
	"testing"
	"time"

	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// The members of answers that the test looks at.
type (
	listedChat struct {
		JID, LID, Name string
		LastMessage    time.Time `json:"last_message_time"`
		Expiration     int       `json:"ephemeral_expiration"`
		Archived       bool
	}
	pagination    struct{ Limit, Offset, Total int }
	listedMessage struct {
		ID, Content string
		SenderJID   string `json:"sender_jid"`
		IsFromMe    bool   `json:"is_from_me"`
		MediaType   string `json:"media_type"`
		Filename    string
		FileLength  int64 `json:"file_length"`
		Timestamp   time.Time
		Reactions   []struct {
			Emoji     string
			SenderJID string `json:"sender_jid"`
		}
	}
	listedChats struct {
		Data       []listedChat
		Pagination pagination
	}
	listedMessages struct {
		Data       []listedMessage
		Pagination pagination
		ChatInfo   listedChat `json:"chat_info"`
	}
)

// TestConversationsAPI reads chats and messages by a number's REST API, on both engines.
func TestConversationsAPI(t *testing.T) { onBothEngines(t, conversations) }

func conversations(t *testing.T, database ...string) {
	network := startNetwork(t)
	ada, grace := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	number, api := startNumber(t, network, ada, database...)
	r := api.rest(number.ID)
	ctx := within(t, 5*patience) // all of the test

	grace.send(own, "Hello")
	picture, err := network.control.SendFile(ctx, friend, own, web.File{Kind: phone.Image, MIME: "image/png", Caption: "a picture", Data: aPNG(t, color.White)})
	network.must(err)
	api.send(number.ID, friend, "Hello back")
	group, err := network.control.CreateGroup(ctx, friend, "Choir", own)
	network.must(err)
	grace.send(group.ID, "La la")

	var chats listedChats
	list := func(query string) listedChats {
		t.Helper()
		chats = listedChats{}
		r.call("GET /chats", "/chats?"+query, nil, &chats)
		return chats
	}
	poll(t, "both chats are there", func() bool {
		c := list("").Data
		return len(c) == 2 && c[0].Name == "Choir"
	}, func() string { return fmt.Sprintf("%+v", chats) })
	if c := list("limit=1&offset=&search=&has_media=&archived="); len(c.Data) != 1 || c.Data[0].JID != group.ID || c.Data[0].Name != "Choir" ||
		c.Pagination != (pagination{1, 0, 2}) {
		t.Errorf("the first chat is %+v", c)
	}
	with := friend + "@s.whatsapp.net"
	second := list("limit=1&offset=1").Data[0]
	if second.JID != with || second.Name != "Grace" || second.LID == "" || second.LastMessage.IsZero() {
		t.Errorf("the second chat is %+v", second)
	}
	if c := list("search=CHOI"); len(c.Data) != 1 || c.Data[0].JID != group.ID {
		t.Errorf("found are %+v", c)
	}
	if c := list("has_media=true"); len(c.Data) != 1 || c.Data[0].JID != with {
		t.Errorf("with media there are %+v", c)
	}
	r.call("POST /chat/{chat_jid}/archive", "/chat/"+with+"/archive", map[string]any{"archived": true}, nil)
	poll(t, "the archived chat is listed as such", func() bool {
		c := list("archived=true")
		return len(c.Data) == 1 && c.Data[0].JID == with && c.Data[0].Archived
	}, nil)
	if c := list("archived=false"); len(c.Data) != 1 || c.Data[0].JID != group.ID {
		t.Errorf("not archived are %+v", c)
	}
	r.call("POST /chat/{chat_jid}/disappearing", "/chat/"+with+"/disappearing", map[string]any{"timer_seconds": 86400}, nil)

	var messages listedMessages
	read := func(chat, query string) listedMessages {
		t.Helper()
		messages = listedMessages{}
		r.call("GET /chat/{chat_jid}/messages", "/chat/"+chat+"/messages?"+query, nil, &messages)
		return messages
	}
	all := read(with, "limit=&offset=&start_time=&end_time=&media_only=&search=")
	if all.Pagination != (pagination{50, 0, 3}) || len(all.Data) != 3 || all.ChatInfo.JID != with || all.ChatInfo.Expiration != 86400 {
		t.Fatalf("the messages are %+v", all)
	}
	byText := map[string]listedMessage{}
	for _, m := range all.Data {
		byText[m.Content] = m
	}
	hello, shown, back := byText["Hello"], byText["a picture"], byText["Hello back"]
	var file struct {
		Type string `json:"media_type"`
		Size int64  `json:"file_size"`
	}
	r.call("GET /message/{message_id}/download", "/message/"+picture.ID+"/download?phone="+friend, nil, &file)
	if file.Type != "image" || file.Size != shown.FileLength {
		t.Errorf("the file is %+v", file)
	}
	if hello.IsFromMe || hello.SenderJID != with || !back.IsFromMe || back.SenderJID != own+"@s.whatsapp.net" ||
		shown.MediaType != "image" || shown.ID != picture.ID || shown.FileLength == 0 {
		t.Errorf("the messages are %+v", all.Data)
	}
	for _, chat := range []string{friend, second.LID, url.PathEscape(with)} {
		if m := read(chat, ""); len(m.Data) != 3 {
			t.Errorf("as %s the chat has %+v", chat, m)
		}
	}
	for query, want := range map[string]string{
		"media_only=true": "a picture", "is_from_me=true": "Hello back", "search=PICT": "a picture", "media_only=true&is_from_me=false": "a picture",
	} {
		if m := read(with, query); len(m.Data) != 1 || m.Data[0].Content != want {
			t.Errorf("%s finds %+v", query, m)
		}
	}
	pages := map[string]bool{}
	for offset := range 3 {
		pages[read(with, fmt.Sprintf("limit=1&offset=%d", offset)).Data[0].ID] = true
	}
	if len(pages) != 3 {
		t.Errorf("the pages hold %v", pages)
	}
	later := url.QueryEscape(back.Timestamp.Add(time.Hour).Format(time.RFC3339))
	if m := read(with, "start_time="+later); len(m.Data) != 0 {
		t.Errorf("after an hour there are %+v", m)
	}
	if m := read(with, "end_time="+later); len(m.Data) != 3 {
		t.Errorf("until then there are %+v", m)
	}

	network.must(network.control.React(ctx, friend, own, hello.ID, "👍"))
	poll(t, "the reaction is told", func() bool {
		m := read(with, "search=Hello&is_from_me=false").Data
		return len(m) == 1 && len(m[0].Reactions) == 1 && m[0].Reactions[0].Emoji == "👍" && m[0].Reactions[0].SenderJID == with
	}, nil)
	network.must(network.control.Revoke(ctx, friend, own, hello.ID))
	poll(t, "what was taken back is gone", func() bool {
		for _, m := range read(with, "").Data {
			if m.ID == hello.ID {
				return m.Content == ""
			}
		}
		return true
	}, nil)

	r.fails("GET /chat/{chat_jid}/messages", "/chat/"+stranger+"/messages", nil, http.StatusNotFound, "NOT_FOUND")
	r.fails("GET /chat/{chat_jid}/messages", "/chat/"+with+"/messages?start_time=today", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("GET /chat/{chat_jid}/messages", "/chat/"+with+"/messages?limit=101", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("GET /chats", "/chats?limit=x", nil, http.StatusBadRequest, "VALIDATION_ERROR")
	r.fails("GET /chats", "/chats?archived=perhaps", nil, http.StatusBadRequest, "VALIDATION_ERROR")

	// Stored is stored: it is told while there is no connection too.
	network.must(network.control.FailLogins(ctx, web.Logins{Target: web.Target{Number: own}, Reason: 503}))
	if _, err := network.control.Drop(ctx, web.Target{Number: own}); err != nil {
		t.Fatal(err)
	}
	api.becomes(number.ID, "reconnecting")
	if c := list(""); len(c.Data) != 2 {
		t.Errorf("without a connection there are %+v", c)
	}
	r.fails("GET /user/my/groups", "/user/my/groups", nil, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("POST /group/name", "/group/name", map[string]any{"group_id": group.ID, "name": "x"}, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("POST /chat/{chat_jid}/pin", "/chat/"+with+"/pin", map[string]any{"pinned": true}, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("POST /call/reject", "/call/reject", map[string]any{"caller_jid": with, "call_id": "x"}, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	r.fails("GET /newsletter/messages", "/newsletter/messages?newsletter_id=1@newsletter", nil, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
}
