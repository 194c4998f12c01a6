//go:build !race

package phone_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/whatsapp/simulator/phone"
)

func TestTwoPhonesTalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "+49 151 10000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	sent, err := anna.SendText(ctx, ben.Number(), "hello Ben")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ben.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == sent.ID })
	if err != nil {
		t.Fatal(err)
	}
	if got.Text != "hello Ben" || got.From != anna.Number() || got.Chat != anna.Number() || got.FromMe || !got.Unread {
		t.Errorf("Ben has %+v", got)
	}
	if _, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == sent.ID && e.Status == phone.Delivered }); err != nil {
		t.Errorf("not delivered: %v", err)
	}
	if err := ben.MarkRead(ctx, anna.Number()); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == sent.ID && e.Status == phone.Read }); err != nil {
		t.Errorf("not read: %v", err)
	}
}

func TestAlteredMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	sent, err := anna.SendText(ctx, ben.Number(), "helo")
	if err != nil {
		t.Fatal(err)
	}
	see := func(p *phone.Phone, what string, match func(phone.Entry) bool) {
		t.Helper()
		if _, err := p.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == sent.ID && match(e) }); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	see(ben, "arrived", func(e phone.Entry) bool { return e.Text == "helo" })
	if err := anna.Edit(ctx, ben.Number(), sent.ID, "hello"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*phone.Phone{anna, ben} {
		see(p, "edited", func(e phone.Entry) bool { return e.Text == "hello" && e.Edited })
	}
	if err := ben.React(ctx, anna.Number(), sent.ID, "👍"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*phone.Phone{anna, ben} {
		see(p, "reacted", func(e phone.Entry) bool { return e.Reactions[ben.Number()] == "👍" })
	}
	if err := ben.Revoke(ctx, anna.Number(), sent.ID); err == nil {
		t.Error("Ben took Anna's message back")
	}
	reply, err := ben.Reply(ctx, anna.Number(), sent.ID, "hello to you")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == reply.ID }); err != nil || e.ReplyTo != sent.ID {
		t.Errorf("the reply came as %+v, %v", e, err)
	}
	if err := anna.Revoke(ctx, ben.Number(), sent.ID); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*phone.Phone{anna, ben} {
		see(p, "taken back", func(e phone.Entry) bool { return e.Revoked && e.Text == "" })
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	for _, f := range []phone.File{
		{Kind: phone.Image, MIME: "image/png", Caption: "a picture", Data: []byte("not really a picture")},
		{Kind: phone.Document, MIME: "text/plain", Name: "notes.txt", Data: []byte("notes")},
		{Kind: phone.Audio, MIME: "audio/ogg; codecs=opus", Voice: true, Data: []byte("la la la")},
	} {
		sent, err := anna.SendFile(ctx, ben.Number(), f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ben.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == sent.ID })
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != f.Kind || got.Text != f.Caption || got.Media.Name != f.Name || got.Media.MIME != f.MIME || got.Media.Size != uint64(len(f.Data)) {
			t.Errorf("Ben has %+v %+v", got, got.Media)
		}
		data, err := ben.Download(ctx, anna.Number(), sent.ID)
		if err != nil || string(data) != string(f.Data) {
			t.Errorf("the file came as %q, %v", data, err)
		}
	}
	if _, err := anna.SendFile(ctx, ben.Number(), phone.File{Kind: phone.Poll}); err == nil {
		t.Error("a file was sent as a poll")
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben, carla := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben"), w.phone(t, "4915110000003", "Carla")
	ctx := within(t, 2*time.Minute)
	group, err := anna.CreateGroup(ctx, "Choir", []string{ben.Number()})
	if err != nil {
		t.Fatal(err)
	}
	say := func(from *phone.Phone, text string, to ...*phone.Phone) {
		t.Helper()
		if _, err := from.SendText(ctx, group.ID, text); err != nil {
			t.Fatal(err)
		}
		for _, p := range to {
			e, err := p.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == text })
			if err != nil || e.Chat != group.ID || e.From != from.Number() {
				t.Errorf("%s has %+v, %v", p.Name(), e, err)
			}
		}
	}
	say(anna, "first", ben)
	if err := anna.AddToGroup(ctx, group.ID, []string{carla.Number()}); err != nil {
		t.Fatal(err)
	}
	say(anna, "second", ben, carla)
	say(carla, "third", anna, ben)
	groups, err := carla.Groups(ctx)
	if err != nil || len(groups) != 1 || groups[0].Name != "Choir" || len(groups[0].Members) != 3 {
		t.Errorf("Carla's groups: %+v, %v", groups, err)
	}
	if chats, err := ben.Chats(ctx); err != nil || len(chats) != 1 || chats[0].Name != "Choir" || chats[0].Unread != 3 {
		t.Errorf("Ben's chats: %+v, %v", chats, err)
	}
}

func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	if err := ben.SetOnline(ctx, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ben.SendText(ctx, anna.Number(), "no"); err == nil {
		t.Error("a phone that is off sent a message")
	}
	sent, err := anna.SendText(ctx, ben.Number(), "for later")
	if err != nil || sent.Status != phone.Sent {
		t.Fatalf("%+v, %v", sent, err)
	}
	if err := ben.SetOnline(ctx, true); err != nil {
		t.Fatal(err)
	}
	if _, err := ben.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.ID == sent.ID }); err != nil {
		t.Error(err)
	}
	if _, err := anna.SendText(ctx, "4915119999999", "hello?"); err == nil {
		t.Error("a message to nobody was sent")
	}
}

func TestPhonesSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	if _, err := anna.SendText(ctx, ben.Number(), "before"); err != nil {
		t.Fatal(err)
	}
	if _, err := ben.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == "before" }); err != nil {
		t.Fatal(err)
	}
	if err := ben.SetAnswer(ctx, phone.Answer{On: true, Prefix: "re: "}); err != nil {
		t.Fatal(err)
	}
	w.close(t)

	w = open(t, dir)
	defer w.close(t)
	anna, ben = w.phone(t, "4915110000001", ""), w.phone(t, "4915110000002", "")
	if anna.Name() != "Anna" {
		t.Errorf("Anna is called %q now", anna.Name())
	}
	old, err := ben.Entries(ctx, anna.Number(), 10)
	if err != nil || len(old) != 1 || old[0].Text != "before" {
		t.Errorf("Ben's chat: %+v, %v", old, err)
	}
	if _, err := anna.SendText(ctx, ben.Number(), "after"); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == "re: after" }); err != nil {
		t.Error(err)
	}
	if n := anna.Undecryptable() + ben.Undecryptable(); n != 0 {
		t.Errorf("%d messages could not be opened", n)
	}
}

func TestNetworkRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	for i, text := range []string{"one", "two", "three"} {
		if i > 0 {
			if err := w.network.Restart(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := anna.SendText(ctx, ben.Number(), text); err != nil {
			t.Fatal(err)
		}
		if _, err := ben.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == text }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALostSessionHeals takes a companion's sessions away, and the sender's memory too: the
// companion asks again, and the sender finds the message in its chat.
func TestALostSessionHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	c := link(t, w, anna)
	if _, err := ben.SendText(ctx, anna.Number(), "one"); err != nil {
		t.Fatal(err)
	}
	first := await(t, c, func(m *events.Message) bool { return m.Message.GetConversation() == "one" })
	c.Disconnect()
	lid, err := c.Store.LIDs.GetLIDForPN(ctx, types.NewJID(ben.Number(), types.DefaultUserServer))
	if err != nil || lid.IsEmpty() {
		t.Fatalf("no LID of %s: %v", first.Info.Sender, err)
	}
	if err := c.Store.Sessions.DeleteAllSessions(ctx, lid.SignalAddressUser()); err != nil {
		t.Fatal(err)
	}
	if _, err := ben.SendText(ctx, anna.Number(), "two"); err != nil {
		t.Fatal(err)
	}
	if err := w.fleet.Close(); err != nil {
		t.Fatal(err)
	}
	if w.fleet, err = phone.Open(ctx, phone.Options{Network: w.network, Dir: filepath.Join(w.dir, "phones"), Log: quiet()}); err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	await[*events.UndecryptableMessage](t, c, nil)
	await(t, c, func(m *events.Message) bool { return m.Message.GetConversation() == "two" })
}
