//go:build !race

package simulator_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

func TestPairByQR(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.phone("Ada")
	c := w.newClient()
	jid := w.scan(c, p)
	if *c.Store.ID != jid || jid.Device == 0 || jid.User != p.Number() {
		t.Errorf("client is %v, phone linked %v", c.Store.ID, jid)
	}
	wait[*events.HistorySync](c, 0, nil)
	devices := w.Devices(p.Number())
	if len(devices) != 2 || devices[1].JID != jid || !devices[1].Online {
		t.Errorf("devices: %+v", devices)
	}
}

func TestMessagesBothWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	c.send(w.ctx, pn(bob.Number()), "hello Bob")
	if _, err := bob.SendText(w.ctx, ada.Number(), "hello Ada"); err != nil {
		t.Fatal(err)
	}
	m := wait(c, 0, hasText("hello Ada"))
	t.Logf("%+v", m.Info.MessageSource)
}
