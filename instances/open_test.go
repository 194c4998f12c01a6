package instances

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

func TestWorkersAreAdopted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.number("A", Connected), w.number("B", PairingPhone), w.number("C", Connected)
		since := w.get(a).Since
		w.ok(w.Stop(t.Context(), owner, c))
		time.Sleep(time.Hour)
		w.close(true)
		if w.record(a).Status != Connected || !w.runs(a) || !w.runs(b) {
			t.Fatal("a detached worker was touched")
		}
		w.worker(b).die(Exit{Reason: WorkerKilled})
		launches := w.launches
		w.open()
		got := w.want(a, Connected, "")
		if got.PID != 101 || !got.Since.Equal(since) || got.StartedAt.IsZero() {
			t.Errorf("adopted %+v, since %v", got, since)
		}
		if got := w.want(b, Starting, ""); w.launches != launches+1 || got.PID == 102 {
			t.Errorf("the other one %+v, %d launches", got, w.launches)
		}
		w.want(c, Idle, "")
		// An adopted worker is watched like any other.
		w.worker(a).die(Exit{Reason: WorkerCrashed})
		w.want(a, Backoff, WorkerCrashed)
	})
}

// "Connected" is not shown before the adopted worker has proven it.
func TestAnAdoptedWorkerProvesItself(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.close(true)
		w.worker(id).set(func(f *fakeWorker) { f.mute = true })
		w.open()
		if got := w.get(id); got.Status != Starting || got.PID != 101 {
			t.Errorf("shown %+v", got)
		}
	})
}

func TestAWorkerThatShouldNotRunIsStopped(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.close(true)
		w.set(func() { w.records[0].Desired, w.records[0].Status = Stopped, Connected })
		w.open()
		w.want(id, Idle, "")
		if w.runs(id) {
			t.Error("it runs")
		}
	})
}

// What a record may say when a process begins, and what becomes of it.
func TestOpenFromEveryRecord(t *testing.T) {
	t.Parallel()
	for _, status := range every {
		for _, desired := range []Desired{Running, Stopped} {
			for _, runs := range []bool{false, true} {
				t.Run(fmt.Sprint(status, " ", desired, " ", runs), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t)
						id := ID("a_20240101120000")
						w.records = []Instance{{ID: id, Name: "A", Owner: 1, Port: 3001, Desired: desired, Status: status}}
						if runs {
							w.running[id] = newFakeWorker(w, id, 7, 3001)
							w.running[id].report = Report{Status: Connected}
						}
						w.open()
						defer w.close(false)
						if status == Deleting {
							if len(w.records) != 0 || w.runs(id) {
								t.Error("the deletion was not finished")
							}
							return
						}
						want := Idle
						if desired == Running {
							want = Starting
							if runs {
								want = Connected
							}
						}
						w.want(id, want, "")
						if w.runs(id) != (desired == Running) || runs && w.launches != 0 {
							t.Errorf("runs %v, %d launches", w.runs(id), w.launches)
						}
					})
				})
			}
		}
	}
}

// A failure that a person has to decide about outlives the process, the others are tried
// once more.
func TestOpenOfFailedNumbers(t *testing.T) {
	t.Parallel()
	for reason, held := range map[Reason]bool{CrashLoop: true, DatabaseNewer: false, PortTaken: false, LockedByAnother: false} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.records = []Instance{{ID: "a", Name: "A", Owner: 1, Port: 3001, Desired: Running, Status: Failed, Reason: reason}}
				w.open()
				defer w.close(false)
				if held {
					w.want("a", Failed, reason)
				} else {
					w.want("a", Starting, "")
				}
			})
		})
	}
}

func TestADeletionWhileItIsLookedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.close(true)
		wait, release := blocked()
		w.set(func() { w.finding = wait })
		w.open()
		w.ok(w.Delete(t.Context(), owner, id))
		release()
		synctest.Wait()
		if len(w.records) != 0 || w.runs(id) {
			t.Errorf("left %v, runs %v", w.records, w.runs(id))
		}
	})
}

func TestManyAreStartedAFewAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const n = 100
		for i := range n {
			id := ID(fmt.Sprintf("n%d_20240101120000", i))
			w.records = append(w.records, Instance{ID: id, Name: string(id), Owner: 1, Port: 3001 + i, Desired: Running, Status: Connected})
		}
		w.mute = true
		w.open()
		defer w.close(false)
		limit := startsPerCore * runtime.GOMAXPROCS(0)
		reported := map[ID]bool{}
		for len(reported) < n {
			time.Sleep(time.Second)
			synctest.Wait()
			w.mu.Lock()
			var silent []*fakeWorker
			for id, f := range w.running {
				if !reported[id] {
					silent, reported[id] = append(silent, f), true
				}
			}
			w.mu.Unlock()
			if len(silent) == 0 || len(silent) > limit {
				t.Fatalf("%d at once, the limit is %d", len(silent), limit)
			}
			for _, f := range silent {
				f.set(func(f *fakeWorker) { f.mute = false })
				f.say(Report{Status: Connected})
			}
		}
	})
}

func TestCloseStopsAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		var ids []ID
		for i := range 20 {
			id := w.number(fmt.Sprint(i), Connected)
			w.worker(id).set(func(f *fakeWorker) {
				f.stop = func(context.Context) error { time.Sleep(3 * time.Second); return nil }
			})
			ids = append(ids, id)
		}
		crashed := w.number("crashed", Connected)
		w.worker(crashed).die(Exit{Reason: WorkerCrashed})
		begun := time.Now()
		w.close(false)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, id := range ids {
			if r := w.record(id); r.Status != Idle || r.Desired != Running || w.runs(id) {
				t.Errorf("left %+v", r)
			}
		}
		if r := w.record(crashed); r.Status != Backoff {
			t.Errorf("left %+v", r)
		}
		if _, err := w.Create(t.Context(), owner, New{Name: "late"}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("create after the end: %v", err)
		}
		if err := w.Start(t.Context(), owner, ids[0]); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("start after the end: %v", err)
		}
		w.open()
		defer w.close(false)
		w.want(ids[0], Starting, "")
		w.want(crashed, Starting, "")
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		id := w.number("A", Connected)
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Close(ctx, false); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("got %v", err)
		}
		release()
	})
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	s := NewSupervisor(Options{Store: brokenStore{}})
	if err := s.Open(t.Context()); err == nil {
		t.Error("Open over a broken store gives no error")
	}
	if _, err := s.Create(t.Context(), owner, New{Name: "A"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("create before Open: %v", err)
	}
}

type brokenStore struct{ Store }

func (brokenStore) Instances(context.Context) ([]Instance, error) { return nil, errTest }

// Whatever happens in whatever order: never two workers for a number, no illegal change
// (the world watches both), and in the end everything is as wished.
func TestRandomLife(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { randomLife(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func randomLife(t *testing.T, dice *rand.Rand) {
	ctx, w := t.Context(), newWorld(t)
	w.open()
	inst, err := w.Create(ctx, owner, New{Name: "A"})
	w.ok(err)
	id := inst.ID
	slow := func(what context.Context) error {
		select {
		case <-time.After(time.Second):
			return nil
		case <-what.Done():
			return what.Err()
		}
	}
	now := func() *fakeWorker {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.running[id]
	}
	var story []string
	for range 60 {
		worker := now()
		step := dice.IntN(14)
		story = append(story, fmt.Sprint(step))
		var err error
		switch step {
		case 0:
			err = w.Start(ctx, owner, id)
		case 1:
			err = w.Stop(ctx, owner, id)
		case 2:
			err = w.Restart(ctx, owner, id)
		case 3, 4, 5:
			if worker != nil {
				worker.set(func(f *fakeWorker) { f.mute = false })
				worker.say(Report{Status: ofWorker[dice.IntN(len(ofWorker))]})
			}
		case 6:
			if worker != nil {
				worker.end(Exit{Reason: WorkerKilled})
			}
		case 7:
			if worker != nil {
				worker.end(Exit{Reason: DatabaseNewer, Final: true})
			}
		case 8:
			w.set(func() { w.launching = slow })
		case 9:
			w.set(func() { w.launching, w.provision = nil, nil })
		case 10:
			w.set(func() { w.provision = func(context.Context) error { return errTest } })
		case 11:
			if worker != nil {
				worker.set(func(f *fakeWorker) { f.stop = slow })
			}
		case 12:
			if worker != nil {
				worker.set(func(f *fakeWorker) { f.mute = true })
			}
		case 13:
			w.close(dice.IntN(2) == 0)
			w.open()
		}
		if err != nil {
			t.Fatalf("after %v: %v", story, err)
		}
		if dice.IntN(2) == 0 {
			time.Sleep(time.Duration(dice.Int64N(int64(40 * time.Second))))
		}
	}
	w.set(func() { w.launching, w.provision = nil, nil })
	for _, desired := range []Desired{Running, Stopped, Running} {
		if desired == Running {
			w.ok(w.Start(ctx, owner, id))
		} else {
			w.ok(w.Stop(ctx, owner, id))
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		got := w.get(id)
		if desired == Stopped && (got.Status != Idle && got.Reason != ProvisionFailed || w.runs(id)) || desired == Running && !w.runs(id) {
			t.Fatalf("after %s: wished %s, but %s/%s, runs %v", strings.Join(story, " "), desired, got.Status, got.Reason, w.runs(id))
		}
		if f := now(); f != nil {
			f.set(func(f *fakeWorker) { f.mute = false })
			f.say(Report{Status: Connected})
			w.want(id, Connected, "")
		}
	}
	w.ok(w.Delete(ctx, owner, id))
	time.Sleep(time.Minute)
	if len(w.records) != 0 || w.runs(id) {
		t.Fatalf("after %v: not deleted: %+v", story, w.records)
	}
	w.close(false)
}
