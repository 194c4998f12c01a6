//go:build !race

package whatsapp

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/instances"
	"switchboard/messages"
)

// A receipt is acknowledged when it is stored: WhatsApp delivers one again that could not be.
func TestReceiptsAreStoredBeforeTheyAreAcknowledged(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	sendText(t, s, friend.Number(), "first")
	arrives(t, friend, 0, "first")
	settled := func() bool { return unacknowledged(owner.Number()) == 0 }
	eventually(t, "everything is acknowledged", settled)

	if _, err := p.main.ExecContext(t.Context(), `CREATE TRIGGER "refuse" BEFORE INSERT ON "receipts" BEGIN SELECT RAISE(ABORT, 'not now'); END`); err != nil {
		t.Fatal(err)
	}
	logins := func() (n int) {
		for _, c := range network1.Connections() {
			if c.JID.User == owner.Number() && c.JID.Device != 0 {
				n = c.Logins
			}
		}
		return n
	}
	before := logins()
	sent := sendText(t, s, friend.Number(), "second")
	eventually(t, "the number has connected again, to be told again", func() bool { return logins() > before })
	if settled() {
		t.Fatal("a receipt was acknowledged and is not stored")
	}
	if _, err := p.main.ExecContext(t.Context(), `DROP TRIGGER "refuse"`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the receipt is stored", func() bool {
		got, err := p.messages.Progress(t.Context(), friend.Number()+"@s.whatsapp.net", sent.ID)
		return err == nil && got.Status == messages.Delivered
	})
	eventually(t, "the receipt is acknowledged", settled)
	untilIs(t, s, instances.Connected, "")
}

// Only of a person's receipt does the event tell all that its acknowledgement has to say.
func TestReceiptsThatAreAcknowledgedFromHere(t *testing.T) {
	t.Parallel()
	friend := types.JID{User: "1", Server: types.HiddenUserServer, Device: 3}
	for what, change := range map[string]struct {
		do    func(*events.Receipt)
		alone bool
	}{
		"delivered":           {func(*events.Receipt) {}, true},
		"read":                {func(e *events.Receipt) { e.Type = types.ReceiptTypeRead }, true},
		"in a group":          {func(e *events.Receipt) { e.IsGroup, e.Chat = true, types.NewJID("2", types.GroupServer) }, false},
		"of an own device":    {func(e *events.Receipt) { e.IsFromMe = true }, false},
		"asking again":        {func(e *events.Receipt) { e.Type = types.ReceiptTypeRetry }, false},
		"read elsewhere":      {func(e *events.Receipt) { e.Type = types.ReceiptTypeReadSelf }, false},
		"of a hosted device":  {func(e *events.Receipt) { e.Sender.Device = hostedDevice }, false},
		"in a channel":        {func(e *events.Receipt) { e.Chat = types.NewJID("3", types.NewsletterServer); e.Sender = e.Chat }, false},
		"of a bot, elsewhere": {func(e *events.Receipt) { e.Chat = types.NewJID("4", types.DefaultUserServer) }, false},
	} {
		e := &events.Receipt{MessageSource: types.MessageSource{Chat: friend.ToNonAD(), Sender: friend}, MessageIDs: []string{"A", "B"}}
		change.do(e)
		if alone(e) != change.alone {
			t.Errorf("%s: %v", what, !change.alone)
		}
		if n := acknowledgement(e); change.alone && (n.Attrs["id"] != "A" || n.Attrs["from"] != friend || (n.Attrs["type"] == nil) != (e.Type == "")) {
			t.Errorf("%s: acknowledged as %v", what, n.Attrs)
		}
	}
}
