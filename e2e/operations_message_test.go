package e2e

import (
	"bytes"
	"image/color"
	"net/http"
	"slices"
	"strings"

	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// says has the number write to Ann.
func (s *stage) says(text string) string {
	s.t.Helper()
	status, _, body := s.raw("POST /send/message", "", params{"phone": s.ann.number, "message": text})
	if status != http.StatusOK {
		s.t.Fatalf("%d %s", status, body)
	}
	id := answered{s: s, Results: results(body)}.id()
	s.arrives(s.ann, id, nil)
	s.looked = false
	return id
}

// about asks the act's operation about a message in the chat with Ann.
func (s *stage) about(id string, in params) answered {
	s.t.Helper()
	all := params{"message_id": id, "phone": s.chat}
	for name, value := range in {
		all[name] = value
	}
	return s.ask(all)
}

// choir is a group of the number with Ann and Ben, in which Ben has written.
func (s *stage) choir() (group, message string) {
	s.t.Helper()
	g, err := s.control.CreateGroup(within(s.t, patience), s.owner.number, "Choir", s.ann.number, s.ben.number)
	s.must(err)
	return g.ID, s.hears(s.ben, "to all", g.ID)
}

var messageActs = []act{
	{"POST /message/{message_id}/reaction", func(s *stage) {
		id := s.hears(s.ann, "nice?", "")
		with := func(emoji string) func(phone.Entry) bool {
			return func(e phone.Entry) bool { return e.Reactions[s.owner.number] == emoji }
		}
		s.about(id, params{"emoji": "🙏"})
		s.arrives(s.ann, id, with("🙏"))
		s.about(id, params{"emoji": ""})
		s.arrives(s.ann, id, with(""))
		group, theirs := s.choir()
		s.about(theirs, params{"phone": group, "emoji": "🎵"})
		s.arrives(s.ann, theirs, with("🎵"))
		s.arrives(s.ben, theirs, with("🎵"))
	}},
	{"POST /message/{message_id}/update", func(s *stage) {
		id := s.says("helo")
		s.about(id, params{"message": "hello"})
		s.arrives(s.ann, id, func(e phone.Entry) bool { return e.Edited && e.Text == "hello" })
		status, _, body := s.raw("POST /send/image", "", params{"phone": s.ann.number, "caption": "befor", "image": attachment{"a.png", "image/png", aPhoto(s, 50, 50)}})
		if status != http.StatusOK {
			s.t.Fatalf("%d %s", status, body)
		}
		picture := answered{s: s, Results: results(body)}.id()
		s.about(picture, params{"message": "before"})
		s.arrives(s.ann, picture, func(e phone.Entry) bool { return e.Edited && e.Text == "before" })
	}},
	{"POST /message/{message_id}/revoke", func(s *stage) {
		gone := func(e phone.Entry) bool { return e.Revoked && e.Text == "" }
		id := s.says("a secret")
		s.about(id, nil)
		s.arrives(s.ann, id, gone)
		// The number made the group, so it may take back what others say.
		group, spam := s.choir()
		s.about(spam, params{"phone": group})
		s.arrives(s.ann, spam, gone)
		s.arrives(s.ben, spam, gone)
	}},
	{"POST /message/{message_id}/read", func(s *stage) {
		read := func(e phone.Entry) bool { return e.Status == phone.Read }
		id := s.hears(s.ann, "have you seen this?", "")
		s.about(id, nil)
		s.arrives(s.ann, id, read)
		group, theirs := s.choir()
		s.about(theirs, params{"phone": group})
		s.arrives(s.ben, theirs, read)
	}},
	{"POST /message/{message_id}/star", func(s *stage) {
		for _, id := range []string{s.hears(s.ann, "important", ""), s.says("mine, important")} {
			s.about(id, nil)
			s.arrives(s.owner, id, func(e phone.Entry) bool { return e.Starred })
		}
	}},
	{"POST /message/{message_id}/unstar", func(s *stage) {
		id := s.hears(s.ann, "less important", "")
		if status, _, body := s.raw("POST /message/{message_id}/star", "", params{"message_id": id, "phone": s.chat}); status != http.StatusOK {
			s.t.Fatalf("%d %s", status, body)
		}
		s.arrives(s.owner, id, func(e phone.Entry) bool { return e.Starred })
		s.about(id, nil)
		s.arrives(s.owner, id, func(e phone.Entry) bool { return !e.Starred })
	}},
	{"POST /message/{message_id}/delete", func(s *stage) {
		id := s.hears(s.ann, "not for me", "")
		s.arrives(s.owner, id, nil)
		s.about(id, nil)
		s.arrives(s.owner, id, func(e phone.Entry) bool { return e.Deleted })
		s.arrives(s.ann, id, func(e phone.Entry) bool { return !e.Deleted && e.Text == "not for me" })
	}},
	{"POST /message/{message_id}/forward", func(s *stage) {
		for _, again := range []bool{false, true} {
			text := s.ask(params{"message_id": s.hears(s.ann, "pass it on", ""), "phone": s.ben.number, "force_reupload": again}).id()
			e := s.arrives(s.ben, text, nil)
			s.is(e.Text == "pass it on" && e.Detail.Forwarded, "got %+v %+v", e, e.Detail)
			picture := aPhoto(s, 60, 60)
			sent, err := s.control.SendFile(within(s.t, patience), s.ann.number, s.owner.number, web.File{Kind: phone.Image, MIME: "image/png", Caption: "look", Data: picture})
			s.must(err)
			s.stored(s.chat, sent.ID)
			e = s.arrives(s.ben, s.ask(params{"message_id": sent.ID, "phone": s.ben.number, "force_reupload": again, "duration": 604800}).id(), nil)
			got, err := s.control.Download(within(s.t, patience), s.ben.number, e.Chat, e.ID)
			s.must(err)
			s.is(bytes.Equal(got, picture) && e.Text == "look" && e.Detail.Forwarded && e.Detail.Expires == 604800, "got %+v %+v", e, e.Detail)
		}
	}},
}

var storedActs = []act{
	{"GET /message/{message_id}/download", func(s *stage) {
		picture := aJPEG(s.t, color.RGBA{B: 200, A: 255})
		sight, err := s.control.SendFile(within(s.t, patience), s.ann.number, s.owner.number, web.File{Kind: phone.Image, MIME: "image/jpeg", Caption: "the sea", Data: picture})
		s.must(err)
		s.stored(s.chat, sight.ID)
		var file struct {
			Type string `json:"media_type"`
			URL  string `json:"file_url"`
			Path string `json:"file_path"`
			Size int    `json:"file_size"`
		}
		s.about(sight.ID, nil).into(&file)
		header, got := s.follow(file.URL)
		s.is(file.Type == "image" && file.Size == len(picture) && header.Get("Content-Type") == "image/jpeg" && bytes.Equal(got, picture), "got %+v, %v", file, header)
		page, err := s.control.SendFile(within(s.t, patience), s.ann.number, s.owner.number, web.File{Kind: phone.Document, MIME: "text/html", Name: "a.html", Data: []byte("<script>")})
		s.must(err)
		s.stored(s.chat, page.ID)
		s.about(page.ID, nil).into(&file)
		header, got = s.follow(file.URL)
		s.is(string(got) == "<script>" && header.Get("Content-Type") == "application/octet-stream" && strings.HasPrefix(header.Get("Content-Disposition"), "attachment"),
			"a page of somebody else's is shown: %v", header)
	}},
	{"GET /chats", func(s *stage) {
		s.hears(s.ann, "the last word", "")
		var all listedChats
		s.ask(params{"limit": 25, "offset": 0, "search": "", "has_media": false}).into(&all)
		s.is(slices.ContainsFunc(all.Data, func(c listedChat) bool { return c.JID == s.chat && c.Name == "Ann" && c.LID != "" }) &&
			all.Pagination.Total == len(all.Data), "the chats are %+v", all)
	}},
	{"GET /chat/{chat_jid}/messages", func(s *stage) {
		id := s.hears(s.ann, "what did I say?", "")
		s.must(s.control.React(within(s.t, patience), s.ann.number, s.owner.number, id, "👍"))
		var all listedMessages
		poll(s.t, "the reaction is there", func() bool {
			s.ask(params{"chat_jid": s.chat, "limit": 5, "start_time": "", "search": "What did"}).into(&all)
			return len(all.Data) == 1 && len(all.Data[0].Reactions) == 1
		}, nil)
		m := all.Data[0]
		s.is(m.ID == id && m.Content == "what did I say?" && m.SenderJID == s.chat && !m.IsFromMe && m.Reactions[0].Emoji == "👍", "it is %+v", m)
		all = listedMessages{}
		s.ask(params{"chat_jid": s.chat, "media_only": true}).into(&all)
		s.is(len(all.Data) > 0 && !slices.ContainsFunc(all.Data, func(m listedMessage) bool { return m.MediaType == "" }), "with files are %+v", all)
	}},
}
