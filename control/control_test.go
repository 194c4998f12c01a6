package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/instances"
)

const token = "0123456789abcdef0123456789abcdef"

// worker is a Handler that answers as it is told.
type worker struct {
	mu      sync.Mutex
	report  instances.Report
	changed chan struct{}
	asked   []string
	err     error
	stopped chan struct{}
	block   bool // calls wait until their context ends
	api     http.Handler
}

func newWorker() *worker {
	return &worker{changed: make(chan struct{}), stopped: make(chan struct{}, 1), api: http.NotFoundHandler()}
}

func (w *worker) set(r instances.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report = r
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *worker) Report() instances.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report
}

func (w *worker) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func (w *worker) heard(ctx context.Context, what string) error {
	w.mu.Lock()
	w.asked = append(w.asked, what)
	block, err := w.block, w.err
	w.mu.Unlock()
	if block {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (w *worker) Pair(ctx context.Context) error { return w.heard(ctx, "pair") }
func (w *worker) PairPhone(ctx context.Context, phone string) (instances.PhoneCode, error) {
	return instances.PhoneCode{Code: "ABCD-EFGH", ExpiresAt: time.UnixMilli(1).UTC()}, w.heard(ctx, "phone "+phone)
}
func (w *worker) AnswerPasskey(ctx context.Context, credential []byte) error {
	return w.heard(ctx, "passkey "+string(credential))
}
func (w *worker) ConfirmPasskey(ctx context.Context) error { return w.heard(ctx, "confirm") }
func (w *worker) Logout(ctx context.Context) error         { return w.heard(ctx, "logout") }
func (w *worker) Reconnect(ctx context.Context) error      { return w.heard(ctx, "reconnect") }
func (w *worker) SendText(ctx context.Context, to, text string) (instances.Sent, error) {
	return instances.Sent{ID: "M1", Chat: to, At: time.UnixMilli(2).UTC()}, w.heard(ctx, "send "+text)
}
func (w *worker) Configure(ctx context.Context, document json.RawMessage) error {
	return w.heard(ctx, "configure "+string(document))
}
func (w *worker) Outbox(ctx context.Context, what string, in json.RawMessage) (any, error) {
	return struct{ Count int }{7}, w.heard(ctx, what+" "+string(in))
}
func (w *worker) Events(ctx context.Context, after string, tell func(any) error) error {
	return errors.Join(w.heard(ctx, "events after "+after), tell(map[string]int{"n": 1}), tell(map[string]int{"n": 2}))
}
func (w *worker) API() http.Handler { return w.api }
func (w *worker) Stop()             { w.stopped <- struct{}{} }

// serve runs h behind a control socket in a folder and returns the socket's path and a
// function that ends it and waits.
func serve(t *testing.T, dir string, h Handler) (socket string, stop func() error) {
	t.Helper()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, token, h) }()
	stop = sync.OnceValue(func() error { cancel(); return <-served })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return filepath.Join(dir, SocketName), stop
}

func TestCallsReachTheWorker(t *testing.T) {
	t.Parallel()
	w := newWorker()
	socket, _ := serve(t, t.TempDir(), w)
	c, ctx := Dial(socket, token, os.Getpid()), t.Context()

	if err := errors.Join(c.Pair(ctx), c.AnswerPasskey(ctx, []byte(`{"id":"x"}`)), c.ConfirmPasskey(ctx),
		c.Logout(ctx), c.Reconnect(ctx), c.Configure(ctx, []byte(`{"revision":7}`)), c.Stop(ctx)); err != nil {
		t.Fatal(err)
	}
	<-w.stopped
	code, err := c.PairPhone(ctx, "491700000001")
	if err != nil || code.Code != "ABCD-EFGH" || code.ExpiresAt != time.UnixMilli(1).UTC() {
		t.Errorf("PairPhone: %+v, %v", code, err)
	}
	sent, err := c.SendText(ctx, "4917", "hello")
	if err != nil || sent != (instances.Sent{ID: "M1", Chat: "4917", At: time.UnixMilli(2).UTC()}) {
		t.Errorf("SendText: %+v, %v", sent, err)
	}
	want := `pair, passkey {"id":"x"}, confirm, logout, reconnect, configure {"revision":7}, phone 491700000001, send hello`
	if got := strings.Join(w.asked, ", "); got != want {
		t.Errorf("the worker was asked %q, want %q", got, want)
	}
	w.asked = nil
	var count struct{ Count int }
	if err := c.Outbox(ctx, "resend", map[string]int{"x": 1}, &count); err != nil || count.Count != 7 {
		t.Errorf("Outbox: %+v, %v", count, err)
	}
	var told []string
	err = c.Events(ctx, "an id", func(e json.RawMessage) error { told = append(told, string(e)); return nil })
	if got := strings.Join(told, " "); got != ` {"n":1} {"n":2}` || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Events: %q, %v", got, err)
	}
	if got := strings.Join(w.asked, ", "); got != `resend {"x":1}, events after an id` {
		t.Errorf("the worker was asked %q", got)
	}
	if err := c.AnswerPasskey(ctx, []byte("{")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a broken credential gives %v", err)
	}
}

func TestFaultsTravel(t *testing.T) {
	t.Parallel()
	w := newWorker()
	socket, _ := serve(t, t.TempDir(), w)
	c := Dial(socket, token, os.Getpid())
	for kind := range words {
		w.err = &fault.Error{Kind: kind, Message: "No.", Field: "to", Err: errors.New("cause")}
		err := c.Pair(t.Context())
		if fault.KindOf(err) != kind || fault.MessageOf(err) != "No." || fault.FieldOf(err) != "to" {
			t.Errorf("kind %d came back as %#v", kind, err)
		}
		if !strings.Contains(err.Error(), "cause") {
			t.Errorf("the cause was lost: %v", err)
		}
	}
	w.err = errors.New("some foreign error")
	if err := c.Pair(t.Context()); fault.KindOf(err) != fault.Internal || strings.Contains(fault.MessageOf(err), "foreign") {
		t.Errorf("a foreign error came back as %#v", err)
	}
}

func TestATokenIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorker()
	w.api = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached without a token") })
	socket, _ := serve(t, t.TempDir(), w)
	for _, wrong := range []string{"", "x", token + "x", strings.ToUpper(token)} {
		c := Dial(socket, wrong, os.Getpid())
		if err := c.Pair(t.Context()); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("token %q: %v", wrong, err)
		}
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://any/app/status", nil)
		res, err := c.API().RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("token %q: %v, %v", wrong, res, err)
		}
		res.Body.Close()
	}
	if len(w.asked) != 0 {
		t.Errorf("asked without a token: %v", w.asked)
	}
	l, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), l, "", w); err == nil {
		t.Error("Serve without a token starts")
	}
}

func TestAnotherProcessDoesNotGetTheToken(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t, t.TempDir(), newWorker())
	if err := Dial(socket, token, os.Getppid()).Pair(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestOnlyUnixSocketsAreServed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = Serve(t.Context(), l, token, newWorker()) }()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+pathPair, nil)
	r.Header.Set(tokenHeader, token)
	if res, err := new(http.Transport).RoundTrip(r); err == nil {
		res.Body.Close()
		t.Errorf("TCP was answered: %s", res.Status)
	}
}

func TestAVeryLongFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("a", 100), strings.Repeat("b", 100))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if len(dir) < 200 {
		t.Fatalf("the folder has %d bytes only", len(dir))
	}
	socket, stop := serve(t, dir, newWorker())
	if err := Dial(socket, token, os.Getpid()).Pair(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	// A socket that was left behind is replaced.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again := newWorker()
	socket, _ = serve(t, dir, again)
	if err := Dial(socket, token, os.Getpid()).Pair(t.Context()); err != nil || len(again.asked) != 1 {
		t.Errorf("the second socket: %v, asked %v", err, again.asked)
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	err := Dial(filepath.Join(t.TempDir(), SocketName), token, os.Getpid()).Pair(t.Context())
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no socket: %v", err)
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("Listen in a missing folder gives no error")
	}
}

func TestACallerMayGiveUp(t *testing.T) {
	t.Parallel()
	w := newWorker()
	w.block = true
	socket, _ := serve(t, t.TempDir(), w)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Dial(socket, token, os.Getpid()).Pair(ctx); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAPIForwardsEverything(t *testing.T) {
	t.Parallel()
	w := newWorker()
	w.api = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.Header().Set("X-Path", r.URL.EscapedPath()+"?"+r.URL.RawQuery)
		rw.Header().Set("X-Token", r.Header.Get(tokenHeader))
		rw.Header().Set("X-Authorization", r.Header.Get("Authorization"))
		rw.WriteHeader(http.StatusTeapot)
		rw.Write(body)
	})
	socket, _ := serve(t, t.TempDir(), w)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://panel/chat/a%2Fb@s.whatsapp.net/pin?x=1&y", strings.NewReader("body"))
	r.Header.Set("Authorization", "Bearer client")
	res, err := Dial(socket, token, os.Getpid()).API().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusTeapot || string(body) != "body" ||
		res.Header.Get("X-Path") != "/chat/a%2Fb@s.whatsapp.net/pin?x=1&y" ||
		res.Header.Get("X-Token") != "" || res.Header.Get("X-Authorization") != "Bearer client" {
		t.Errorf("got %s %q %v", res.Status, body, res.Header)
	}
	if r.Header.Get(tokenHeader) != "" || r.URL.Host != "panel" {
		t.Error("the caller's request was changed")
	}
}
