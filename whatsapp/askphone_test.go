//go:build !race

package whatsapp

import (
	"os"
	"testing"

	"switchboard/fault"
	"switchboard/messages"
	"switchboard/settings"
	"switchboard/whatsapp/simulator/phone"
)

// What WhatsApp has forgotten comes from the phone: at once for somebody who waits, and in the
// background when the phone answers, which may be after it was switched on.
func TestThePhoneGivesFilesAgain(t *testing.T) {
	t.Parallel()
	p, s, owner, _ := subscribed(t, settings.Settings{Media: settings.Media{NoDownload: true}})
	friend := newPhone(t, "Friend")
	group, err := friend.CreateGroup(within(t), "The group", []string{owner.Number()})
	if err != nil {
		t.Fatal(err)
	}
	expired := func(to, text string, kept bool) messages.Message {
		t.Helper()
		from, chat := friend, friend.Number()
		if to == friend.Number() {
			from = owner
		} else if to == group.ID {
			chat = to
		}
		sent, err := from.SendFile(within(t), to, phone.File{Kind: phone.Document, MIME: "text/plain", Name: "a.txt", Caption: text, Data: []byte("data of " + text)})
		if err != nil {
			t.Fatal(err)
		}
		m := p.one(text, func(m messages.Message) bool { return m.ID == sent.ID && m.Media != nil })
		arrives(t, owner, 0, text)
		if err := owner.Expire(within(t), chat, sent.ID, kept); err != nil {
			t.Fatal(err)
		}
		return m
	}
	read := func(m messages.Message) {
		t.Helper()
		f, err := s.Media(within(t), m.Chat, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(s.mediaPath(f)); err != nil || string(data) != "data of "+m.Text {
			t.Errorf("read %q, %v", data, err)
		}
		if f.DirectPath == m.Media.DirectPath || f.AskedAt.IsZero() {
			t.Errorf("it lies at %s, asked for at %v", f.DirectPath, f.AskedAt)
		}
	}
	read(expired(owner.Number(), "from a friend", true))
	read(expired(group.ID, "in a group", true))
	read(expired(friend.Number(), "from the phone itself", true))

	nowhere := expired(owner.Number(), "gone", false)
	for range 2 {
		_, err := s.Media(within(t), nowhere.Chat, nowhere.ID)
		if fault.KindOf(err) != fault.NotFound || fault.MessageOf(err) != "WhatsApp has this file no more, and neither has the phone." {
			t.Errorf("a file that is nowhere: %v", err)
		}
	}
	p.one("gone", func(m messages.Message) bool { return m.ID == nowhere.ID && m.Media.State == messages.Gone })

	// The phone is off when it is asked, and answers when it is on again.
	later := expired(owner.Number(), "later", true)
	if err := owner.SetOnline(within(t), false); err != nil {
		t.Fatal(err)
	}
	s.Apply(settings.Settings{})
	f := file(later)
	f.State = messages.Waiting
	if _, err := p.messages.SetMedia(within(t), f); err != nil {
		t.Fatal(err)
	}
	s.fetch.nudge()
	asked := p.one("asked for", func(m messages.Message) bool { return m.ID == later.ID && !m.Media.AskedAt.IsZero() })
	if asked.Media.State != messages.Waiting || asked.Media.Error != errAsked.Message {
		t.Errorf("it is %+v", asked.Media)
	}
	if err := owner.SetOnline(within(t), true); err != nil {
		t.Fatal(err)
	}
	p.one("later", func(m messages.Message) bool { return m.ID == later.ID && m.Media.State == messages.Stored })
}
