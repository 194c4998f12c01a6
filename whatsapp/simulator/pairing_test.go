//go:build !race

package simulator_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"

	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
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
	if len(devices) != 2 || devices[1].JID != jid || !devices[1].Online || devices[1].LID != c.Store.GetLID() {
		t.Errorf("devices: %+v", devices)
	}
}

// A client that does not trust the answer refuses, nothing is linked, and the same code can
// be tried again.
func TestRefusedPairing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.phone("Ada")
	c := w.newClient()
	must(t, c.Connect())
	code := wait[*events.QR](c, 0, nil)
	c.Store.AdvSecretKey = make([]byte, 32) // not the one in the code
	if jid, err := p.Scan(w.ctx, code.Codes[0]); err == nil {
		t.Errorf("linked %v", jid)
	}
	if devices := w.Devices(p.Number()); len(devices) != 1 {
		t.Errorf("devices: %+v", devices)
	}
	if _, err := w.Accept(w.ctx, "2@nobody", p.Number(), nil, 1); !errors.Is(err, simulator.ErrUnknownRef) {
		t.Errorf("unknown code: %v", err)
	}
}

func TestPairByPhoneCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.phone("Ada")
	c := w.newClient()
	must(t, c.Connect())
	wait[*events.QR](c, 0, nil)
	if _, err := c.PairPhone(w.ctx, p.Number(), true, whatsmeow.PairClientChrome, "nonsense"); !errors.Is(err, whatsmeow.ErrIQBadRequest) {
		t.Errorf("a made-up name for the client: %v", err)
	}
	code, err := c.PairPhone(w.ctx, p.Number(), true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	must(t, err)
	if requests := w.LinkCodeRequests(p.Number()); len(requests) != 1 || requests[0].Platform != "Chrome (Linux)" {
		t.Errorf("requests: %+v", requests)
	}
	if _, err := p.EnterCode(w.ctx, "22222222"); err == nil {
		t.Error("a wrong code was accepted")
	}
	_, err = p.EnterCode(w.ctx, code)
	must(t, err)
	wait[*events.PairSuccess](c, 0, nil)
	wait[*events.Connected](c, 0, nil)
	if requests := w.LinkCodeRequests(p.Number()); len(requests) != 0 {
		t.Errorf("still waiting: %+v", requests)
	}
}

func TestPairWithPasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.phone("Ada")
	must(t, p.SetPasskey(w.ctx, true))
	c := w.newClient()
	must(t, c.Connect())
	code := wait[*events.QR](c, 0, nil)
	linked := make(chan error, 1)
	go func() {
		_, err := p.Scan(w.ctx, code.Codes[0])
		linked <- err
	}()
	request := wait[*events.PairPasskeyRequest](c, 0, nil)
	options, err := json.Marshal(request.PublicKey)
	must(t, err)

	// Somebody else's passkey does not do; the right one does afterwards.
	stranger := w.phone("Mallory")
	must(t, stranger.SetPasskey(w.ctx, true))
	forged := *request.PublicKey
	forged.AllowCredentials = nil
	strangerOptions, err := json.Marshal(forged)
	must(t, err)
	if err := c.SendPasskeyResponse(w.ctx, c.credential(stranger, strangerOptions)); !errors.Is(err, whatsmeow.ErrIQNotAuthorized) {
		t.Errorf("somebody else's passkey: %v", err)
	}
	must(t, c.SendPasskeyResponse(w.ctx, c.credential(p, options)))
	confirmation := wait[*events.PairPasskeyConfirmation](c, 0, nil)
	eventually(t, "both sides show the same code", func() bool { return p.Link().Code == confirmation.Code })
	must(t, c.SendPasskeyConfirmation(w.ctx))
	must(t, <-linked)
	wait[*events.PairSuccess](c, 0, nil)
	wait[*events.Connected](c, 0, nil)
}

// credential has the phone's passkey answer.
func (c *client) credential(p *phone.Phone, options []byte) *types.WebAuthnResponse {
	c.t.Helper()
	raw, err := p.AnswerPasskey(options)
	must(c.t, err)
	var response types.WebAuthnResponse
	must(c.t, json.Unmarshal(raw, &response))
	return &response
}

// A paired client logs in again after the program that simulates the network was started
// anew, in the same folder and at the same address.
func TestPairedOverRestartOfTheProgram(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	dir, phonesDir := t.TempDir(), t.TempDir()
	w := newWorldIn(t, dir, phonesDir, "127.0.0.1:0")
	ada, bob := w.phone("Ada"), w.phone("Bob")
	c := w.pair(ada)
	group, err := bob.CreateGroup(ctx, "Choir", []string{ada.Number()})
	must(t, err)
	wait[*events.JoinedGroup](c, 0, nil)
	must(t, w.phones.Close())
	must(t, w.Network.Close())
	mark := c.mark()

	again := newWorldIn(t, dir, phonesDir, w.Addr())
	wait[*events.Connected](c, mark, nil)
	if again.RootKey() != w.RootKey() {
		t.Error("the root key has changed")
	}
	bob, err = again.phones.Phone(bob.Number())
	must(t, err)
	_, err = bob.SendText(ctx, ada.Number(), "still there?")
	must(t, err)
	wait(c, mark, hasText("still there?"))
	_, err = bob.SendText(ctx, group.ID, "all of you?")
	must(t, err)
	wait(c, mark, hasText("all of you?"))
}

func TestLogoutAndRemoval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.phone("Ada"), w.phone("Bob")
	b := w.pair(bob)
	first, second := w.pair(ada), w.pair(ada)
	b.send(w.ctx, pn(ada.Number()), "to three devices")
	wait(second, 0, hasText("to three devices"))

	must(t, first.Logout(context.WithoutCancel(w.ctx)))
	eventually(t, "one companion is left", func() bool { return len(w.Devices(ada.Number())) == 2 })
	must(t, w.Remove(w.ctx, *second.Store.ID))
	if out := wait[*events.LoggedOut](second, 0, nil); out.OnConnect {
		t.Errorf("logged out as if by a login: %+v", out)
	}
	if err := w.Remove(w.ctx, pn(ada.Number())); !errors.Is(err, simulator.ErrUnknownDevice) {
		t.Errorf("removing the phone: %v", err)
	}

	// The number can be paired again, and its contacts learn of the new device.
	third := w.pair(ada)
	b.send(w.ctx, pn(ada.Number()), "to the new one")
	wait(third, 0, hasText("to the new one"))
}

// A network that was made by another process has another root key than this process's new
// ones; its phones connect all the same.
func TestPhonesOfAnOlderNetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNetwork(t, dir, "127.0.0.1:0")
	must(t, n.Close())
	db, err := sql.Open("sqlite3", filepath.Join(dir, "network.db"))
	must(t, err)
	_, err = db.Exec(`UPDATE "meta" SET "value" = $1 WHERE "name" = 'root key'`, keys.NewKeyPair().Priv[:])
	must(t, errors.Join(err, db.Close()))
	w := newWorldIn(t, dir, t.TempDir(), "127.0.0.1:0")
	if w.RootKey() == n.RootKey() {
		t.Fatal("the root key is the same")
	}
	ada, bob := w.phone("Ada"), w.phone("Bob")
	_, err = ada.SendText(w.ctx, bob.Number(), "hello")
	must(t, err)
	_, err = bob.WaitFor(w.ctx, 0, func(e phone.Entry) bool { return e.Text == "hello" })
	must(t, err)
}
