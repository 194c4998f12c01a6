//go:build !race

package whatsapp

import (
	"strings"
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
)

func TestPairByQR(t *testing.T) {
	t.Parallel()
	p, owner, friend := newPlace(t), newPhone(t, "Owner"), newPhone(t, "Friend")
	s := p.open(quick)
	code := untilCode(t, s)
	if code.Turn != 1 || code.Turns != 6 || time.Until(code.ExpiresAt) < 25*time.Second {
		t.Fatalf("code %d of %d until %s", code.Turn, code.Turns, code.ExpiresAt)
	}
	scan(t, s, owner)
	r := s.Report()
	if !strings.HasPrefix(r.JID, owner.Number()+":") || !strings.HasSuffix(r.LID, "@lid") || r.Pairing != nil {
		t.Fatalf("the report is %+v", r)
	}
	if time.Since(r.ProvenAt) > patience {
		t.Fatalf("connected, and proven at %s", r.ProvenAt)
	}
	until(t, s, "the owner's name", func(r instances.Report) bool { return r.PushName == "Owner" })
	sent := sendText(t, s, friend.Number(), "hello")
	if arrived := arrives(t, friend, 0, "hello"); arrived.ID != sent.ID || arrived.From != owner.Number() {
		t.Fatalf("arrived as %+v, sent as %+v", arrived, sent)
	}
	if _, err := friend.SendText(within(t), owner.Number(), "hello yourself"); err != nil {
		t.Fatal(err)
	}
	reply := p.one("the reply", text("hello yourself"))
	if reply.Chat != friend.Number()+"@s.whatsapp.net" || reply.Sender != reply.Chat ||
		reply.SenderName != "Friend" || reply.FromMe || !strings.HasSuffix(reply.SenderLID, "@lid") {
		t.Fatalf("stored as %+v", reply)
	}
	own := p.one("the own message", text("hello"))
	if own.Chat != reply.Chat || !own.FromMe || own.Sender != owner.Number()+"@s.whatsapp.net" || own.ID != sent.ID {
		t.Fatalf("stored as %+v", own)
	}
	if all := p.all(); all[len(all)-1].ID != reply.ID {
		t.Fatal("the reply is not the newest message")
	}
}

func TestPairByPhoneCode(t *testing.T) {
	t.Parallel()
	p, owner := newPlace(t), newPhone(t, "Owner")
	s := p.open(quick)
	written := "+" + owner.Number()[:2] + " " + owner.Number()[2:5] + "-" + owner.Number()[5:]
	code, err := s.PairPhone(within(t), written)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Report()
	if r.Pairing == nil || r.Pairing.PhoneCode != code.Code || r.Pairing.PhoneCodeFor != owner.Number() ||
		!r.Pairing.PhoneCodeExpiresAt.Equal(code.ExpiresAt) || time.Until(code.ExpiresAt) < 2*time.Minute {
		t.Fatalf("got %+v, the report has %+v", code, r.Pairing)
	}
	if _, err := owner.EnterCode(within(t), "AAAA-AAAA"); err == nil {
		t.Fatal("a wrong code was taken")
	}
	if _, err := owner.EnterCode(within(t), code.Code); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
}

func TestAPhoneCodeNeedsANumber(t *testing.T) {
	t.Parallel()
	s := newPlace(t).open(quick)
	for _, phone := range []string{"", "12", "0170123456", "abc", "1234567890123456", "4917012٣4567"} {
		_, err := s.PairPhone(within(t), phone)
		if fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != "phone" {
			t.Errorf("%q: %v", phone, err)
		}
	}
}

func TestPairWithPasskey(t *testing.T) {
	t.Parallel()
	p, owner := newPlace(t), newPhone(t, "Owner")
	if err := owner.SetPasskey(within(t), true); err != nil {
		t.Fatal(err)
	}
	s := p.open(quick)
	code := untilCode(t, s).Code
	scanned := make(chan error, 1)
	go func() { _, err := owner.Scan(within(t), code); scanned <- err }()
	r := untilIs(t, s, instances.PasskeyRequired, "")
	if r.Pairing == nil || r.Pairing.Passkey == nil || r.Pairing.Code != "" {
		t.Fatalf("the report has %+v", r.Pairing)
	}
	if err := s.AnswerPasskey(within(t), []byte(`{"id":"nonsense"}`)); fault.KindOf(err) != fault.Invalid {
		t.Fatalf("nonsense was taken: %v", err)
	}
	if err := s.ConfirmPasskey(within(t)); fault.KindOf(err) != fault.Conflict {
		t.Fatalf("confirmed before there was a code: %v", err)
	}
	answer, err := owner.AnswerPasskey(r.Pairing.Passkey.Request)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AnswerPasskey(within(t), answer); err != nil {
		t.Fatal(err)
	}
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
}

func TestARoundOfCodesEnds(t *testing.T) {
	t.Parallel()
	short := quick
	short.firstCode, short.nextCode, short.round = time.Second, time.Second, patience // each is to be seen
	p, owner := newPlace(t), newPhone(t, "Owner")
	s := p.open(short)
	seen := map[string]int{}
	until(t, s, "the end of the round", func(r instances.Report) bool {
		if r.Pairing != nil && r.Pairing.Code != "" {
			seen[r.Pairing.Code] = r.Pairing.Turn
		}
		return r.Status == instances.PairingPhone && r.Reason == instances.QRExpired
	})
	if len(seen) != 6 {
		t.Errorf("%d codes were shown, want 6", len(seen))
	}
	if r := s.Report(); r.Pairing != nil {
		t.Error("a code is shown after the last")
	}
	// Nothing loops: no connection is left, and none comes by itself.
	still(t, s)
	if err := s.Pair(within(t)); err != nil {
		t.Fatal(err)
	}
	if again := untilCode(t, s); seen[again.Code] != 0 || again.Turn != 1 {
		t.Errorf("the new round shows turn %d, seen before: %v", again.Turn, seen[again.Code] != 0)
	}
	scan(t, s, owner)
}

func TestARoundSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	p, owner := newPlace(t), newPhone(t, "Owner")
	s := p.open(quick)
	first := untilCode(t, s)
	s.network.cut()
	second := until(t, s, "another code", func(r instances.Report) bool {
		return r.Pairing != nil && r.Pairing.Code != "" && r.Pairing.Code != first.Code
	}).Pairing
	if second.Turn != first.Turn+1 {
		t.Errorf("turn %d follows turn %d", second.Turn, first.Turn)
	}
	scan(t, s, owner)
}

func TestLogoutAndPairAgain(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	friend := newPhone(t, "Friend")
	first := s.Report().JID
	if err := s.Pair(within(t)); fault.KindOf(err) != fault.Conflict {
		t.Fatalf("a linked number can be paired: %v", err)
	}
	for range 3 {
		if err := s.Logout(within(t)); err != nil {
			t.Fatal(err)
		}
		if r := s.Report(); r.Status != instances.LoggedOut || r.Reason != instances.LoggedOutByUser {
			t.Fatalf("after a logout: %+v", r)
		}
		if n := len(owner.Companions()); n != 0 {
			t.Fatalf("the phone still lists %d devices", n)
		}
		if err := s.Logout(within(t)); fault.KindOf(err) != fault.Conflict {
			t.Fatalf("logged out twice: %v", err)
		}
		if err := s.Reconnect(within(t)); fault.KindOf(err) != fault.Conflict {
			t.Fatalf("reconnected without a link: %v", err)
		}
		if _, err := s.SendText(within(t), friend.Number(), "into the void"); fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("sent without a link: %v", err)
		}
		if err := s.Pair(within(t)); err != nil {
			t.Fatal(err)
		}
		scan(t, s, owner)
		if r := s.Report(); r.JID == first {
			t.Fatal("the same device again")
		}
		sendText(t, s, friend.Number(), "round")
	}
	devices, err := s.store.GetAllDevices(within(t))
	if err != nil || len(devices) != 1 {
		t.Fatalf("%d devices are stored, %v", len(devices), err)
	}
	p.eventually("all sends stored", func(all []messages.Message) bool { return len(all) == 3 })
	// A process that starts finds the last link.
	s.Close()
	untilIs(t, p.open(quick), instances.Connected, "")
}

func TestLogoutWithoutANetworkKeepsTheLink(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	network1.FailLogins(target(owner), failure(503))
	network1.Drop(target(owner))
	untilIs(t, s, instances.Reconnecting, instances.ConnectionLost)
	if err := s.Logout(within(t)); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v", err)
	}
	network1.FailLogins(target(owner), nil)
	untilIs(t, s, instances.Connected, "")
}
