package sending

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/isolation/pgtest"
	"switchboard/migrations"
	"switchboard/settings"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// Both engines keep the same promises.
func TestSQLite(t *testing.T) {
	t.Parallel()
	exercise(t, engine.SQLite, func(t *testing.T) *sql.DB {
		file := engine.At(filepath.Join(t.TempDir(), "main.db"))
		must(t, file.Create())
		db, err := file.Open(t.Context())
		must(t, err)
		return db
	})
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	exercise(t, engine.Postgres, func(t *testing.T) *sql.DB {
		db, err := engine.OpenPostgres(t.Context(), pgtest.New(t).URI, engine.Pool{Open: 2, Idle: time.Second, Wait: time.Minute})
		must(t, err)
		return db
	})
}

func exercise(t *testing.T, name string, open func(*testing.T) *sql.DB) {
	for title, test := range map[string]func(*testing.T, *world){
		"a key sends once":               testAKeySendsOnce,
		"a key at once from many":        testAKeyAtOnceFromMany,
		"a key of the queue":             testAKeyOfTheQueue,
		"an end in the middle":           testAnEndInTheMiddle,
		"what was refused is forgotten":  testWhatWasRefusedIsForgotten,
		"the queue goes on":              testTheQueueGoesOn,
		"an order within a chat":         testAnOrderWithinAChat,
		"cancelled":                      testCancelled,
		"the database is away":           testTheDatabaseIsAwayInBetween,
		"the disk keeps it":              testTheDiskKeepsIt,
		"not connected":                  testNotConnected,
		"a worker that ended in between": testAWorkerThatEndedInBetween,
		"strangers wait":                 testStrangersWait,
		"its time is long over":          testItsTimeIsLongOver,
		"old keys are forgotten":         testOldKeysAreForgotten,
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			t.Cleanup(func() { _ = db.Close() })
			must(t, migrations.Up(t.Context(), db, name, migrations.Instance))
			w := &world{t: t, db: db, dir: filepath.Join(t.TempDir(), "queue"), known: map[string]bool{}}
			test(t, w)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a number's queue and what was sent from it.
type world struct {
	t    *testing.T
	db   *sql.DB
	dir  string
	next atomic.Int64 // message ids

	mu     sync.Mutex
	sent   []string // message ids, or texts where there are parameters
	known  map[string]bool
	answer func(s Send) Answer
}

func (w *world) queue() *Queue {
	return New(Options{
		Book: Book{DB: w.db}, Dir: w.dir, Log: slog.New(slog.DiscardHandler),
		MessageID: func() string { return fmt.Sprintf("M%d", w.next.Add(1)) },
		Known: func(_ context.Context, chat string) (bool, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.known[chat], nil
		},
	})
}

var success = Answer{Status: http.StatusOK, Body: json.RawMessage(`{"code":"SUCCESS","message":"sent"}`)}

func (w *world) do(_ context.Context, s Send) Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := success
	if w.answer != nil {
		a = w.answer(s)
	}
	if a.Status == http.StatusOK {
		w.known[s.Chat] = true
		if len(s.Parameters) > 0 {
			w.sent = append(w.sent, string(s.Parameters))
		} else {
			w.sent = append(w.sent, s.MessageID)
		}
	}
	return a
}

func (w *world) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// run works a queue off until the test ends or stop is called.
func (w *world) run(q *Queue) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var over sync.WaitGroup
	over.Go(func() { q.Run(ctx, w.do) })
	stop = func() { cancel(); over.Wait() }
	w.t.Cleanup(stop)
	return stop
}

// put puts a text into the queue.
func (w *world) put(q *Queue, chat, text string, due time.Time) Send {
	w.t.Helper()
	parameters, err := json.Marshal(text)
	must(w.t, err)
	s, err := q.Put(w.t.Context(), Send{Hash: text, Path: "/send/message", Chat: chat, Parameters: parameters, Due: due}, nil)
	must(w.t, err)
	return s
}

// ended waits until a send has.
func (w *world) ended(q *Queue, id string) Send {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	s, err := q.Await(ctx, id)
	must(w.t, err)
	if s.State == Waiting || s.State == Working {
		w.t.Fatalf("it is still %s: %s", s.State, s.Reason)
	}
	return s
}

func testAKeySendsOnce(t *testing.T, w *world) {
	q := w.queue()
	first, replayed, err := q.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do)
	must(t, err)
	if replayed || first.Answer.Status != 200 {
		t.Errorf("the first is %+v, %v", first, replayed)
	}
	for _, again := range []*Queue{q, w.queue()} { // and after a restart
		s, replayed, err := again.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do)
		must(t, err)
		if !replayed || string(s.Answer.Body) != string(success.Body) || s.MessageID != first.MessageID {
			t.Errorf("the second is %+v, %v", s, replayed)
		}
	}
	if _, _, err := q.Once(t.Context(), Send{Key: "a", Hash: "2", Path: "/x"}, w.do); !errors.Is(err, ErrReused) || fault.KindOf(err) != fault.Conflict {
		t.Errorf("another request with the key: %v", err)
	}
	if sent := w.all(); len(sent) != 1 {
		t.Errorf("sent are %v", sent)
	}
	s, found, err := Book{DB: w.db}.OfMessage(t.Context(), first.MessageID)
	if err != nil || !found || s.State != Done || s.Key != "a" {
		t.Errorf("kept is %+v, %v", s, err)
	}
}

func testAKeyAtOnceFromMany(t *testing.T, w *world) {
	q := w.queue()
	for n := range 20 {
		key := fmt.Sprint("key ", n)
		begun, goOn := make(chan struct{}), make(chan struct{})
		slow := func(ctx context.Context, s Send) Answer {
			close(begun) // a second time would panic
			<-goOn
			return w.do(ctx, s)
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				s, _, err := q.Once(t.Context(), Send{Key: key, Hash: "1", Path: "/x"}, slow)
				if err != nil || s.Answer.Status != 200 {
					t.Errorf("the answer is %+v, %v", s.Answer, err)
				}
			})
		}
		<-begun
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := q.Once(gone, Send{Key: key, Hash: "1", Path: "/x"}, slow); err == nil {
			t.Error("who does not wait is told that it was done")
		}
		close(goOn)
		all.Wait()
		if sent := w.all(); len(sent) != n+1 {
			t.Errorf("sent are %v", sent)
		}
	}
}

// What waits in the queue, or is sent from there just now, is not sent by whoever comes with
// its key when nothing has to wait any more.
func testAKeyOfTheQueue(t *testing.T, w *world) {
	q := w.queue()
	begun, goOn := make(chan struct{}), make(chan struct{})
	w.answer = func(Send) Answer {
		close(begun)
		<-goOn
		return success
	}
	kept, err := q.Put(t.Context(), Send{Key: "a", Hash: "1", Path: "/x", Chat: "c", Parameters: json.RawMessage(`"text"`)}, nil)
	must(t, err)
	w.run(q)
	<-begun
	s, replayed, err := q.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, func(context.Context, Send) Answer {
		t.Error("it is sent twice")
		return success
	})
	close(goOn)
	if must(t, err); !replayed || s.ID != kept.ID || s.State != Working {
		t.Errorf("got %+v", s)
	}
	if s = w.ended(q, kept.ID); s.State != Done || len(w.all()) != 1 {
		t.Errorf("it is %+v, sent are %v", s, w.all())
	}
}

// A process that ends between sending and noting it leaves a send that is done once more
// under the same message id.
func testAnEndInTheMiddle(t *testing.T, w *world) {
	kept, _, mine, err := w.queue().begin(t.Context(), Send{Key: "a", Hash: "1", Path: "/x", State: Working})
	if must(t, err); !mine {
		t.Fatal("it is somebody else's")
	}
	s, replayed, err := w.queue().Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do)
	must(t, err)
	if replayed || s.MessageID != kept.MessageID {
		t.Errorf("it was %s and is sent as %s", kept.MessageID, s.MessageID)
	}
	if sent := w.all(); len(sent) != 1 || sent[0] != kept.MessageID {
		t.Errorf("sent are %v", sent)
	}
}

// Whose request was refused may correct it; what may have gone out keeps its id.
func testWhatWasRefusedIsForgotten(t *testing.T, w *world) {
	q := w.queue()
	w.answer = func(Send) Answer { return Answer{Status: 400, Body: json.RawMessage(`{"message":"no"}`)} }
	s, _, err := q.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do)
	if must(t, err); s.Answer.Status != 400 {
		t.Errorf("the answer is %+v", s.Answer)
	}
	w.answer = func(Send) Answer { return Answer{Status: 504, Body: json.RawMessage(`{}`)} }
	lost, _, err := q.Once(t.Context(), Send{Key: "a", Hash: "2", Path: "/x"}, w.do)
	must(t, err)
	w.answer = nil
	found, replayed, err := q.Once(t.Context(), Send{Key: "a", Hash: "2", Path: "/x"}, w.do)
	must(t, err)
	if replayed || found.MessageID != lost.MessageID || found.Answer.Status != 200 {
		t.Errorf("it was %+v and is %+v", lost, found)
	}
}

func testTheQueueGoesOn(t *testing.T, w *world) {
	q := w.queue()
	q.Apply(settings.Settings{Pace: settings.Pace{PerMinute: 3000}})
	later := w.put(q, "b", "later", time.Now().Add(time.Hour))
	first, second := w.put(q, "a", "first", time.Time{}), w.put(q, "a", "second", time.Time{})
	files, err := q.Put(t.Context(), Send{Hash: "f", Path: "/send/image", Chat: "c", Parameters: json.RawMessage(`"file"`)},
		map[string]Upload{"image": {File: File{Name: "cat.jpg", Media: "image/jpeg", Size: 3}, From: strings.NewReader("cat")}})
	must(t, err)
	list, err := q.List(t.Context(), 10)
	if err != nil || len(list) != 4 || list[0].ID != first.ID || list[3].ID != later.ID {
		t.Errorf("the queue is %+v, %v", list, err)
	}
	w.answer = func(s Send) Answer {
		if f, ok := s.Files["image"]; ok {
			file, err := q.Open(f)
			must(t, err)
			defer file.Close()
			if text, err := io.ReadAll(file); err != nil || string(text) != "cat" || f.Name != "cat.jpg" {
				t.Errorf("the file is %q, %+v, %v", text, f, err)
			}
		}
		return success
	}
	_, err = w.db.Exec(`UPDATE "sends" SET "due_at" = $1 WHERE "id" = $2`, time.Now().Add(300*time.Millisecond).UnixMilli(), later.ID)
	must(t, err)
	began := time.Now()
	w.run(q)
	for _, s := range []Send{first, second, files, later} {
		if s = w.ended(q, s.ID); s.State != Done || string(s.Answer.Body) != string(success.Body) || len(s.Parameters) > 0 {
			t.Errorf("it ended as %+v", s)
		}
	}
	if got := w.all(); !slices.Equal(got, []string{`"first"`, `"second"`, `"file"`, `"later"`}) {
		t.Errorf("sent are %v", got)
	}
	if took := time.Since(began); took < 40*time.Millisecond { // two pauses of 20 ms lie between the first three
		t.Errorf("three messages took %v", took)
	}
	if left, err := os.ReadDir(w.dir); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	if len(q.over) != 0 || len(q.active) != 0 {
		t.Errorf("remembered are %v, %v", q.over, q.active)
	}
}

// What fails for a while holds back what follows to the same chat, and nobody else.
func testAnOrderWithinAChat(t *testing.T, w *world) {
	q := w.queue()
	first, second, other := w.put(q, "a", "first", time.Time{}), w.put(q, "a", "second", time.Time{}), w.put(q, "b", "other", time.Time{})
	tried := false
	w.answer = func(s Send) Answer {
		if s.ID == first.ID && !tried {
			tried = true
			return Answer{Status: 504, Body: json.RawMessage(`{"message":"slow"}`)}
		}
		return success
	}
	w.run(q)
	w.ended(q, other.ID)
	if got := w.all(); !slices.Equal(got, []string{`"other"`}) {
		t.Errorf("sent are %v", got)
	}
	if list, err := q.List(t.Context(), 10); err != nil || len(list) != 2 || list[0].Reason != "slow" || list[0].Attempts != 1 {
		t.Errorf("waiting are %+v, %v", list, err)
	}
	must(t, q.Cancel(t.Context(), first.ID))
	w.ended(q, second.ID)
}

func testCancelled(t *testing.T, w *world) {
	q := w.queue()
	s := w.put(q, "a", "never", time.Now().Add(time.Hour))
	waits := make(chan Send)
	go func() { waits <- w.ended(q, s.ID) }()
	must(t, q.Cancel(t.Context(), s.ID))
	if got := <-waits; got.State != Cancelled {
		t.Errorf("it is %s", got.State)
	}
	if err := q.Cancel(t.Context(), s.ID); fault.KindOf(err) != fault.Conflict {
		t.Errorf("cancelled twice: %v", err)
	}
	if err := q.Cancel(t.Context(), "none"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("cancelled what is not there: %v", err)
	}
}

// The server goes away while something is sent: neither the end of that try can be noted, nor
// that it has to be made again. It is made again when the server is back, and holds nothing up.
func testTheDatabaseIsAwayInBetween(t *testing.T, w *world) {
	q := w.queue()
	var away atomic.Bool
	q.o.Book.Fence = func(context.Context, *sql.Tx) error {
		if away.Swap(false) {
			return errors.New("the server is away")
		}
		return nil
	}
	first := true
	w.answer = func(Send) Answer {
		if !first {
			return success
		}
		first = false
		away.Store(true)
		return Answer{Status: http.StatusServiceUnavailable, Body: json.RawMessage(`{"message":"no answer"}`)}
	}
	all := []Send{w.put(q, "chat", "one", time.Time{}), w.put(q, "chat", "two", time.Time{})}
	w.run(q)
	for _, s := range all {
		if got := w.ended(q, s.ID); got.State != Done {
			t.Errorf("it is %s: %s", got.State, got.Reason)
		}
	}
	if got, want := w.all(), []string{`"one"`, `"two"`}; !slices.Equal(got, want) {
		t.Errorf("sent are %q, want %q", got, want)
	}
}

// Whoever is told that something waits does not ask again: by then the disk has it.
func testTheDiskKeepsIt(t *testing.T, w *world) {
	q := w.queue()
	broken := errors.New("the disk fails")
	q.o.Book.Sync = func() error { return broken }
	if _, err := q.Put(t.Context(), Send{Hash: "one", Path: "/send/message", Chat: "chat", Parameters: json.RawMessage(`"one"`)}, nil); !errors.Is(err, broken) {
		t.Errorf("it is said to wait: %v", err)
	}
}

// While the number is not connected everything waits, and nothing is lost.
func testNotConnected(t *testing.T, w *world) {
	q := w.queue()
	var tries atomic.Int64
	tried := make(chan struct{}, 1)
	w.answer = func(Send) Answer {
		tries.Add(1)
		select {
		case tried <- struct{}{}:
		default:
		}
		return Answer{Status: http.StatusUnauthorized, Body: json.RawMessage(`{"message":"not connected"}`)}
	}
	for n := range 5 {
		w.put(q, fmt.Sprint("chat", n), fmt.Sprint(n), time.Time{})
	}
	stop := w.run(q)
	<-tried
	for list, err := q.List(t.Context(), 1); ; list, err = q.List(t.Context(), 1) {
		if must(t, err); list[0].Reason != "" {
			break
		}
	}
	q.look()
	stop()
	if n := tries.Load(); n != 1 {
		t.Errorf("tried %d times", n)
	}
	w.answer = nil
	again := w.queue()
	list, err := again.List(t.Context(), 10)
	if err != nil || len(list) != 5 || list[0].Reason != "not connected" {
		t.Fatalf("waiting are %+v, %v", list, err)
	}
	w.run(again)
	for _, s := range list {
		w.ended(again, s.ID)
	}
	if got := w.all(); len(got) != 5 || got[0] != `"0"` || got[4] != `"4"` {
		t.Errorf("sent are %v", got)
	}
}

func testAWorkerThatEndedInBetween(t *testing.T, w *world) {
	q := w.queue()
	s := w.put(q, "a", "once", time.Time{})
	if ok, err := q.o.Book.take(t.Context(), s.ID, false); err != nil || !ok { // and here it ends
		t.Fatal(ok, err)
	}
	must(t, os.MkdirAll(w.dir, 0o700))
	must(t, os.WriteFile(filepath.Join(w.dir, "left behind"), nil, 0o600))
	again := w.queue()
	w.run(again)
	if got := w.ended(again, s.ID); got.State != Done || got.MessageID != s.MessageID || got.Attempts != 2 {
		t.Errorf("it ended as %+v", got)
	}
	if left, err := os.ReadDir(w.dir); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// Strangers wait for their turn, and whoever is known does not wait with them.
func testStrangersWait(t *testing.T, w *world) {
	q := w.queue()
	q.Apply(settings.Settings{Pace: settings.Pace{NewChatPause: time.Hour}})
	w.known["friend"] = true
	first, second := w.put(q, "stranger 1", "1", time.Time{}), w.put(q, "stranger 2", "2", time.Time{})
	friend, reply := w.put(q, "friend", "3", time.Time{}), w.put(q, "stranger 1", "4", time.Time{})
	stop := w.run(q)
	for _, s := range []Send{first, friend, reply} {
		w.ended(q, s.ID)
	}
	stop()
	// The pause is not forgotten with the process.
	again := w.queue()
	again.Apply(settings.Settings{Pace: settings.Pace{NewChatPause: time.Hour}})
	w.run(again)
	last := w.put(again, "friend", "5", time.Time{})
	w.ended(again, last.ID)
	if list, err := again.List(t.Context(), 10); err != nil || len(list) != 1 || list[0].ID != second.ID {
		t.Errorf("waiting are %+v, %v", list, err)
	}
	again.Apply(settings.Settings{})
	w.ended(again, second.ID)
}

func testOldKeysAreForgotten(t *testing.T, w *world) {
	q := w.queue()
	_, _, err := q.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do)
	must(t, err)
	waits := w.put(q, "a", "waits", time.Now().Add(time.Hour))
	must(t, q.o.Book.prune(t.Context(), time.Now().Add(-keep)))
	if _, replayed, err := q.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do); err != nil || !replayed {
		t.Errorf("forgotten too early: %v", err)
	}
	must(t, q.o.Book.prune(t.Context(), time.Now().Add(time.Second)))
	if _, replayed, err := q.Once(t.Context(), Send{Key: "a", Hash: "1", Path: "/x"}, w.do); err != nil || replayed {
		t.Errorf("not forgotten: %v", err)
	}
	if list, err := q.List(t.Context(), 10); err != nil || len(list) != 1 || list[0].ID != waits.ID {
		t.Errorf("waiting are %+v, %v", list, err)
	}
}

// What was to be sent at a time is not sent days later, when the number runs again.
func testItsTimeIsLongOver(t *testing.T, w *world) {
	q := w.queue()
	late, old := w.put(q, "a", "late", time.Now().Add(time.Hour)), w.put(q, "b", "old", time.Time{})
	due := time.Now().Add(-25 * time.Hour).UnixMilli()
	for id, asked := range map[string]int64{late.ID: due - 1000, old.ID: due} {
		_, err := w.db.Exec(`UPDATE "sends" SET "created_at" = $1, "due_at" = $2 WHERE "id" = $3`, asked, due, id)
		must(t, err)
	}
	w.run(q)
	if got := w.ended(q, late.ID); got.State != Failed || got.Reason == "" {
		t.Errorf("what was to be sent yesterday is %+v", got)
	}
	if got := w.ended(q, old.ID); got.State != Done {
		t.Errorf("what only waited for its turn is %+v", got)
	}
	if got := w.all(); !slices.Equal(got, []string{`"old"`}) {
		t.Errorf("sent are %v", got)
	}
}
