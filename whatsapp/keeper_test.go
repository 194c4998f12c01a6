package whatsapp

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/instances"
)

// unconnected returns a keeper without a network, for what needs none.
func unconnected() *keeper {
	device := &store.Device{}
	s := &Session{
		log: slog.New(slog.DiscardHandler), pace: usualPace, network: &network{},
		changed: make(chan struct{}), inbox: make(chan func(*keeper), 1), stop: make(chan struct{}),
		account: &account{device: device, client: whatsmeow.NewClient(device, nil)},
	}
	return newKeeper(s)
}

func TestThePasskeyStep(t *testing.T) {
	t.Parallel()
	k := unconnected()
	k.round = &round{}
	k.codes([]string{"first", "second"})
	k.wantPasskey(&types.WebAuthnPublicKey{Challenge: []byte{1, 2, 3}, RelyingPartID: "whatsapp.com", Timeout: 60000})
	r := k.Report()
	if r.Status != instances.PasskeyRequired || r.Pairing.Code != "" || !k.codeAt.IsZero() {
		t.Fatalf("the report is %+v, the next code comes at %s", r, k.codeAt)
	}
	var request map[string]any
	if err := json.Unmarshal(r.Pairing.Passkey.Request, &request); err != nil {
		t.Fatal(err)
	}
	if request["challenge"] != "AQID" || request["rpId"] != "whatsapp.com" || request["timeout"] != 60000.0 || len(request) != 3 {
		t.Fatalf("the request is %s", r.Pairing.Passkey.Request)
	}
	changed := k.Changed()
	k.comparePasskey(&events.PairPasskeyConfirmation{Code: "ABCD-EFGH"})
	<-changed
	if p := k.Report().Pairing.Passkey; p.Confirmation != "ABCD-EFGH" || len(p.Request) == 0 {
		t.Fatalf("the passkey is %+v", p)
	}
}

func TestCodesRotate(t *testing.T) {
	t.Parallel()
	k := unconnected()
	k.round = &round{}
	k.codes([]string{"ref1,secret", "ref2,secret", "ref3,secret"})
	k.rotate(&events.RotateADVSecret{OldSecret: "secret", NewSecret: "changed"})
	for i := 1; i <= 3; i++ {
		p := k.Report().Pairing
		if !strings.HasSuffix(p.Code, ",changed") || p.Turn != i || p.Turns != 3 {
			t.Fatalf("code %d is %+v", i, p)
		}
		k.nextCode()
	}
	if r := k.Report(); r.Reason != instances.QRExpired || r.Pairing != nil {
		t.Fatalf("after the last code: %+v", r)
	}
}

func TestTheTimesOfARound(t *testing.T) {
	t.Parallel()
	k := unconnected()
	k.round = &round{}
	before := time.Now()
	k.codes([]string{"1", "2", "3", "4", "5", "6"})
	for i, want := range []time.Duration{60 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second} {
		if ends := k.Report().Pairing.ExpiresAt; ends.Before(before.Add(want)) || ends.After(time.Now().Add(want)) {
			t.Errorf("code %d is shown for %s", i+1, ends.Sub(before))
		}
		before = time.Now()
		k.nextCode()
	}
	if !k.dialAt.IsZero() || k.want {
		t.Error("another round begins by itself")
	}
}

func TestNewConversationsAreLimited(t *testing.T) {
	t.Parallel()
	k := unconnected()
	over := time.Now().Add(time.Hour)
	k.limit(true, over)
	if k.Report().Status == instances.Connected {
		t.Fatal("a limit makes no connection")
	}
	k.online = true
	k.limit(true, over)
	if r := k.Report(); r.Status != instances.Connected || r.Reason != instances.ReachOutLimit || !r.RetryAt.Equal(over) {
		t.Fatalf("the report is %+v", r)
	}
	k.limit(false, time.Time{})
	if r := k.Report(); r.Status != instances.Connected || r.Reason != "" || !r.RetryAt.IsZero() {
		t.Fatalf("the report is %+v", r)
	}
}

// However many messages fail at once, one reconnect asks for all of them.
func TestOneReconnectForAllThatFailed(t *testing.T) {
	t.Parallel()
	k := unconnected()
	k.notStored()
	at := k.againAt
	for range 100 {
		k.notStored()
	}
	if !k.againAt.Equal(at) || time.Until(at) > k.pace.again {
		t.Fatalf("the reconnect moved from %s to %s", at, k.againAt)
	}
}
