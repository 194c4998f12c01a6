//go:build !race

// These tests run the unmodified whatsmeow client, whose own races the detector reports.

package gowa_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/egress"
	"switchboard/engine"
	"switchboard/ffmpeg"
	"switchboard/gowa"
	"switchboard/gowa/gowatest"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/migrations"
	"switchboard/whatsapp"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

const post = http.MethodPost

type params = map[string]any

// storedIn waits until a message is stored in a chat.
func (n *number) storedIn(chat, id string) {
	n.t.Helper()
	ctx := within(n.t)
	for {
		_, err := n.store.Find(ctx, chat, "", id)
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond): // the database has no signal to wait for
		case <-ctx.Done():
			n.t.Fatalf("%s is not stored: %v", id, err)
		}
	}
}

// patience bounds every wait of a test. Nothing takes as long unless it is broken.
const patience = time.Minute

// The network and its phones are shared, since whatsmeow keeps the root key of a network in
// a package variable. Every test has numbers of its own.
var (
	network *simulator.Network
	fleet   *phone.Fleet
	numbers atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(runIn(m)) }

func runIn(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gowa")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if network, err = simulator.Open(ctx, simulator.Options{Dir: dir, Listen: "127.0.0.1:0", Log: testLog("network")}); err != nil {
		panic(err)
	}
	defer network.Close()
	if fleet, err = phone.Open(ctx, phone.Options{Network: network, Dir: dir, Log: testLog("phone")}); err != nil {
		panic(err)
	}
	defer fleet.Close()
	return m.Run()
}

// testLog prints everything if LOG is set, and nothing otherwise.
func testLog(who string) *slog.Logger {
	if os.Getenv("LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("who", who)
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func newPhone(t testing.TB, name string) *phone.Phone {
	t.Helper()
	p, err := fleet.AddPhone(within(t), fmt.Sprintf("49171%07d", numbers.Add(1)), name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// number is a number with its API on a port, and the phone that owns it.
type number struct {
	t       testing.TB
	owner   *phone.Phone
	session *whatsapp.Session
	store   *messages.Messages
	url     string
}

// newNumber returns a number that is not linked to its phone yet.
func newNumber(t testing.TB) *number {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *engine.File {
		file := engine.At(filepath.Join(dir, name))
		if err := file.Create(); err != nil {
			t.Fatal(err)
		}
		return &file
	}
	main, err := open("main").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { main.Close() })
	if err := migrations.Up(t.Context(), main, engine.SQLite, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	keys, err := open("keys").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	n := &number{t: t, owner: newPhone(t, "Owner"), store: messages.New(main)}
	n.session, err = whatsapp.Open(within(t), whatsapp.Options{
		Keys: keys, Dialect: "sqlite3", Messages: n.store, Media: filepath.Join(dir, "media"), Log: testLog(t.Name()),
		Simulator: &whatsapp.Simulator{Addr: network.Addr(), RootKey: network.RootKey()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.session.Close)
	installed, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("ffmpeg is not installed; `make test` installs it")
	}
	server := httptest.NewServer(gowa.New(gowa.Options{
		ID: "test_20240101000000", Version: "1", Number: n.session, Log: testLog("api"),
		Egress: egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}), FFmpeg: ffmpeg.New(installed),
	}))
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// newLinked returns a number that is connected.
func newLinked(t testing.TB) *number {
	t.Helper()
	n := newNumber(t)
	n.link()
	return n
}

func (n *number) link() {
	n.t.Helper()
	r := n.until("a code", func(r instances.Report) bool { return r.Pairing != nil && r.Pairing.Code != "" })
	if _, err := n.owner.Scan(within(n.t), r.Pairing.Code); err != nil {
		n.t.Fatal(err)
	}
	n.until("connected", func(r instances.Report) bool { return r.Status == instances.Connected && r.PushName != "" })
}

// until waits for a report.
func (n *number) until(what string, f func(instances.Report) bool) instances.Report {
	n.t.Helper()
	ctx := within(n.t)
	for {
		changed, r := n.session.Changed(), n.session.Report()
		if f(r) {
			return r
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.t.Fatalf("waiting for %s: it is %+v", what, r)
		}
	}
}

// run runs a part of a test, which fails by itself.
func (n *number) run(t *testing.T, name string, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		whole := n.t
		n.t = t
		defer func() { n.t = whole }()
		f(t)
	})
}

// answer is what the API answered.
type answer struct {
	status  int
	Code    string
	Message string
	Results json.RawMessage
}

// id returns the id of what was sent.
func (a answer) id(t testing.TB) string {
	t.Helper()
	var r struct {
		MessageID string `json:"message_id"`
	}
	if err := json.Unmarshal(a.Results, &r); err != nil || r.MessageID == "" {
		t.Fatalf("%d %s %s: no message id in %s", a.status, a.Code, a.Message, a.Results)
	}
	return r.MessageID
}

// as reads the results.
func (a answer) as(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Results, into); err != nil {
		t.Fatalf("%s: %v", a.Results, err)
	}
}

// ask asks the operation at path, as the specification writes it, and holds the answer
// against that. Parameters that the path names go there, those of a GET into the query, all
// others into the body.
func (n *number) ask(method, path string, params params) answer {
	n.t.Helper()
	at, query := path, url.Values{}
	rest := map[string]any{}
	for name, value := range params {
		switch {
		case strings.Contains(path, "{"+name+"}"):
			at = strings.ReplaceAll(at, "{"+name+"}", fmt.Sprint(value)) // clients do not escape it
		case method == http.MethodGet:
			query.Set(name, fmt.Sprint(value))
		default:
			rest[name] = value
		}
	}
	var body bytes.Buffer
	_ = json.NewEncoder(&body).Encode(rest) // with a GET too, as some clients do
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	status, text, header := n.raw(method, at, "application/json", &body)
	check := gowatest.CheckError(header.Get("Content-Type"), text)
	if status == http.StatusOK {
		check = gowatest.Check(method+" "+path, header.Get("Content-Type"), text)
	}
	if check != nil {
		n.t.Errorf("%v: %s", check, text)
	}
	out := answer{status: status}
	if err := json.Unmarshal(text, &out); err != nil {
		n.t.Fatalf("%s %s: %q is no JSON", method, path, text)
	}
	return out
}

// raw asks for anything and returns what came.
func (n *number) raw(method, path, media string, body io.Reader) (int, []byte, http.Header) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(within(n.t), method, n.url+path, body)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return res.StatusCode, text, res.Header
}

// done is ask for what has to succeed.
func (n *number) done(method, path string, params params) answer {
	n.t.Helper()
	out := n.ask(method, path, params)
	if out.status != http.StatusOK || out.Code != "SUCCESS" {
		n.t.Fatalf("%s %s: %d %s: %s", method, path, out.status, out.Code, out.Message)
	}
	return out
}

// refused is ask for what has to fail so.
func (n *number) refused(want, method, path string, params params) {
	n.t.Helper()
	out := n.ask(method, path, params)
	if got := fmt.Sprint(out.status, " ", out.Code); got != want || out.Message == "" {
		n.t.Errorf("%s %s %v: %s: %s; want %s", method, path, params, got, out.Message, want)
	}
}

// arrives waits until a phone has the entry with that id in a state that match accepts.
func arrives(t testing.TB, p *phone.Phone, id string, match func(phone.Entry) bool) phone.Entry {
	t.Helper()
	var last phone.Entry
	e, err := p.WaitFor(within(t), 0, func(e phone.Entry) bool {
		if e.ID == id {
			last = e
		}
		return e.ID == id && (match == nil || match(e))
	})
	if err != nil {
		t.Fatalf("%s: %v; the last state is %+v, %+v", id, err, last, last.Detail)
	}
	return e
}
