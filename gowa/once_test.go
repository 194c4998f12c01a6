package gowa

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/egress"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/migrations"
	"switchboard/sending"
	"switchboard/settings"
	"switchboard/whatsapp"
)

// sender is a number that keeps what it sends.
type sender struct {
	Number
	mu   sync.Mutex
	sent []string
	err  error
}

func (s *sender) Send(_ context.Context, to string, c whatsapp.Content, _ whatsapp.Extras) (instances.Sent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return instances.Sent{}, s.err
	}
	text := ""
	switch c := c.(type) {
	case whatsapp.Text:
		text = string(c)
	case whatsapp.Media:
		text = c.Name
	}
	s.sent = append(s.sent, to+" "+text)
	return instances.Sent{ID: "3EB0", Chat: to, At: time.Unix(1_700_000_000, 0)}, nil
}

func (s *sender) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *sender) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.sent, ", ")
}

// once is an API with a queue of its own, which works when the test says so.
type once struct {
	t     *testing.T
	own   *sender
	queue *sending.Queue
	api   *API
}

func newOnce(t *testing.T) *once {
	t.Helper()
	file := engine.At(filepath.Join(t.TempDir(), "main.db"))
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := migrations.Up(t.Context(), db, engine.SQLite, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	o := &once{t: t, own: &sender{}}
	o.queue = sending.New(sending.Options{
		Book: sending.Book{DB: db}, Dir: t.TempDir(), MessageID: func() string { return "FIXED" },
		Known: func(context.Context, string) (bool, error) { return true, nil }, Log: slog.New(slog.DiscardHandler),
	})
	o.api = New(Options{ID: "test", Number: o.own, Egress: egress.New(nil), Sends: o.queue, Log: slog.New(slog.DiscardHandler)})
	return o
}

func (o *once) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var over sync.WaitGroup
	over.Go(func() { o.queue.Run(ctx, o.api.Do) })
	o.t.Cleanup(func() { cancel(); over.Wait() })
}

// send asks with a key; what it gets has to have that status and code.
func (o *once) send(path, key, contentType, body string, status int, code string) (*httptest.ResponseRecorder, reply) {
	o.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	w := httptest.NewRecorder()
	o.api.ServeHTTP(w, r)
	var out reply
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		o.t.Fatalf("answer %q: %v", w.Body, err)
	}
	if w.Code != status || out.Code != code {
		o.t.Errorf("%s: %d %s, want %d %s", body, w.Code, w.Body, status, code)
	}
	return w, out
}

const asJSON = "application/json"

func TestAKeySendsOnce(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	const hello = `{"phone":"491701234567","message":"hello"}`
	first, _ := o.send("/send/message", "k1", asJSON, hello, 200, "SUCCESS")
	again, _ := o.send("/send/message", "k1", asJSON, "{\"message\": \"hello\",\n\"phone\": \"491701234567\"}", 200, "SUCCESS")
	if strings.TrimSpace(first.Body.String()) != again.Body.String() || again.Header().Get("Idempotent-Replayed") != "true" || first.Header().Get("Idempotent-Replayed") != "" {
		t.Errorf("first %s, then %s", first.Body, again.Body)
	}
	o.send("/send/message", "k1", asJSON, `{"phone":"491701234567","message":"other"}`, 422, "IDEMPOTENCY_KEY_REUSED")
	o.send("/send/message", "k2", asJSON, `{"phone":"491701234567"}`, 400, "VALIDATION_ERROR")
	o.send("/send/message", "k2", asJSON, hello, 200, "SUCCESS") // corrected
	o.send("/send/message", "", asJSON, hello, 200, "SUCCESS")
	o.send("/send/message", strings.Repeat("k", 201), asJSON, hello, 400, "VALIDATION_ERROR")
	o.send("/send/message", "k\x01", asJSON, hello, 400, "VALIDATION_ERROR")
	if got, want := o.own.all(), "491701234567@s.whatsapp.net hello"; got != strings.Join([]string{want, want, want}, ", ") {
		t.Errorf("sent are %s", got)
	}
}

// fileForm is a form with a file, with another boundary each time.
func fileForm(t *testing.T, content string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	_ = form.WriteField("phone", "491701234567")
	part, err := form.CreateFormFile("file", "note.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, content)
	_ = form.Close()
	return form.FormDataContentType(), b.String()
}

func TestAKeyOfAForm(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	for range 2 {
		contentType, body := fileForm(t, "the same")
		o.send("/send/file", "k", contentType, body, 200, "SUCCESS")
	}
	contentType, body := fileForm(t, "not the same")
	o.send("/send/file", "k", contentType, body, 422, "IDEMPOTENCY_KEY_REUSED")
	if got := o.own.all(); got != "491701234567@s.whatsapp.net note.txt" {
		t.Errorf("sent are %s", got)
	}
}

// With a pace everything goes through the queue, and answers as if it did not as long as it
// is quick.
func TestPaced(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	o.queue.Apply(settings.Settings{Pace: settings.Pace{PerMinute: 6000}})
	o.run()
	const hello = `{"phone":"491701234567","message":"hello"}`
	_, got := o.send("/send/message", "k", asJSON, hello, 200, "SUCCESS")
	if got.Results["message_id"] != "3EB0" {
		t.Errorf("the answer is %+v", got)
	}
	o.send("/send/message", "k", asJSON, hello, 200, "SUCCESS")
	contentType, body := fileForm(t, "a file")
	o.send("/send/file", "", contentType, body, 200, "SUCCESS")
	o.send("/send/message", "", asJSON, `{"phone":"491701234567","message":" "}`, 400, "VALIDATION_ERROR")
	o.send("/send/message", "", asJSON, `{"phone":"x","message":"x"}`, 400, "VALIDATION_ERROR")
	o.own.fail(fault.New(fault.Conflict, "WhatsApp's server refused this message."))
	o.send("/send/message", "", asJSON, hello, 409, "CONFLICT")
	if got := o.own.all(); got != "491701234567@s.whatsapp.net hello, 491701234567@s.whatsapp.net note.txt" {
		t.Errorf("sent are %s", got)
	}
}

// The message on a number's page has the number's pace, too.
func TestTextFromThePanel(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	if sent, err := o.api.SendText(t.Context(), "491701234567", "at once"); err != nil || sent.ID != "3EB0" || sent.Queued {
		t.Errorf("without a pace: %+v, %v", sent, err)
	}
	o.queue.Apply(settings.Settings{Pace: settings.Pace{PerMinute: 6000}})
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	sent, err := o.api.SendText(hurry, "491701234567", "waits")
	if err != nil || sent.ID != "FIXED" || !sent.Queued {
		t.Fatalf("with nobody at work: %+v, %v", sent, err)
	}
	o.run()
	if sent, err := o.api.SendText(t.Context(), "+49 170 1234567", "soon"); err != nil || sent.ID != "3EB0" || sent.Queued || sent.Chat != "491701234567@s.whatsapp.net" {
		t.Errorf("with a pace: %+v, %v", sent, err)
	}
	if _, err := o.api.SendText(t.Context(), "x", "to nobody"); fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != "to" {
		t.Errorf("to nobody: %v", err)
	}
	o.own.fail(fault.New(fault.Throttled, "WhatsApp asks to slow down."))
	if _, err := o.api.SendText(t.Context(), "491701234567", "refused"); fault.KindOf(err) != fault.Throttled || fault.MessageOf(err) != "WhatsApp asks to slow down." {
		t.Errorf("refused: %v", err)
	}
	if got := o.own.all(); got != "491701234567 at once, 491701234567@s.whatsapp.net waits, 491701234567@s.whatsapp.net soon" {
		t.Errorf("sent are %s", got)
	}
}

func TestScheduled(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	at := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	_, got := o.send("/send/message", "", asJSON, `{"phone":"491701234567","message":"later","send_at":"`+at+`"}`, 202, "SUCCESS")
	if got.Results["message_id"] != "FIXED" || !strings.HasPrefix(got.Message, "Message queued, to be sent at ") {
		t.Errorf("the answer is %+v", got)
	}
	o.send("/send/message", "", asJSON, `{"phone":"491701234567","message":"","send_at":"`+at+`"}`, 400, "VALIDATION_ERROR")
	o.send("/send/message", "", asJSON, `{"phone":"491701234567","message":"x","send_at":"tomorrow"}`, 400, "VALIDATION_ERROR")

	list := func() []any {
		r := httptest.NewRequest(http.MethodGet, "/queue", nil)
		w := httptest.NewRecorder()
		o.api.ServeHTTP(w, r)
		var out struct{ Results struct{ Data []any } }
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
			t.Fatalf("the queue is %d %s", w.Code, w.Body)
		}
		return out.Results.Data
	}
	waiting := list()
	if len(waiting) != 1 {
		t.Fatalf("the queue is %v", waiting)
	}
	one, _ := waiting[0].(map[string]any)
	if one["send_at"] != at || one["state"] != "waiting" || one["operation"] != "/send/message" || one["phone"] != "491701234567@s.whatsapp.net" || one["id"] != got.Results["queue_id"] {
		t.Errorf("what waits is %v", one)
	}
	for _, want := range []int{200, 409} {
		w := httptest.NewRecorder()
		o.api.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/queue/"+one["id"].(string), nil))
		if w.Code != want {
			t.Errorf("cancel: %d %s, want %d", w.Code, w.Body, want)
		}
	}
	if left := list(); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}
