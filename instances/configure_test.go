package instances

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// setting is the settings of every number: a revision and nothing else.
type setting struct{ atomic.Int64 }

func (s *setting) Revision(ID) int64 { return s.Load() }
func (s *setting) Document(context.Context, ID) (json.RawMessage, error) {
	return json.RawMessage(fmt.Sprintf(`{"revision":%d}`, s.Load())), nil
}

func (w *world) configured(id ID) int64 {
	w.t.Helper()
	f := w.worker(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.report.Settings
}

func (w *world) launchedWith(id ID) json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.given[id]
}

func TestSettingsReachTheWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		defer func() { w.close(false) }()
		id, other := w.number("A", Connected), w.number("B", Connected)
		has := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			if got := w.configured(id); got != want {
				t.Errorf("%s: the worker works by %d, want %d", when, got, want)
			}
		}
		has("never set up", 0)

		w.settings.Store(1)
		w.Configure(t.Context(), id)
		if w.configured(id) != 1 {
			t.Error("the settings are not in force when Configure returns")
		}
		w.settings.Store(2)
		w.Configure(t.Context(), "")
		for _, id := range []ID{id, other} {
			if got := w.configured(id); got != 2 {
				t.Errorf("for all: when Configure returns, %s works by %d", id, got)
			}
		}

		// A worker that missed a change gets it when it reports next.
		w.worker(id).set(func(f *fakeWorker) { f.refuses = true })
		w.settings.Store(3)
		w.Configure(t.Context(), id)
		has("refused", 2)
		w.worker(id).set(func(f *fakeWorker) { f.refuses = false })
		time.Sleep(11 * time.Second)
		has("after the next report", 3)

		// So does one that a later panel adopts, also if the settings went back in time.
		for _, revision := range []int64{5, 4} {
			w.close(true)
			w.settings.Store(revision)
			w.open()
			has("adopted", revision)
		}

		asked := len(w.worker(id).asked)
		time.Sleep(time.Minute)
		if again := len(w.worker(id).asked); again != asked {
			t.Errorf("a worker that has them was told %d times more", again-asked)
		}

		// One that is started anew is started with them.
		w.ok(w.Restart(t.Context(), owner, id))
		if got := string(w.launchedWith(id)); got != `{"revision":4}` {
			t.Errorf("launched with %s", got)
		}
	})
}
