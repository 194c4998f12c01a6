//go:build !race

package whatsapp

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

func count(f func(messages.Message) bool, all []messages.Message) (n int) {
	for _, m := range all {
		if f(m) {
			n++
		}
	}
	return n
}

func fromOthers(m messages.Message) bool { return !m.FromMe }

func TestOfflineMessagesAreStoredOnce(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	s.Close()
	const n = 30
	for i := range n {
		if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("while away ", i)); err != nil {
			t.Fatal(err)
		}
	}
	s = p.open(quick)
	untilIs(t, s, instances.Connected, "")
	p.eventually("all messages", func(all []messages.Message) bool { return count(fromOthers, all) >= n })
	// Once more from the beginning must change nothing.
	s.Close()
	s = p.open(quick)
	untilIs(t, s, instances.Connected, "")
	if _, err := friend.SendText(within(t), owner.Number(), "last"); err != nil {
		t.Fatal(err)
	}
	p.one("the last message", text("last"))
	if got := count(fromOthers, p.all()); got != n+1 {
		t.Fatalf("%d messages are stored, want %d", got, n+1)
	}
}

// A message that cannot be stored is not acknowledged, and comes again.
func TestWhatCannotBeStoredComesAgain(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	// The first messages make the Signal session; what fails below is a plain one.
	if _, err := friend.SendText(within(t), owner.Number(), "before"); err != nil {
		t.Fatal(err)
	}
	p.one("the first message", text("before"))
	if _, err := p.main.Exec(`CREATE TRIGGER "full" BEFORE INSERT ON "messages" BEGIN SELECT RAISE(ABORT, 'disk full'); END`); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("no room ", i)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, s, "a reconnect for the sake of delivery", func(r instances.Report) bool { return r.Status == instances.Reconnecting })
	if n := count(fromOthers, p.all()); n != 1 {
		t.Fatalf("%d messages are stored on a full disk", n)
	}
	if _, err := p.main.Exec(`DROP TRIGGER "full"`); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p.one("what had no room", text(fmt.Sprint("no room ", i)))
	}
	if n := count(fromOthers, p.all()); n != 6 {
		t.Fatalf("%d messages are stored, want 6", n)
	}
}

// The keys that open a message are lost; it is asked for again and takes its place.
func TestUndecryptableComesAgain(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	after := friend.Seq()
	sendText(t, s, friend.Number(), "hello")
	arrives(t, friend, after, "hello")
	for _, greeting := range []string{"hi", "hi again"} { // from here on without prekeys
		if _, err := friend.SendText(within(t), owner.Number(), greeting); err != nil {
			t.Fatal(err)
		}
		p.one(greeting, text(greeting))
		sendText(t, s, friend.Number(), "answer to "+greeting)
		arrives(t, friend, after, "answer to "+greeting)
	}
	if _, err := p.keys.Exec(`DELETE FROM "whatsmeow_sessions"`); err != nil {
		t.Fatal(err)
	}
	sent, err := friend.SendText(within(t), owner.Number(), "sealed")
	if err != nil {
		t.Fatal(err)
	}
	m := p.one("the message", func(m messages.Message) bool { return m.ID == sent.ID && m.Kind == messages.Text })
	if m.Text != "sealed" {
		t.Fatalf("stored as %+v", m)
	}
	if n := count(func(m messages.Message) bool { return m.ID == sent.ID || m.Kind == messages.Undecryptable }, p.all()); n != 1 {
		t.Fatalf("the message and its placeholder are %d rows", n)
	}
}

// What the phone says to this device alone is no message of anybody: it is asked for again, and
// nothing stands for it in a chat meanwhile.
func TestWhatThePhoneSaysToTheDeviceIsNoMessage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var fails atomic.Bool
	p.sync = func() error {
		if fails.Load() {
			return errors.New("the disk fails")
		}
		return nil
	}
	s := p.open(quick)
	scan(t, s, newPhone(t, "Owner"))
	a := s.current()
	info := types.MessageInfo{ID: "KEYS", Category: "peer", Timestamp: time.Now()}
	info.Chat, info.Sender, info.IsFromMe = a.jid().ToNonAD(), a.jid().ToNonAD(), true
	fails.Store(true) // nothing is stored, so there is nothing to wait for
	if !s.handle(a, &events.UndecryptableMessage{Info: info}) {
		t.Error("it is not acknowledged")
	}
	fails.Store(false)
	info.ID, info.Category = "TEXT", ""
	if !s.handle(a, &events.UndecryptableMessage{Info: info}) {
		t.Error("a message is not acknowledged")
	}
	if all := p.all(); len(all) != 1 || all[0].ID != "TEXT" {
		t.Errorf("stored are %+v", all)
	}
}

// What an earlier process could not read, and could not ask the phone for any more, comes from it
// to the next one.
func TestUnreadableComesFromThePhone(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	group, err := friend.CreateGroup(within(t), "Group", []string{owner.Number()})
	if err != nil {
		t.Fatal(err)
	}
	for to, what := range map[string]string{owner.Number(): "to one", group.ID: "to all"} {
		if _, err := friend.SendText(within(t), to, what); err != nil {
			t.Fatal(err)
		}
		p.one("the message", text(what))
		arrives(t, owner, 0, what)
	}
	s.Close()
	if _, err := p.main.Exec(`UPDATE "messages" SET "kind" = 'undecryptable', "text" = '', "raw" = NULL`); err != nil {
		t.Fatal(err)
	}
	p.open(quick)
	for _, what := range []string{"to one", "to all"} {
		if m := p.one("the message", text(what)); m.Kind != messages.Text {
			t.Errorf("stored as %+v", m)
		}
	}
	if n := len(p.all()); n != 2 {
		t.Errorf("%d messages are stored", n)
	}
}

// A phone that cannot open a message asks for it again, and gets it although this process
// has been restarted since it sent the message, or has been quiet and forgot it.
func TestARetryIsAnsweredFromWhatIsStored(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*place, *Session) *Session{
		"after a restart": func(p *place, s *Session) *Session {
			s.Close()
			return p.open(quick)
		},
		"after a quiet minute": func(_ *place, s *Session) *Session {
			s.Forget()
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, _ := paired(t, quick)
			friend := newPhone(t, "Friend")
			after := friend.Seq()
			sendText(t, s, friend.Number(), "one")
			arrives(t, friend, after, "one")
			if _, err := friend.SendText(within(t), s.Report().JID[:12], "two"); err != nil {
				t.Fatal(err)
			}
			p.one("the answer", text("two"))
			sendText(t, s, friend.Number(), "three")
			arrives(t, friend, after, "three")
			if err := friend.SetOnline(within(t), false); err != nil {
				t.Fatal(err)
			}
			sent := sendText(t, s, friend.Number(), "sealed")
			forgetSessions(t, friend)
			s = forget(p, s)
			for _, chat := range chats(t, s, friend) {
				remembered := s.current().client.DangerousInternals().GetRecentMessage(chat, sent.ID) //nolint:staticcheck // SA1019: no public way tells
				if !remembered.IsEmpty() {
					t.Fatal("the message is still in memory, so nothing is tested")
				}
			}
			untilIs(t, s, instances.Connected, "")
			if err := friend.SetOnline(within(t), true); err != nil {
				t.Fatal(err)
			}
			arrives(t, friend, after, "sealed")
			if friend.Undecryptable() == 0 {
				t.Fatal("nothing had to be sent again, so nothing was tested")
			}
		})
	}
}

// chats are the addresses that a chat with a phone may have in whatsmeow.
func chats(t *testing.T, s *Session, p *phone.Phone) []types.JID {
	t.Helper()
	number := types.NewJID(p.Number(), types.DefaultUserServer)
	lid, err := s.current().device.LIDs.GetLIDForPN(within(t), number)
	if err != nil || lid.IsEmpty() {
		t.Fatalf("the phone's hidden address: %q, %v", lid, err)
	}
	return []types.JID{number, lid}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	p, s, _ := paired(t, quick)
	friend := newPhone(t, "Friend")
	sent := sendText(t, s, friend.Number(), "read me")
	status := func(d messages.Delivery) func([]messages.Message) bool {
		return func(all []messages.Message) bool {
			return count(func(m messages.Message) bool { return m.ID == sent.ID && m.Status == d }, all) == 1
		}
	}
	p.eventually("delivered", status(messages.Delivered))
	if err := friend.MarkRead(within(t), s.Report().JID[:12]); err != nil {
		t.Fatal(err)
	}
	p.eventually("read", status(messages.Read))
}

func TestOwnMessagesFromThePhone(t *testing.T) {
	t.Parallel()
	p, _, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	if _, err := owner.SendText(within(t), friend.Number(), "typed on the phone"); err != nil {
		t.Fatal(err)
	}
	m := p.one("the own message", text("typed on the phone"))
	if !m.FromMe || m.Chat != friend.Number()+"@s.whatsapp.net" || m.Sender != owner.Number()+"@s.whatsapp.net" || m.Status == "" {
		t.Fatalf("stored as %+v", m)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	mine := sendText(t, s, friend.Number(), "mine")
	arrives(t, friend, 0, "mine")
	to := owner.Number()
	e, err := friend.SendText(within(t), to, "with a typo")
	if err != nil {
		t.Fatal(err)
	}
	steps := []error{
		friend.Edit(within(t), to, e.ID, "without a typo"),
		friend.Revoke(within(t), to, e.ID),
		friend.React(within(t), to, mine.ID, "👍"),
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	m := p.one("the edited message", func(m messages.Message) bool { return m.ID == e.ID && !m.RevokedAt.IsZero() })
	var before string
	err = p.main.QueryRowContext(within(t), `SELECT group_concat("text") FROM "edits" WHERE "chat" = $1 AND "id" = $2`, m.Chat, m.ID).Scan(&before)
	if err != nil || m.Text != "without a typo" || m.EditedAt.IsZero() || before != "with a typo" {
		t.Errorf("stored as %+v, before it was %q, %v", m, before, err)
	}
	p.one("the reaction", func(m messages.Message) bool {
		return m.ID == mine.ID && len(m.Reactions) == 1 && m.Reactions[0].Emoji == "👍" && m.Reactions[0].Name == "Friend"
	})
	for _, f := range []phone.File{
		{Kind: phone.Image, MIME: "image/png", Caption: "a picture", Data: []byte("png")},
		{Kind: phone.Document, MIME: "application/pdf", Name: "offer.pdf", Data: []byte("pdf")},
	} {
		if _, err := friend.SendFile(within(t), to, f); err != nil {
			t.Fatal(err)
		}
	}
	p.one("a picture", func(m messages.Message) bool { return m.Kind == messages.Image && m.Text == "a picture" })
	p.one("a document", func(m messages.Message) bool { return m.Kind == messages.Document && m.Text == "offer.pdf" })
}

func TestGroup(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	g, err := friend.CreateGroup(within(t), "The group", []string{owner.Number()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := friend.SendText(within(t), g.ID, "to all"); err != nil {
		t.Fatal(err)
	}
	m := p.one("the message", text("to all"))
	if m.Chat != chatOf(g.ID) || m.Sender != friend.Number()+"@s.whatsapp.net" {
		t.Fatalf("stored as %+v", m)
	}
	var name string
	if err := p.main.QueryRow(`SELECT "name" FROM "chats" WHERE "jid" = $1`, m.Chat).Scan(&name); err != nil || name != "The group" {
		t.Errorf("the group is called %q, %v", name, err)
	}
	sent := sendText(t, s, m.Chat, "from the panel")
	arrives(t, friend, 0, "from the panel")
	p.eventually("delivered", func(all []messages.Message) bool {
		return count(func(m messages.Message) bool { return m.ID == sent.ID && m.Status == messages.Delivered }, all) == 1
	})
}

func chatOf(group string) string {
	return strings.TrimSuffix(group, "@g.us") + "@g.us"
}

func TestHistory(t *testing.T) {
	t.Parallel()
	p, owner, friend := newPlace(t), newPhone(t, "Owner"), newPhone(t, "Friend")
	for i := range 5 {
		if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("long ago ", i)); err != nil {
			t.Fatal(err)
		}
		arrives(t, owner, 0, fmt.Sprint("long ago ", i))
	}
	if _, err := owner.SendText(within(t), friend.Number(), "answered long ago"); err != nil {
		t.Fatal(err)
	}
	s := p.open(quick)
	scan(t, s, owner)
	for i := range 5 {
		m := p.one("history", text(fmt.Sprint("long ago ", i)))
		if m.FromMe || m.Chat != friend.Number()+"@s.whatsapp.net" || m.Sender != m.Chat {
			t.Fatalf("stored as %+v", m)
		}
	}
	if m := p.one("the own part", text("answered long ago")); !m.FromMe || m.Status == "" {
		t.Fatalf("stored as %+v", m)
	}
}

func TestRefusedSends(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	network1.RefuseSends(target(owner), 463)
	_, err := s.SendText(within(t), friend.Number(), "refused")
	if fault.KindOf(err) != fault.Throttled || !errorsIsReachOut(err) {
		t.Fatalf("got %v", err)
	}
	if m := p.one("the refused message", text("refused")); m.Status != messages.NotSent {
		t.Fatalf("stored as %+v", m)
	}
	network1.RefuseSends(target(owner), 0)
	sendText(t, s, friend.Number(), "accepted")
	arrives(t, friend, 0, "accepted")
}

func TestSendsThatCannotBe(t *testing.T) {
	t.Parallel()
	p, s, _ := paired(t, quick)
	for _, c := range []struct{ to, text, field string }{
		{"", "hello", "to"}, {"12", "hello", "to"}, {"nobody", "hello", "to"}, {"@s.whatsapp.net", "hello", "to"},
		{"490000000000000", "hello", "to"}, // nobody has this number
		{"491701234567", "", "text"}, {"491701234567", " \n", "text"}, {"491701234567", "\xff", "text"},
		{"491701234567", string(make([]rune, maxText+1)), "text"},
	} {
		_, err := s.SendText(within(t), c.to, c.text)
		if fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != c.field {
			t.Errorf("to %q: %v", c.to, err)
		}
	}
	if n := len(p.all()); n != 0 {
		t.Errorf("%d messages are stored", n)
	}
}

// What a message answers may be older than the number here, or tidied away: that is no reason
// not to send it.
func TestAnAnswerToWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	p, s, _ := paired(t, quick)
	friend := newPhone(t, "Friend")
	sent, err := s.Send(within(t), friend.Number(), Text("yes"), Extras{ReplyTo: "3EB0NEVERSEEN"})
	if err != nil {
		t.Fatal(err)
	}
	if !sent.Unquoted {
		t.Error("nobody is told that it went without the quote")
	}
	if e := arrives(t, friend, 0, "yes"); e.ReplyTo != "" || e.ID != sent.ID {
		t.Errorf("it arrived as %+v", e)
	}
	p.one("the message", text("yes"))
}

func TestTheNetworkRestarts(t *testing.T) {
	// Not parallel: it strikes everybody.
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	if err := network1.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	until(t, s, "the loss", func(r instances.Report) bool { return r.Status == instances.Reconnecting })
	back := time.Now()
	untilIs(t, s, instances.Connected, "")
	t.Logf("back after %s", time.Since(back))
	if _, err := friend.SendText(within(t), owner.Number(), "after the restart"); err != nil {
		t.Fatal(err)
	}
	p.one("the message", text("after the restart"))
}

// Groups of before the pairing are known with their members soon after it.
func TestGroupsAreLearned(t *testing.T) {
	t.Parallel()
	p, owner, friend := newPlace(t), newPhone(t, "Owner"), newPhone(t, "Friend")
	g, err := friend.CreateGroup(within(t), "An old group", []string{owner.Number()})
	if err != nil {
		t.Fatal(err)
	}
	s := p.open(quick)
	scan(t, s, owner)
	ctx := within(t)
	for {
		var members, makers int
		err := p.main.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN "jid" = $1 AND "role" = 'superadmin' AND "lid" <> '' THEN 1 END) FROM "members" WHERE "group" = $2`,
			friend.Number()+"@s.whatsapp.net", g.ID).Scan(&members, &makers)
		if err != nil {
			t.Fatal(err)
		}
		if members == 2 {
			if makers != 1 {
				t.Error("who made the group is not known for it")
			}
			return
		}
		select {
		case <-time.After(20 * time.Millisecond): // the database has no signal to wait for
		case <-ctx.Done():
			t.Fatalf("%d members", members)
		}
	}
}
