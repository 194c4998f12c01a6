//go:build !race

// The tests of the session run the unmodified whatsmeow client, whose own races
// (FrameSocket.conn, Device.Delete, its caches) the race detector reports. What the package
// adds is tested with the detector in the files without this tag.

package whatsapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"

	"switchboard/engine"
	"switchboard/instances"
	"switchboard/isolation/pgtest"
	"switchboard/messages"
	"switchboard/migrations"
	"switchboard/settings"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

// patience bounds every wait of a test. Nothing takes as long unless it is broken.
const patience = time.Minute

// The network and its phones are shared, since whatsmeow keeps the root key of a network in
// a package variable. Every test has numbers of its own.
var (
	worldDir string
	network1 *simulator.Network
	fleet    *phone.Fleet
)

func TestMain(m *testing.M) {
	// An idle line carries nothing but keepalives, and no test can wait for 30 s of silence.
	whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = 300*time.Millisecond, 500*time.Millisecond
	os.Exit(runIn(m))
}

func runIn(m *testing.M) int {
	dir, err := os.MkdirTemp("", "session")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	worldDir = dir
	ctx := context.Background()
	if network1, err = simulator.Open(ctx, simulator.Options{Dir: dir, Listen: "127.0.0.1:0", Log: testLog("network")}); err != nil {
		panic(err)
	}
	defer network1.Close()
	if fleet, err = phone.Open(ctx, phone.Options{Network: network1, Dir: dir, Log: testLog("phone")}); err != nil {
		panic(err)
	}
	defer fleet.Close()
	defer pgtest.Stop()
	return m.Run()
}

// testLog prints everything if LOG is set, and nothing otherwise.
func testLog(who string) *slog.Logger {
	if os.Getenv("LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("who", who)
}

// quick is the usual pace with shorter waits.
var quick = func() pace {
	p := usualPace
	p.socket = 2 * time.Second
	p.silence, p.retry, p.retryMax = 4*time.Second, 50*time.Millisecond, 400*time.Millisecond
	p.away, p.awayMax = 20*time.Millisecond, 100*time.Millisecond
	p.again, p.againMax, p.steady = 50*time.Millisecond, 200*time.Millisecond, time.Second
	return p
}()

var numbers atomic.Int64

// newPhone adds a phone with a number of its own.
func newPhone(t *testing.T, name string) *phone.Phone {
	t.Helper()
	p, err := fleet.AddPhone(within(t), fmt.Sprintf("49170%07d", numbers.Add(1)), name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// within returns a context for one wait.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// place is where a number lives: its two databases.
type place struct {
	t          *testing.T
	main, keys *sql.DB
	dialect    string
	messages   *messages.Messages
	media      string // the folder, "" for none
	settings   settings.Settings

	sync, syncKeys func() error
}

func newPlace(t *testing.T) *place {
	t.Helper()
	return newPlaceIn(t, t.TempDir())
}

func newPlaceIn(t *testing.T, dir string) *place {
	t.Helper()
	p := &place{t: t, main: newDB(t, filepath.Join(dir, "main")), keys: newDB(t, filepath.Join(dir, "keys")), dialect: "sqlite3"}
	if err := migrations.Up(t.Context(), p.main, engine.SQLite, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	p.messages = messages.New(p.main)
	return p
}

func newDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	file := engine.At(path)
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// open starts the number's session, as a process that starts does.
func (p *place) open(pace pace) *Session {
	p.t.Helper()
	return p.openAt(&Simulator{Addr: network1.Addr(), RootKey: network1.RootKey()}, pace)
}

func (p *place) openAt(sim *Simulator, pace pace) *Session {
	p.t.Helper()
	s, err := Open(within(p.t), Options{
		Keys: p.keys, Dialect: p.dialect, Messages: p.messages, Simulator: sim,
		Log: testLog(p.t.Name()), Media: p.media, Bucket: bucketHere, Settings: p.settings, pace: &pace, Sync: p.sync, SyncKeys: p.syncKeys,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(s.Close)
	return s
}

// all returns what is stored, oldest first.
func (p *place) all() []messages.Message {
	p.t.Helper()
	all, err := p.messages.Latest(within(p.t), 10_000)
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

// eventually waits until what is stored satisfies f.
func (p *place) eventually(what string, f func([]messages.Message) bool) []messages.Message {
	p.t.Helper()
	ctx := within(p.t)
	for {
		all := p.all()
		if f(all) {
			return all
		}
		select {
		case <-time.After(20 * time.Millisecond): // the database has no signal to wait for
		case <-ctx.Done():
			p.t.Fatalf("%s: stored are %d messages, the last one %+v", what, len(all), all[max(0, len(all)-1):])
		}
	}
}

// one waits for the message that matches and checks that it is stored once.
func (p *place) one(what string, match func(messages.Message) bool) messages.Message {
	p.t.Helper()
	all := p.eventually(what, func(all []messages.Message) bool { return slices.ContainsFunc(all, match) })
	all = slices.DeleteFunc(all, func(m messages.Message) bool { return !match(m) })
	if len(all) != 1 {
		p.t.Fatalf("%s: stored %d times", what, len(all))
	}
	return all[0]
}

func text(s string) func(messages.Message) bool {
	return func(m messages.Message) bool { return m.Text == s }
}

// until waits for a report.
func until(t *testing.T, s *Session, what string, f func(instances.Report) bool) instances.Report {
	t.Helper()
	r, err := s.await(within(t), f)
	if err != nil {
		t.Fatalf("waiting for %s: %v; it is %+v", what, err, s.Report())
	}
	return r
}

func untilIs(t *testing.T, s *Session, status instances.Status, reason instances.Reason) instances.Report {
	t.Helper()
	return until(t, s, string(status)+" "+string(reason), func(r instances.Report) bool {
		return r.Status == status && r.Reason == reason
	})
}

func untilCode(t *testing.T, s *Session) *instances.Pairing {
	t.Helper()
	return until(t, s, "a code", func(r instances.Report) bool { return r.Pairing != nil && r.Pairing.Code != "" }).Pairing
}

// paired returns a connected session of a phone of its own.
func paired(t *testing.T, pace pace) (*place, *Session, *phone.Phone) {
	t.Helper()
	p, owner := newPlace(t), newPhone(t, "Owner")
	s := p.open(pace)
	scan(t, s, owner)
	return p, s, owner
}

func scan(t *testing.T, s *Session, owner *phone.Phone) {
	t.Helper()
	if _, err := owner.Scan(within(t), untilCode(t, s).Code); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
}

// arrives waits for a text on a phone.
func arrives(t *testing.T, p *phone.Phone, after int64, text string) phone.Entry {
	t.Helper()
	e, err := p.WaitFor(within(t), after, func(e phone.Entry) bool { return e.Text == text })
	if err != nil {
		t.Fatalf("%q did not arrive: %v", text, err)
	}
	return e
}

func sendText(t *testing.T, s *Session, to, text string) instances.Sent {
	t.Helper()
	sent, err := s.SendText(within(t), to, text)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func errorsIsReachOut(err error) bool { return errors.Is(err, ErrReachOut) }

// forgetSessions makes a phone forget the keys of all its conversations.
func forgetSessions(t *testing.T, p *phone.Phone) {
	t.Helper()
	db, err := engine.At(filepath.Join(worldDir, "phones.db")).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	res, err := db.Exec(`DELETE FROM "whatsmeow_sessions" WHERE "our_jid" LIKE $1`, p.Number()+"%")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		t.Fatalf("%d sessions forgotten, %v", n, err)
	}
}
