package webhooks

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"switchboard/egress"
	"switchboard/engine"
	"switchboard/isolation/pgtest"
	"switchboard/messages"
	"switchboard/migrations"
	"switchboard/settings"
)

const (
	ann      = "491700000001@s.whatsapp.net"
	bob      = "491700000002@s.whatsapp.net"
	group    = "120363000000000001@g.us"
	patience = time.Minute
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *sql.DB{
		engine.SQLite: openSQLite,
		engine.Postgres: func(t *testing.T) *sql.DB {
			db, err := engine.OpenPostgres(t.Context(), pgtest.New(t).URI, engine.Pool{Open: 2, Idle: time.Second, Wait: time.Minute})
			ok(t, err)
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, name, open(t)))
		})
	}
}

func openSQLite(t *testing.T) *sql.DB {
	file := engine.At(filepath.Join(t.TempDir(), "main.db"))
	ok(t, file.Create())
	db, err := file.Open(t.Context())
	ok(t, err)
	return db
}

func newWorld(t *testing.T, name string, db *sql.DB) *world {
	t.Cleanup(func() { _ = db.Close() })
	ok(t, migrations.Up(t.Context(), db, name, migrations.Instance))
	return &world{t: t, db: db, pace: brisk}
}

// brisk is usualPace in another time.
var brisk = pace{
	timeout: usualPace.timeout, first: 4 * time.Millisecond, longest: 16 * time.Millisecond, patient: time.Hour,
	probe: 20 * time.Millisecond, pause: time.Hour, paused: time.Hour,
}

// world is a number's outbox with endpoints that listen here.
type world struct {
	t    *testing.T
	db   *sql.DB
	pace pace

	*Webhooks
	store *messages.Messages
	stop  func()
	log   bytes.Buffer // to be read after stop
}

// run starts what delivers, as a worker does, for the webhooks in hooks.
func (w *world) run(hooks ...settings.Webhook) {
	w.t.Helper()
	var err error
	w.Webhooks, err = New(w.t.Context(), Options{
		ID: "shop_20260101120000", DB: w.db, pace: &w.pace, Log: slog.New(slog.NewTextHandler(io.MultiWriter(w.t.Output(), &w.log), nil)),
		Guard: egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}),
	})
	ok(w.t, err)
	w.Apply(settings.Settings{Webhooks: hooks})
	w.store = messages.New(w.db, messages.WithOutbox(w.Webhooks))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.t.Cleanup(w.stop)
}

// put stores an event about a chat, with text in it.
func (w *world) put(name, chat, text string) messages.Event {
	w.t.Helper()
	e, err := messages.NewEvent(name, chat, "", time.Now(), map[string]string{"chat_id": chat, "from": chat, "body": text})
	ok(w.t, err)
	ok(w.t, w.store.Emit(w.t.Context(), e))
	return e
}

// got is a request that came to an endpoint.
type got struct {
	header http.Header
	raw    []byte
	Event  string
	Text   string
	Chat   string
}

// parse reads an event that put has stored.
func parse(body []byte) (got, error) {
	var in struct {
		Event   string
		Payload struct {
			ChatID string `json:"chat_id"`
			Body   string
		}
	}
	err := json.Unmarshal(body, &in)
	return got{raw: body, Event: in.Event, Text: in.Payload.Body, Chat: in.Payload.ChatID}, err
}

// receiver is an endpoint. answer says what the nth request gets; nil means 200.
type receiver struct {
	*httptest.Server
	came chan got

	mu     sync.Mutex
	answer func(n int, g got) int
	count  int
}

func newReceiver(t *testing.T, answer func(n int, g got) int) *receiver {
	r := &receiver{came: make(chan got, 10_000), answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // whoever sent it has gone
	}
	g, err := parse(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.header = req.Header
	r.mu.Lock()
	r.count++
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(r.count, g)
	}
	r.mu.Unlock()
	w.WriteHeader(status)
	fmt.Fprint(w, "thanks")
	if status/100 == 2 {
		r.came <- g
	}
}

// set changes what the receiver answers.
func (r *receiver) set(answer func(n int, g got) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// next waits for what the receiver takes next.
func (r *receiver) next(t *testing.T) got {
	t.Helper()
	select {
	case g := <-r.came:
		return g
	case <-time.After(patience):
		t.Fatal("nothing comes")
		return got{}
	}
}

// until waits until a condition holds that deliveries bring about.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			w.t.Fatalf("it never came to: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

func (w *world) list(f Filter) []Delivery {
	w.t.Helper()
	all, err := List(w.t.Context(), w.db, f, "", 1000)
	ok(w.t, err)
	return all
}

func (w *world) standing(id string) Standing {
	w.t.Helper()
	all, err := Standings(w.t.Context(), w.db)
	ok(w.t, err)
	return all[id]
}

// newTLS has a receiver listen with a certificate that nobody knows.
func newTLS(t *testing.T, r *receiver) string {
	s := httptest.NewUnstartedServer(r)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// echo is an endpoint that answers with all that it got.
func echo(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.String(), " ", r.Header)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
