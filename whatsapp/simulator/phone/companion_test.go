//go:build !race

// The tests in this file run whatsmeow itself, which has data races of its own (the frame
// socket, the deletion of a device, the QR channel), so the race detector stays out.

package phone_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"switchboard/whatsapp/serial"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

// world is a network with its fleet.
type world struct {
	dir     string
	network *simulator.Network
	fleet   *phone.Fleet
}

func quiet() *slog.Logger {
	if os.Getenv("VERBOSE") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func open(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{dir: dir}
	var err error
	if w.network, err = simulator.Open(t.Context(), simulator.Options{Dir: filepath.Join(dir, "network"), Listen: "127.0.0.1:0", Log: quiet()}); err != nil {
		t.Fatal(err)
	}
	if w.fleet, err = phone.Open(t.Context(), phone.Options{Network: w.network, Dir: filepath.Join(dir, "phones"), Log: quiet()}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) close(t *testing.T) {
	t.Helper()
	if err := w.fleet.Close(); err != nil {
		t.Error(err)
	}
	if err := w.network.Close(); err != nil {
		t.Error(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := open(t, t.TempDir())
	t.Cleanup(func() { w.close(t) })
	return w
}

func (w *world) phone(t *testing.T, number, name string) *phone.Phone {
	t.Helper()
	p, err := w.fleet.AddPhone(t.Context(), number, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// companion is an ordinary whatsmeow client, as a program would use it.
type companion struct {
	*whatsmeow.Client
	guard  *serial.Guard
	events chan any
}

func newCompanion(t *testing.T, w *world) *companion {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "keys.db")+"?_foreign_keys=on&_journal_mode=WAL&_synchronous=OFF&_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	keys := sqlstore.NewWithDB(db, "sqlite3", nil)
	if err := keys.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := waLog.Noop
	if os.Getenv("VERBOSE") == "2" {
		log = waLog.Stdout("companion", "DEBUG", false)
	}
	device := keys.NewDevice()
	c := &companion{guard: serial.Wrap(device), events: make(chan any, 10000)}
	c.Client = whatsmeow.NewClient(device, log)
	c.SynchronousAck, c.EnableDecryptedEventBuffer = true, true
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", w.network.Addr())
	}
	transport := &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
	c.SetPreLoginHTTPClient(transport)
	c.SetWebsocketHTTPClient(transport)
	c.SetMediaHTTPClient(transport)
	c.AddEventHandler(func(e any) { c.events <- e })
	t.Cleanup(func() {
		c.Disconnect()
		_ = db.Close()
	})
	return c
}

// await returns the first event of type E that matches.
func await[E any](t *testing.T, c *companion, match func(E) bool) E {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-c.events:
			if e, ok := e.(E); ok && (match == nil || match(e)) {
				return e
			}
		case <-timeout:
			var zero E
			t.Fatalf("no %T came", zero)
		}
	}
}

// link pairs a companion with p by QR code and waits until it is ready.
func link(t *testing.T, w *world, p *phone.Phone) *companion {
	t.Helper()
	c := newCompanion(t, w)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	code := await[*events.QR](t, c, nil).Codes[0]
	if _, err := p.Scan(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	await(t, c, func(h *events.HistorySync) bool { return h.Data.GetProgress() == 100 })
	return c
}

// within runs a wait of at most that long.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func all(t *testing.T, n int, f func(i int)) {
	t.Helper()
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() { f(i) })
	}
	work.Wait()
}
