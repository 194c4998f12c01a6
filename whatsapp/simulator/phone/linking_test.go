//go:build !race

package phone_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
	"switchboard/whatsapp/simulator/phone"
)

func TestLinkByQR(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	if _, err := ben.SendText(ctx, anna.Number(), "before the link"); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == "before the link" }); err != nil {
		t.Fatal(err)
	}

	c := newCompanion(t, w)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	code := await[*events.QR](t, c, nil).Codes[0]
	wrong := strings.Replace(code, ",", ",A", 1)
	if _, err := anna.Scan(ctx, wrong); fault.FieldOf(err) != "text" {
		t.Errorf("a damaged code gave %v", err)
	}
	jid, err := anna.Scan(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](t, c, nil)
	if got := *c.Store.ID; got != jid || got.User != anna.Number() {
		t.Errorf("the companion is %s, the phone linked %s", got, jid)
	}
	recent := await(t, c, func(h *events.HistorySync) bool { return h.Data.GetProgress() == 100 })
	if got := recent.Data.GetConversations()[0].GetMessages()[0].GetMessage().GetMessage().GetConversation(); got != "before the link" {
		t.Errorf("the history says %q", got)
	}
	if list := anna.Companions(); len(list) != 1 || list[0].Device != jid.Device {
		t.Errorf("the phone lists %+v", list)
	}
	if _, err := anna.Scan(ctx, code); fault.FieldOf(err) != "text" {
		t.Errorf("a used code gave %v", err)
	}

	// What arrives for the account arrives on both devices.
	if _, err := ben.SendText(ctx, anna.Number(), "to both"); err != nil {
		t.Fatal(err)
	}
	m := await(t, c, func(m *events.Message) bool { return m.Message.GetConversation() == "to both" })
	if m.Info.PushName != "Ben" {
		t.Errorf("the companion sees the name %q", m.Info.PushName)
	}
	if _, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == "to both" }); err != nil {
		t.Error(err)
	}
	// What the companion sends shows on the phone.
	if _, err := c.SendMessage(ctx, types.NewJID(ben.Number(), types.DefaultUserServer), &waE2E.Message{Conversation: proto.String("from the companion")}); err != nil {
		t.Fatal(err)
	}
	if e, err := anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == "from the companion" }); err != nil || !e.FromMe || e.Chat != ben.Number() || e.Device != jid.Device {
		t.Errorf("the phone shows %+v, %v", e, err)
	}
	if e, err := ben.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == "from the companion" }); err != nil || e.Chat != anna.Number() {
		t.Errorf("Ben has %+v, %v", e, err)
	}
	// The app state brought a name, with which the companion can be available.
	if c.Store.PushName != "Anna" {
		t.Errorf("the companion calls itself %q", c.Store.PushName)
	}
	if contact, err := c.Store.Contacts.GetContact(ctx, types.NewJID(ben.Number(), types.DefaultUserServer)); err != nil || contact.FullName != "Ben" {
		t.Errorf("the address book has %+v, %v", contact, err)
	}

	if err := anna.Unlink(ctx, jid.Device); err != nil {
		t.Fatal(err)
	}
	await[*events.LoggedOut](t, c, nil)
	if list := anna.Companions(); len(list) != 0 {
		t.Errorf("after unlinking the phone lists %+v", list)
	}
	if n := anna.Undecryptable() + ben.Undecryptable(); n != 0 {
		t.Errorf("%d messages could not be opened", n)
	}
}

func TestLinkByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.phone(t, "4915110000001", "Anna")
	ctx := within(t, 2*time.Minute)
	if _, err := anna.EnterCode(ctx, "ABCD-1234"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a code that nobody asked for gave %v", err)
	}
	c := newCompanion(t, w)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	await[*events.QR](t, c, nil)
	code, err := c.PairPhone(ctx, anna.Number(), true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		t.Fatal(err)
	}
	wrong := "1111-1111"
	if code == wrong {
		wrong = "1111-1112"
	}
	if _, err := anna.EnterCode(ctx, wrong); fault.FieldOf(err) != "code" {
		t.Errorf("a wrong code gave %v", err)
	}
	if _, err := anna.EnterCode(ctx, strings.ToLower(code)); err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](t, c, nil)
	await(t, c, func(h *events.HistorySync) bool { return h.Data.GetProgress() == 100 })
}

func TestLinkWithAPasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.phone(t, "4915110000001", "Anna")
	ctx := within(t, 2*time.Minute)
	if err := anna.SetPasskey(ctx, true); err != nil {
		t.Fatal(err)
	}
	c := newCompanion(t, w)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	code := await[*events.QR](t, c, nil).Codes[0]
	scanned := make(chan error, 1)
	go func() {
		_, err := anna.Scan(ctx, code)
		scanned <- err
	}()
	request := await[*events.PairPasskeyRequest](t, c, nil)
	options, err := json.Marshal(request.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := anna.AnswerPasskey(options)
	if err != nil {
		t.Fatal(err)
	}
	var response types.WebAuthnResponse
	if err := json.Unmarshal(credential, &response); err != nil {
		t.Fatal(err)
	}
	if err := c.SendPasskeyResponse(ctx, &response); err != nil {
		t.Fatal(err)
	}
	confirmation := await[*events.PairPasskeyConfirmation](t, c, nil)
	// The phone may be a moment behind: it learns the code from the same exchange.
	for want := (phone.Link{Waiting: "confirmation", Code: confirmation.Code}); anna.Link() != want; {
		look, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, _ = anna.Watch(look, 1<<60) // returns when anything on the screen changes
		cancel()
		if ctx.Err() != nil {
			t.Fatalf("the phone shows %+v, the companion %s", anna.Link(), confirmation.Code)
		}
	}
	if err := c.SendPasskeyConfirmation(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](t, c, nil)
	await(t, c, func(h *events.HistorySync) bool { return h.Data.GetProgress() == 100 })
	if anna.Link() != (phone.Link{}) {
		t.Errorf("the phone still waits for %+v", anna.Link())
	}
}

func TestACompanionAsksThePhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, ben := w.phone(t, "4915110000001", "Anna"), w.phone(t, "4915110000002", "Ben")
	ctx := within(t, 2*time.Minute)
	var last phone.Entry
	for _, text := range []string{"one", "two", "three"} {
		if _, err := ben.SendText(ctx, anna.Number(), text); err != nil {
			t.Fatal(err)
		}
		var err error
		if last, err = anna.WaitFor(ctx, 0, func(e phone.Entry) bool { return e.Text == text }); err != nil {
			t.Fatal(err)
		}
	}
	c := link(t, w, anna)
	from := types.NewJID(ben.Number(), types.DefaultUserServer)

	if _, err := c.SendPeerMessage(ctx, c.BuildUnavailableMessageRequest(from, from, last.ID)); err != nil {
		t.Fatal(err)
	}
	m := await(t, c, func(m *events.Message) bool { return m.UnavailableRequestID != "" })
	if m.Message.GetConversation() != "three" || m.Info.ID != last.ID {
		t.Errorf("the phone resent %v", m.Message)
	}

	info := &types.MessageInfo{MessageSource: types.MessageSource{Chat: from}, ID: last.ID, Timestamp: last.Time}
	if _, err := c.SendPeerMessage(ctx, c.BuildHistorySyncRequest(info, 10)); err != nil {
		t.Fatal(err)
	}
	more := await(t, c, func(h *events.HistorySync) bool { return h.Data.GetSyncType().String() == "ON_DEMAND" })
	if len(more.Data.GetConversations()) != 1 {
		t.Errorf("the phone sent the history %v", more.Data)
	}
}
