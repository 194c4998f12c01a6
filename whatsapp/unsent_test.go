//go:build !race

package whatsapp

import (
	"testing"

	"switchboard/fault"
	"switchboard/messages"
	"switchboard/whatsapp/simulator"
)

// A message that could be encrypted for nobody, since the keys could not be read, is not
// called sent: whatsmeow leaves out the devices it failed for, and WhatsApp takes what is left.
func TestWhatCouldBeEncryptedForNobodyIsNotSent(t *testing.T) {
	t.Parallel()
	p, s, _ := paired(t, quick)
	friend := newPhone(t, "Friend")
	exec := func(query string) {
		t.Helper()
		if _, err := p.keys.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	seq := friend.Seq()
	exec(`ALTER TABLE whatsmeow_identity_keys RENAME TO away`)
	if sent, err := s.SendText(within(t), friend.Number(), "into the void"); err == nil {
		t.Errorf("sent as %s, for nobody", sent.ID)
	}
	if m := p.one("the message", text("into the void")); m.Status != messages.NotSent {
		t.Errorf("it is stored as %q", m.Status)
	}
	exec(`ALTER TABLE away RENAME TO whatsmeow_identity_keys`)
	sendText(t, s, friend.Number(), "once more")
	arrives(t, friend, seq, "once more")
}

// The same where WhatsApp does not give out the keys of a recipient.
func TestWhatWhatsAppGaveNoKeysForIsNotSent(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	seq := friend.Seq()
	network1.RefuseKeys(simulator.Target{Number: owner.Number()}, true)
	if _, err := s.SendText(within(t), friend.Number(), "into the void"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without keys: %v", err)
	}
	if m := p.one("the message", text("into the void")); m.Status != messages.NotSent {
		t.Errorf("it is stored as %q", m.Status)
	}
	network1.RefuseKeys(simulator.Target{Number: owner.Number()}, false)
	sendText(t, s, friend.Number(), "once more")
	arrives(t, friend, seq, "once more")
}
