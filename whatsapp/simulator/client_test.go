//go:build !race

// whatsmeow itself has data races that the race detector reports (its socket, its device
// store, its QR channel), so that tests which run whatsmeow clients in this process are left
// out of runs with -race.

package simulator_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"

	"switchboard/whatsapp/serial"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

// soon is far longer than anything here takes.
const soon = time.Minute

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
	t.Cleanup(cancel)
	return ctx
}

// world is a network with its phones.
type world struct {
	*simulator.Network
	phones *phone.Fleet
	t      testing.TB
	ctx    context.Context
}

var lastNumber atomic.Int64

func number() string { return fmt.Sprintf("4915200%06d", lastNumber.Add(1)) }

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), t.TempDir(), "127.0.0.1:0")
}

func newWorldIn(t testing.TB, dir, phonesDir, listen string) *world {
	t.Helper()
	w := &world{Network: startNetwork(t, dir, listen), t: t, ctx: testContext(t)}
	trustNewNetworks()
	var err error
	w.phones, err = phone.Open(w.ctx, phone.Options{Network: w.Network, Dir: phonesDir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	must(t, err)
	t.Cleanup(func() { _ = w.phones.Close() })
	return w
}

// trustNewNetworks has whatsmeow accept the root key that all new networks of a process share.
// It is what the first phone does as well; here it is done before the first client.
func trustNewNetworks() { (*simulator.Network)(nil).PhoneTransport() }

func (w *world) phone(name string) *phone.Phone {
	w.t.Helper()
	p, err := w.phones.AddPhone(w.ctx, number(), name)
	must(w.t, err)
	return p
}

// client is an unmodified whatsmeow client with everything it was told.
type client struct {
	*whatsmeow.Client
	t     testing.TB
	guard *serial.Guard

	mu     sync.Mutex
	events []any
	change chan struct{}
	refuse func(any) bool // fails the handling of an event
}

// newClient makes a client that is not paired and reaches the network over TCP.
func (w *world) newClient() *client {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "keys.db")
	db, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=on&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=5000&_txlock=immediate")
	must(w.t, err)
	w.t.Cleanup(func() { _ = db.Close() })
	container := sqlstore.NewWithDB(db, "sqlite3", nil)
	must(w.t, container.Upgrade(w.ctx))
	device := container.NewDevice()
	c := &client{t: w.t, guard: serial.Wrap(device), change: make(chan struct{})}
	c.Client = whatsmeow.NewClient(device, clientLog{w.t})
	transport := tcp(w.Addr())
	for _, set := range []func(*http.Client){c.SetPreLoginHTTPClient, c.SetWebsocketHTTPClient, c.SetMediaHTTPClient} {
		set(&http.Client{Transport: transport})
	}
	c.EnableDecryptedEventBuffer = true
	c.SynchronousAck = true
	c.UseRetryMessageStore = true
	c.EmitAppStateEventsOnFullSync = true
	c.AddEventHandlerWithSuccessStatus(c.record)
	w.t.Cleanup(c.Disconnect)
	return c
}

// clientLog shows what a client complains of.
type clientLog struct{ t testing.TB }

func (l clientLog) Warnf(msg string, args ...any)  { l.write("warning: "+msg, args) }
func (l clientLog) Errorf(msg string, args ...any) { l.write("error: "+msg, args) }
func (l clientLog) Infof(string, ...any)           {}
func (l clientLog) Debugf(string, ...any)          {}
func (l clientLog) Sub(string) waLog.Logger        { return l }

func (l clientLog) write(msg string, args []any) {
	fmt.Fprintf(l.t.Output(), "client: "+msg+"\n", args...)
}

func (c *client) record(evt any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil && c.refuse(evt) {
		return false
	}
	c.events = append(c.events, evt)
	close(c.change)
	c.change = make(chan struct{})
	return true
}

// mark is the number of events so far.
func (c *client) mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

// wait returns the first event of type T from mark on that match accepts; nil matches all.
func wait[T any](c *client, mark int, match func(T) bool) T {
	c.t.Helper()
	timeout := time.After(soon)
	for {
		c.mu.Lock()
		for ; mark < len(c.events); mark++ {
			if evt, ok := c.events[mark].(T); ok && (match == nil || match(evt)) {
				c.mu.Unlock()
				return evt
			}
		}
		change := c.change
		c.mu.Unlock()
		select {
		case <-change:
		case <-timeout:
			var none T
			c.t.Fatalf("no %T within %v", none, soon)
		}
	}
}

func (c *client) texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, evt := range c.events {
		if m, ok := evt.(*events.Message); ok && m.Message.GetConversation() != "" {
			out = append(out, m.Message.GetConversation())
		}
	}
	return out
}

func hasText(text string) func(*events.Message) bool {
	return func(m *events.Message) bool { return m.Message.GetConversation() == text }
}

func (c *client) send(ctx context.Context, to types.JID, text string) whatsmeow.SendResponse {
	c.t.Helper()
	resp, err := c.trySend(ctx, to, text)
	must(c.t, err)
	return resp
}

func (c *client) trySend(ctx context.Context, to types.JID, text string) (resp whatsmeow.SendResponse, err error) {
	err = c.guard.Send(ctx, to, func(ctx context.Context) error {
		resp, err = c.SendMessage(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
		return err
	})
	return resp, err
}

// pair links a new client to the phone by QR code and waits until it has what the phone
// hands it.
func (w *world) pair(p *phone.Phone) *client {
	w.t.Helper()
	c := w.newClient()
	w.scan(c, p)
	wait(c, 0, func(e *events.HistorySync) bool { return e.Data.GetSyncType() == waHistorySync.HistorySync_RECENT })
	return c
}

func (w *world) scan(c *client, p *phone.Phone) types.JID {
	w.t.Helper()
	mark := c.mark()
	must(w.t, c.Connect())
	code := wait[*events.QR](c, mark, nil)
	jid, err := p.Scan(w.ctx, code.Codes[0])
	must(w.t, err)
	wait[*events.PairSuccess](c, mark, nil)
	wait[*events.Connected](c, mark, nil)
	return jid
}

func pn(number string) types.JID { return types.NewJID(number, types.DefaultUserServer) }

// connections lists the live connections of a device.
func (w *world) connections(jid types.JID) []simulator.Connection {
	return slices.DeleteFunc(w.Connections(), func(c simulator.Connection) bool { return c.JID != jid })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls what has no signal of its own.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(soon)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", soon, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func target(c *client) simulator.Target { return simulator.OnDevice(*c.Store.ID) }
