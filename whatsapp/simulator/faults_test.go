//go:build !race

package simulator_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/whatsapp/simulator"
)

func TestDroppedClientComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c, other := w.pair(ada), w.pair(bob)
	before := w.connections(*c.Store.ID)
	undisturbed := w.connections(*other.Store.ID)
	for _, fault := range []func(){
		func() { w.Drop(target(c)) },
		func() { w.FailStream(target(c), simulator.StreamUnavailable) },
	} {
		mark := c.mark()
		fault()
		wait[*events.Disconnected](c, mark, nil)
		wait[*events.Connected](c, mark, nil)
	}
	after := w.connections(*c.Store.ID)
	if len(before) != 1 || len(after) != 1 || after[0].ID == before[0].ID || after[0].Logins != before[0].Logins+2 {
		t.Errorf("connections: %+v, then %+v", before, after)
	}
	if still := w.connections(*other.Store.ID); still[0] != undisturbed[0] {
		t.Errorf("the other client: %+v, then %+v", undisturbed, still)
	}
	mark := c.mark()
	must(t, w.Restart(w.ctx))
	wait[*events.Connected](c, mark, nil)
	c.send(w.ctx, pn(bob.Number()), "back again")
	wait(other, 0, hasText("back again"))
}

func TestSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	connection := w.connections(*c.Store.ID)
	if n := w.Silence(simulator.Target{Number: ada.Number()}, true); n != 1 {
		t.Errorf("%d connections fell silent", n)
	}
	brief, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := c.trySend(brief, pn(bob.Number()), "hello?"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent network answered: %v", err)
	}
	_, err := bob.SendText(w.ctx, ada.Number(), "anybody there?")
	must(t, err)
	if c.texts() != nil {
		t.Errorf("a silent network delivered %q", c.texts())
	}
	w.Silence(simulator.Target{Number: ada.Number()}, false)
	wait(c, 0, hasText("anybody there?"))
	if now := w.connections(*c.Store.ID); now[0] != connection[0] {
		t.Errorf("connection: %+v, then %+v", connection, now)
	}
}

func TestEndsForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	replaced, removed := w.pair(w.phone("Ada")), w.pair(w.phone("Bob"))
	w.FailStream(target(replaced), simulator.StreamReplaced)
	wait[*events.StreamReplaced](replaced, 0, nil)
	eventually(t, "its socket is closed", func() bool { return len(w.connections(*replaced.Store.ID)) == 0 })

	jid := *removed.Store.ID
	w.FailStream(target(removed), simulator.StreamRemoved)
	wait[*events.LoggedOut](removed, 0, nil)
	if devices := w.Devices(jid.User); len(devices) != 1 {
		t.Errorf("devices: %+v", devices)
	}
}

// The same device, connected twice: the first connection is told that it was replaced.
func TestSecondLoginReplacesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.pair(w.phone("Ada"))
	twin := &client{Client: whatsmeow.NewClient(c.Store, nil), t: t, change: make(chan struct{})}
	twin.SetWebsocketHTTPClient(&http.Client{Transport: tcp(w.Addr())})
	twin.AddEventHandlerWithSuccessStatus(twin.record)
	t.Cleanup(twin.Disconnect)
	must(t, twin.Connect())
	wait[*events.StreamReplaced](c, 0, nil)
	wait[*events.Connected](twin, 0, nil)
}

func TestLoginFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.pair(w.phone("Ada"))
	fail := func(f simulator.LoginFailure) int {
		c.Disconnect()
		w.FailLogins(target(c), &f)
		mark := c.mark()
		must(t, c.Connect())
		return mark
	}
	mark := fail(simulator.LoginFailure{Reason: 402, Code: 101, Expire: time.Hour})
	if ban := wait[*events.TemporaryBan](c, mark, nil); ban.Code != events.TempBanSentToTooManyPeople || ban.Expire != time.Hour {
		t.Errorf("ban: %+v", ban)
	}
	wait[*events.ClientOutdated](c, fail(simulator.LoginFailure{Reason: 405}), nil)
	wait[*events.ConnectFailure](c, fail(simulator.LoginFailure{Reason: 499}), nil)
	wait[*events.Connected](c, fail(simulator.LoginFailure{Reason: 503, Times: 1}), nil)
	out := wait[*events.LoggedOut](c, fail(simulator.LoginFailure{Reason: 403}), nil)
	if !out.OnConnect || out.Reason != events.ConnectFailureMainDeviceGone {
		t.Errorf("logged out: %+v", out)
	}

	// A fault for everybody meets clients that are not paired as well, but no phones.
	w.FailLogins(simulator.Target{}, &simulator.LoginFailure{Reason: 405})
	fresh := w.newClient()
	must(t, fresh.Connect())
	wait[*events.ClientOutdated](fresh, 0, nil)
	w.phone("Cleo") // waits until it is connected
	w.FailLogins(simulator.Target{}, nil)
	fresh = w.newClient()
	must(t, fresh.Connect())
	wait[*events.QR](fresh, 0, nil)
}

func TestRefusedSends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	w.RefuseSends(simulator.Target{Number: ada.Number()}, 463)
	if _, err := c.trySend(w.ctx, pn(bob.Number()), "no"); !errors.Is(err, whatsmeow.ErrServerReturnedError) || !strings.Contains(err.Error(), "463") {
		t.Errorf("refused with %v", err)
	}
	w.RefuseSends(simulator.Target{Number: ada.Number()}, 0)
	c.send(w.ctx, pn(bob.Number()), "yes")
	_, err := c.trySend(w.ctx, types.NewJID("4930123456", types.DefaultUserServer), "to nobody")
	if err == nil {
		t.Error("a number without an account got a message")
	}
}
