//go:build !race

package gowa_test

import (
	"bytes"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	n, ann, ben := newLinked(t), newPhone(t, "Ann"), newPhone(t, "Ben")
	group, err := n.owner.CreateGroup(within(t), "Choir", []string{ann.Number(), ben.Number()})
	if err != nil {
		t.Fatal(err)
	}
	me := n.owner.Number()
	sends := func(text string) string {
		t.Helper()
		id := n.done(post, "/send/message", params{"phone": ann.Number(), "message": text}).id(t)
		arrives(t, ann, id, nil)
		return id
	}
	// hears has somebody write to the number, in a group if one is given.
	hears := func(from *phone.Phone, text, to string) string {
		t.Helper()
		e, err := from.SendText(within(t), to, text)
		if err != nil {
			t.Fatal(err)
		}
		chat := from.Number() + "@s.whatsapp.net"
		if to != me {
			chat = to
		}
		n.storedIn(chat, e.ID)
		return e.ID
	}
	about := func(id string, p params) params {
		out := params{"message_id": id, "phone": ann.Number() + "@s.whatsapp.net"}
		for k, v := range p {
			out[k] = v
		}
		return out
	}

	n.run(t, "reaction", func(t *testing.T) {
		id := hears(ann, "nice?", me)
		n.done(post, "/message/{message_id}/reaction", about(id, params{"emoji": "🙏"}))
		arrives(t, ann, id, func(e phone.Entry) bool { return e.Reactions[me] == "🙏" })
		n.done(post, "/message/{message_id}/reaction", about(id, params{"emoji": ""}))
		arrives(t, ann, id, func(e phone.Entry) bool { return e.Reactions[me] == "" })
		own := sends("mine")
		n.done(post, "/message/{message_id}/reaction", about(own, params{"emoji": "👍"}))
		arrives(t, ann, own, func(e phone.Entry) bool { return e.Reactions[me] == "👍" })
		inGroup := hears(ben, "to all", group.ID)
		n.done(post, "/message/{message_id}/reaction", about(inGroup, params{"phone": group.ID, "emoji": "🎵"}))
		arrives(t, ann, inGroup, func(e phone.Entry) bool { return e.Reactions[me] == "🎵" })
		arrives(t, ben, inGroup, func(e phone.Entry) bool { return e.Reactions[me] == "🎵" })
		n.refused("404 NOT_FOUND", post, "/message/{message_id}/reaction", about("NEVER", params{"emoji": "🙏"}))
	})
	n.run(t, "revoke", func(t *testing.T) {
		id := sends("a secret")
		n.done(post, "/message/{message_id}/revoke", about(id, nil))
		arrives(t, ann, id, func(e phone.Entry) bool { return e.Revoked && e.Text == "" })
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/revoke", about(hears(ann, "theirs", me), nil))
		// The number made the group, so it is its administrator.
		spam := hears(ben, "spam", group.ID)
		n.done(post, "/message/{message_id}/revoke", about(spam, params{"phone": group.ID}))
		arrives(t, ann, spam, func(e phone.Entry) bool { return e.Revoked })
		arrives(t, ben, spam, func(e phone.Entry) bool { return e.Revoked })
	})
	n.run(t, "update", func(t *testing.T) {
		id := sends("helo")
		n.done(post, "/message/{message_id}/update", about(id, params{"message": "hello"}))
		arrives(t, ann, id, func(e phone.Entry) bool { return e.Edited && e.Text == "hello" })
		picture := n.done(post, "/send/image", params{"phone": ann.Number(), "caption": "befor"}, file{"image", "a.png", "image/png", pngOf(t, photo(50, 50, red))}).id(t)
		arrives(t, ann, picture, nil)
		n.done(post, "/message/{message_id}/update", about(picture, params{"message": "before"}))
		arrives(t, ann, picture, func(e phone.Entry) bool { return e.Edited && e.Text == "before" })
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/update", about(hears(ann, "theirs too", me), params{"message": "x"}))
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/update", about(id, nil))
		n.refused("404 NOT_FOUND", post, "/message/{message_id}/update", about("NEVER", params{"message": "x"}))
		old := messages.Message{
			Chat: ann.Number() + "@s.whatsapp.net", ID: "OLD", Sender: me + "@s.whatsapp.net", FromMe: true, Kind: messages.Text, Text: "x",
			At: time.Now().Add(-15*time.Minute - time.Second), Status: messages.SentOut,
		}
		if err := n.store.Save(within(t), old); err != nil {
			t.Fatal(err)
		}
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/update", about("OLD", params{"message": "y"}))
	})
	n.run(t, "read", func(t *testing.T) {
		id := hears(ann, "have you seen this?", me)
		n.done(post, "/message/{message_id}/read", about(id, nil))
		arrives(t, ann, id, func(e phone.Entry) bool { return e.Status == phone.Read })
		inGroup := hears(ben, "and this?", group.ID)
		n.done(post, "/message/{message_id}/read", about(inGroup, params{"phone": group.ID}))
		arrives(t, ben, inGroup, func(e phone.Entry) bool { return e.Status == phone.Read })
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/read", about(sends("own"), nil))
	})
	n.run(t, "star and delete", func(t *testing.T) {
		for _, m := range []struct{ id, chat string }{
			{hears(ann, "important", me), ann.Number()}, {sends("mine, important"), ann.Number()}, {hears(ben, "important to all", group.ID), group.ID},
		} {
			p := about(m.id, params{"phone": m.chat})
			arrives(t, n.owner, m.id, nil)
			n.done(post, "/message/{message_id}/star", p)
			arrives(t, n.owner, m.id, func(e phone.Entry) bool { return e.Starred })
			n.done(post, "/message/{message_id}/unstar", p)
			arrives(t, n.owner, m.id, func(e phone.Entry) bool { return !e.Starred })
			n.done(post, "/message/{message_id}/delete", p)
			arrives(t, n.owner, m.id, func(e phone.Entry) bool { return e.Deleted })
		}
		n.refused("404 NOT_FOUND", post, "/message/{message_id}/star", about("NEVER", nil))
		n.refused("404 NOT_FOUND", post, "/message/{message_id}/delete", about("NEVER", nil))
	})
	n.run(t, "forward", func(t *testing.T) {
		for _, again := range []bool{false, true} {
			text := n.done(post, "/message/{message_id}/forward", params{"message_id": hears(ann, "pass it on", me), "phone": ben.Number(), "force_reupload": again}).id(t)
			if e := arrives(t, ben, text, nil); e.Text != "pass it on" || !e.Detail.Forwarded {
				t.Errorf("got %+v %+v", e, e.Detail)
			}
			picture := pngOf(t, photo(60, 60, red))
			sent, err := ann.SendFile(within(t), me, phone.File{Kind: phone.Image, MIME: "image/png", Caption: "look", Data: picture})
			if err != nil {
				t.Fatal(err)
			}
			n.storedIn(ann.Number()+"@s.whatsapp.net", sent.ID)
			id := n.done(post, "/message/{message_id}/forward", params{"message_id": sent.ID, "phone": ben.Number(), "force_reupload": again, "duration": 604800}).id(t)
			e := arrives(t, ben, id, nil)
			if got, err := ben.Download(within(t), e.Chat, e.ID); err != nil || !bytes.Equal(got, picture) || e.Text != "look" || !e.Detail.Forwarded || e.Detail.Expires != 604800 {
				t.Errorf("got %d bytes, %v, %+v %+v", len(got), err, e, e.Detail)
			}
		}
		n.refused("404 NOT_FOUND", post, "/message/{message_id}/forward", params{"message_id": "NEVER", "phone": ben.Number()})
		once := n.done(post, "/send/image", params{"phone": ann.Number(), "view_once": true}, file{"image", "a.png", "image/png", pngOf(t, photo(50, 50, red))}).id(t)
		n.refused("400 VALIDATION_ERROR", post, "/message/{message_id}/forward", params{"message_id": once, "phone": ben.Number()})
	})
	for _, op := range operations("/message/") {
		if !n.asked[op] && op != "GET /message/{message_id}/download" { // see TestWhatIsStored
			t.Errorf("%s was not tried", op)
		}
	}
}
