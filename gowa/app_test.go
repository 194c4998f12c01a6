//go:build !race

package gowa_test

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"switchboard/instances"
)

// scanned reads the QR code that a link of /app/login leads to.
func (n *number) scanned(link string) string {
	n.t.Helper()
	path, found := strings.CutPrefix(link, n.url)
	if !found {
		n.t.Fatalf("%s is not on %s", link, n.url)
	}
	status, picture, header := n.raw(get, path, "", http.NoBody)
	if status != http.StatusOK || header.Get("Content-Type") != "image/png" {
		n.t.Fatalf("%s: %d %s", link, status, picture)
	}
	m, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		n.t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(m)
	if err != nil {
		n.t.Fatal(err)
	}
	code, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		n.t.Fatal(err)
	}
	return code.GetText()
}

func TestApp(t *testing.T) {
	t.Parallel()
	n := newNumber(t)
	type status struct {
		IsConnected bool   `json:"is_connected"`
		IsLoggedIn  bool   `json:"is_logged_in"`
		DeviceID    string `json:"device_id"`
		JID         string `json:"jid"`
	}
	is := func(want status) {
		t.Helper()
		var got status
		if n.done(get, "/app/status", nil).as(t, &got); got != want {
			t.Errorf("the status is %+v, want %+v", got, want)
		}
	}
	type login struct {
		QRLink     string `json:"qr_link"`
		QRDuration int    `json:"qr_duration"`
	}
	const id = "test_20240101000000"

	is(status{DeviceID: id})
	n.refused("401 AUTHENTICATION_ERROR", get, "/app/logout", nil)
	n.refused("401 AUTHENTICATION_ERROR", get, "/app/reconnect", nil)
	n.refused("401 AUTHENTICATION_ERROR", post, "/send/message", params{"phone": "4917112345678", "message": "x"})
	n.refused("400 VALIDATION_ERROR", get, "/app/login-with-code", params{"phone": ""})
	n.refused("400 VALIDATION_ERROR", get, "/app/login-with-code", params{"phone": "12"})
	n.refused("400 VALIDATION_ERROR", post, "/app/passkey/confirm", nil)
	n.refused("400 VALIDATION_ERROR", post, "/app/passkey/response", params{"id": "x"})

	// By QR code.
	var first login
	n.done(get, "/app/login", nil).as(t, &first)
	if first.QRDuration < 1 || first.QRDuration > 60 {
		t.Errorf("the code is valid for %d seconds", first.QRDuration)
	}
	if _, err := n.owner.Scan(within(t), n.scanned(first.QRLink)); err != nil {
		t.Fatal(err)
	}
	connected := func() { n.until("connected", func(r instances.Report) bool { return r.Status == instances.Connected }) }
	connected()
	is(status{true, true, id, n.owner.Number() + "@s.whatsapp.net"})
	n.refused("400 ALREADY_LOGGED_IN", get, "/app/login", nil)
	n.refused("400 ALREADY_LOGGED_IN", get, "/app/login-with-code", params{"phone": n.owner.Number()})
	var devices []struct{ Name, Device, JID string }
	n.done(get, "/app/devices", nil).as(t, &devices)
	if len(devices) != 1 || devices[0].JID != n.owner.Number()+"@s.whatsapp.net" || !strings.Contains(devices[0].Device, ":") {
		t.Errorf("the devices are %+v", devices)
	}
	n.done(get, "/app/info", nil)
	before := n.session.Report().ProvenAt
	n.done(get, "/app/reconnect", nil)
	n.until("a new connection", func(r instances.Report) bool { return r.Status == instances.Connected && r.ProvenAt.After(before) })

	n.done(get, "/app/logout", nil)
	n.until("logged out", func(r instances.Report) bool { return r.Status == instances.LoggedOut })
	is(status{DeviceID: id})

	// By code.
	var code struct {
		DeviceID string `json:"device_id"`
		PairCode string `json:"pair_code"`
	}
	n.done(get, "/app/login-with-code", params{"phone": "+" + n.owner.Number()}).as(t, &code)
	if _, err := n.owner.EnterCode(within(t), code.PairCode); err != nil {
		t.Fatal(err)
	}
	connected()
	n.done(get, "/app/logout", nil)
	n.until("logged out", func(r instances.Report) bool { return r.Status == instances.LoggedOut })

	// With a passkey.
	type passkey struct {
		Status    string
		Challenge json.RawMessage
		Code      string
	}
	look := func() (p passkey) {
		n.done(get, "/app/passkey", nil).as(t, &p)
		return p
	}
	if p := look(); p.Status != "none" {
		t.Errorf("the passkey is %+v", p)
	}
	if err := n.owner.SetPasskey(within(t), true); err != nil {
		t.Fatal(err)
	}
	n.done(get, "/app/login", nil).as(t, &first)
	linked := make(chan error, 1)
	text := n.scanned(first.QRLink)
	go func() {
		_, err := n.owner.Scan(within(t), text)
		linked <- err
	}()
	n.until("the passkey's request", func(r instances.Report) bool { return r.Status == instances.PasskeyRequired })
	p := look()
	if p.Status != "awaiting_response" || !bytes.Contains(p.Challenge, []byte(`"challenge"`)) {
		t.Fatalf("the passkey is %s %s", p.Status, p.Challenge)
	}
	n.refused("409 CONFLICT", get, "/app/login", nil)
	credential, err := n.owner.AnswerPasskey(p.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	var answer params
	if err := json.Unmarshal(credential, &answer); err != nil {
		t.Fatal(err)
	}
	n.done(post, "/app/passkey/response", answer)
	n.until("a code to compare, or the end", func(r instances.Report) bool {
		return r.Status == instances.Connected || r.Pairing != nil && r.Pairing.Passkey != nil && r.Pairing.Passkey.Confirmation != ""
	})
	if p = look(); p.Status == "awaiting_confirmation" {
		if p.Code == "" {
			t.Error("there is no code to compare")
		}
		n.done(post, "/app/passkey/confirm", nil)
	}
	if err := <-linked; err != nil {
		t.Fatal(err)
	}
	connected()
	for _, op := range operations("/app/") {
		// Nobody has to compare a code that was scanned a moment ago.
		if !n.asked[op] && op != "POST /app/passkey/confirm" {
			t.Errorf("%s was not tried", op)
		}
	}
}
