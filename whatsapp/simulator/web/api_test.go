//go:build !race

// The tests in this file run whatsmeow itself, which has data races of its own (the frame
// socket, the deletion of a device, the QR channel), so the race detector stays out.

package web_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

func serve(t *testing.T) (*web.Client, string) {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	network, err := simulator.Open(t.Context(), simulator.Options{Dir: filepath.Join(dir, "network"), Listen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := phone.Open(t.Context(), phone.Options{Network: network, Dir: filepath.Join(dir, "phones"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web.New(web.Options{Network: network, Fleet: fleet, Log: log}))
	t.Cleanup(func() {
		server.Close()
		if err := fleet.Close(); err != nil {
			t.Error(err)
		}
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	return web.NewClient(server.URL), server.URL
}

// device is an ordinary whatsmeow client, as a program would use it.
func device(t *testing.T, c *web.Client) (*whatsmeow.Client, chan any) {
	t.Helper()
	n, err := c.Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "keys.db")+"?_foreign_keys=on&_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	keys := sqlstore.NewWithDB(db, "sqlite3", nil)
	if err := keys.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := whatsmeow.NewClient(keys.NewDevice(), nil)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", n.Addr)
	}
	client.SynchronousAck, client.EnableDecryptedEventBuffer = true, true
	transport := &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
	client.SetPreLoginHTTPClient(transport)
	client.SetWebsocketHTTPClient(transport)
	client.SetMediaHTTPClient(transport)
	all := make(chan any, 1000)
	client.AddEventHandler(func(e any) { all <- e })
	t.Cleanup(func() {
		client.Disconnect()
		_ = db.Close()
	})
	return client, all
}

func await[E any](t *testing.T, all chan any) E {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-all:
			if e, ok := e.(E); ok {
				return e
			}
		case <-timeout:
			var zero E
			t.Fatalf("no %T came", zero)
		}
	}
}

const anna, ben = "4915110000001", "4915110000002"

func TestPhonesOverHTTP(t *testing.T) {
	t.Parallel()
	c, _ := serve(t)
	ctx := t.Context()
	if _, err := c.Phone(ctx, anna); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a phone that is not there: %v", err)
	}
	if _, err := c.AddPhone(ctx, "12", ""); fault.FieldOf(err) != "number" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a number that is none: %v", err)
	}
	for number, name := range map[string]string{anna: "Anna", ben: "Ben"} {
		if p, err := c.AddPhone(ctx, "+"+number, name); err != nil || p.Number != number || !p.Connected {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if p, err := c.AddPhone(ctx, anna, ""); err != nil || p.Name != "Anna" {
		t.Errorf("the second time: %+v, %v", p, err)
	}
	if err := c.SetAnswer(ctx, ben, web.Answer{On: true, Prefix: "Ben says: "}); err != nil {
		t.Fatal(err)
	}
	sent, err := c.Send(ctx, anna, ben, "hello")
	if err != nil || sent.Text != "hello" || sent.Status != phone.Sent && sent.Status != phone.Delivered { // which may be quicker than the answer
		t.Fatalf("%+v, %v", sent, err)
	}
	if _, err := c.WaitFor(ctx, anna, sent.Seq, time.Minute, func(e phone.Entry) bool { return e.Text == "Ben says: hello" }); err != nil {
		t.Error(err)
	}
	if _, err := c.Send(ctx, anna, "4915119999999", "hello"); fault.FieldOf(err) != "to" {
		t.Errorf("to nobody: %v", err)
	}
	if _, err := c.Send(ctx, anna, ben, "  "); fault.FieldOf(err) != "text" {
		t.Errorf("nothing: %v", err)
	}
	if _, err := c.WaitFor(ctx, anna, 1<<40, 20*time.Millisecond, func(phone.Entry) bool { return true }); err == nil {
		t.Error("something came from the future")
	}
	if group, err := c.CreateGroup(ctx, anna, "Choir", ben); err != nil || len(group.Members) != 2 {
		t.Errorf("%+v, %v", group, err)
	}
	if err := c.SetOnline(ctx, ben, false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(ctx, ben, anna, "hello"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("from a phone that is off: %v", err)
	}
}

func TestLinkingAndFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	c, _ := serve(t)
	ctx := t.Context()
	for number, name := range map[string]string{anna: "Anna", ben: "Ben"} {
		if _, err := c.AddPhone(ctx, number, name); err != nil {
			t.Fatal(err)
		}
	}
	client, all := device(t, c)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	code := await[*events.QR](t, all).Codes[0]
	if _, err := c.Scan(ctx, anna, "nonsense"); fault.FieldOf(err) != "text" {
		t.Errorf("nonsense: %v", err)
	}
	if _, err := c.EnterCode(ctx, anna, "ABCD-1234"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a code that nobody asked for: %v", err)
	}
	linked, err := c.Scan(ctx, anna, code)
	if err != nil {
		t.Fatal(err)
	}
	await[*events.Connected](t, all)
	await[*events.HistorySync](t, all)
	p, err := c.Phone(ctx, anna)
	if err != nil || len(p.Companions) != 1 || p.Companions[0].JID != linked.JID || !p.Companions[0].Online {
		t.Fatalf("%+v, %v", p, err)
	}
	target := web.Target{Number: anna, Device: &linked.Device}
	id := func() int64 {
		t.Helper()
		connections, err := c.Connections(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range connections {
			if x.JID == linked.JID {
				return x.ID
			}
		}
		return 0
	}
	before := id()
	if n, err := c.Drop(ctx, target); err != nil || n != 1 {
		t.Errorf("dropped %d, %v", n, err)
	}
	await[*events.Connected](t, all)
	if after := id(); after == before || after == 0 {
		t.Errorf("the connection was %d and is %d", before, after)
	}
	if err := c.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	await[*events.Connected](t, all)
	if err := c.RefuseSends(ctx, web.Target{Number: ben}, 463); err != nil {
		t.Fatal(err)
	}
	if err := c.FailLogins(ctx, web.Logins{Target: target, Reason: 405, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.FailStream(ctx, target, "nonsense"); fault.FieldOf(err) != "error" {
		t.Errorf("a stream error that is none: %v", err)
	}
	if n, err := c.FailStream(ctx, target, "503"); err != nil || n != 1 {
		t.Errorf("struck %d, %v", n, err)
	}
	await[*events.ClientOutdated](t, all)
	client.Disconnect()
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	await[*events.Connected](t, all)
	if err := c.Unlink(ctx, anna, linked.Device); err != nil {
		t.Fatal(err)
	}
	await[*events.LoggedOut](t, all)
	if err := c.Unlink(ctx, anna, linked.Device); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a second time: %v", err)
	}
	if stats, err := c.Stats(ctx); err != nil || stats.Logins < 5 || stats.UnknownIqs != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestProblemsAreProblems(t *testing.T) {
	t.Parallel()
	_, base := serve(t)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/nothing", "", 404},
		{"GET", "/api/phones/123", "", 404},
		{"DELETE", "/api/phones", "", 404},
		{"POST", "/api/phones", "not json", 422},
		{"POST", "/api/faults/drop", `{"numbr":"1"}`, 422},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var p web.Problem
		if resp.StatusCode != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, raw)
		} else if json.Unmarshal(raw, &p) != nil || p.Detail == "" || p.Status != c.want || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s", c.method, c.path, raw)
		}
	}
}
