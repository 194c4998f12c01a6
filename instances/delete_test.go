package instances

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

// A number can be deleted in whatever state it is.
func TestDeleteInEveryState(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*world) (ID, func()){
		"provisioning": func(w *world) (ID, func()) {
			wait, release := blocked()
			w.set(func() { w.provision = wait })
			inst, err := w.Create(w.t.Context(), owner, New{Name: "A"})
			w.ok(err)
			return inst.ID, release
		},
		"starting": func(w *world) (ID, func()) {
			wait, release := blocked()
			w.set(func() { w.launching = wait })
			inst, err := w.Create(w.t.Context(), owner, New{Name: "A"})
			w.ok(err)
			return inst.ID, release
		},
		"backoff": func(w *world) (ID, func()) {
			id := w.number("A", Connected)
			w.worker(id).die(Exit{Reason: WorkerCrashed})
			return id, nil
		},
		"failed": func(w *world) (ID, func()) {
			id := w.number("A", Connected)
			w.worker(id).die(Exit{Reason: DatabaseDamaged, Final: true})
			return id, nil
		},
		"stopped": func(w *world) (ID, func()) {
			id := w.number("A", Connected)
			w.ok(w.Stop(w.t.Context(), owner, id))
			return id, nil
		},
		"stopping": func(w *world) (ID, func()) {
			id := w.number("A", Connected)
			wait, release := blocked()
			w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
			w.ok(w.Stop(w.t.Context(), owner, id))
			return id, release
		},
		"connected": func(w *world) (ID, func()) { return w.number("A", Connected), nil },
		"pairing":   func(w *world) (ID, func()) { return w.number("A", PairingPhone), nil },
		"restarting": func(w *world) (ID, func()) {
			id := w.number("A", Connected)
			wait, release := blocked()
			w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
			w.ok(w.Restart(w.t.Context(), owner, id))
			return id, release
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id, release := prepare(w)
				w.ok(w.Delete(t.Context(), owner, id))
				if release != nil {
					release()
					synctest.Wait()
				}
				if got := strings.Join(w.did, " "); len(w.List(Viewer{All: true})) != 0 || len(w.records) != 0 || w.runs(id) || !strings.HasSuffix(got, "keep drop discard remove") {
					t.Errorf("left %v, runs %v, did %s", w.List(Viewer{All: true}), w.runs(id), got)
				}
				if last := w.changes[len(w.changes)-1]; last != "deleting>  " {
					t.Errorf("the last change is %q", last)
				}
			})
		})
	}
}

// The phone would keep a linked device that nothing answers for, and it allows four.
func TestADeletedNumberIsUnlinkedFirst(t *testing.T) {
	t.Parallel()
	const jid = "491700000001:3@s.whatsapp.net"
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		report Report
		logout func(context.Context) error
		want   string
		within time.Duration
	}{
		"connected":           {Report{Status: Connected, JID: jid}, nil, "logout stop keep drop discard remove", 0},
		"refused":             {Report{Status: Reconnecting, JID: jid}, func(context.Context) error { return errTest }, "logout stop keep drop discard remove", 0},
		"no answer":           {Report{Status: Connected, JID: jid}, silent, "logout stop keep drop discard remove", 5 * time.Second},
		"pairing":             {Report{Status: PairingPhone}, nil, "stop keep drop discard remove", 0},
		"logged out by phone": {Report{Status: LoggedOut, JID: jid}, nil, "stop keep drop discard remove", 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.number("A", Connected)
				f := w.worker(id)
				f.set(func(f *fakeWorker) { f.logout = c.logout })
				f.say(c.report)
				w.set(func() { w.did = nil })
				began := time.Now()
				w.ok(w.Delete(t.Context(), owner, id))
				time.Sleep(c.within)
				synctest.Wait()
				if got := strings.Join(w.did, " "); got != c.want {
					t.Errorf("after %s it did %q, want %q", time.Since(began), got, c.want)
				}
			})
		})
	}
}

// A worker that the next process finds, and has not heard yet, is asked as well.
func TestAFoundWorkerIsUnlinkedBeforeItIsDeleted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop, f.mute = wait, true })
		w.ok(w.Delete(t.Context(), owner, id))
		w.close(true)
		release()
		w.set(func() { w.did = nil })
		w.open()
		if got := strings.Join(w.did, " "); got != "logout stop keep drop discard remove" {
			t.Errorf("it did %q", got)
		}
	})
}

// Whoever wants nothing kept gets that from the next process, too.
func TestDeletionForGoodKeepsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
		w.ok(w.DeleteForGood(t.Context(), owner, id))
		w.want(id, Deleting, NothingKept)
		w.close(true)
		release()
		w.set(func() { w.did = nil })
		w.open()
		if got := strings.Join(w.did, " "); !strings.HasSuffix(got, "stop drop discard remove") {
			t.Errorf("it did %q", got)
		}
	})
}

// A killed move leaves half a number in the database to which it went. Its folder is that of
// where it came from, and stays, also when the rest cannot be cleared away at once.
func TestTheFolderOfHalfAMovedNumberStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.ok(w.Stop(t.Context(), owner, id))
		w.close(false)
		w.records[0].Status, w.records[0].Reason = Deleting, HalfMoved
		w.set(func() { w.drop, w.did = errTest, nil })
		w.open()
		w.want(id, Failed, HalfMoved)
		w.set(func() { w.drop = nil })
		w.ok(w.Delete(t.Context(), owner, id))
		if got := strings.Join(w.did, " "); len(w.records) != 0 || got != "drop drop remove" {
			t.Errorf("it did %q, left %v", got, w.records)
		}
	})
}

func TestDeletionThatFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.set(func() { w.drop = fault.New(fault.Unavailable, "There is no room.") })
		w.ok(w.Delete(t.Context(), owner, id))
		if got := w.want(id, Failed, DeleteFailed); got.Desired != Stopped || got.Detail != "There is no room." {
			t.Errorf("desired %s, %q", got.Desired, got.Detail)
		}
		for name, command := range map[string]func(context.Context, Viewer, ID) error{"start": w.Start, "stop": w.Stop, "restart": w.Restart} {
			if err := command(t.Context(), owner, id); fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.set(func() { w.drop, w.discard = nil, errTest })
		w.ok(w.Delete(t.Context(), owner, id))
		w.want(id, Failed, DeleteFailed)
		// A new process leaves it to a person.
		w.close(false)
		w.open()
		w.want(id, Failed, DeleteFailed)
		w.set(func() { w.discard = nil })
		w.ok(w.Delete(t.Context(), owner, id))
		if len(w.records) != 0 {
			t.Error("it is still there")
		}
	})
}

// Where there is no room for a last backup, nothing is done, unless none is wanted.
func TestDeletionWithoutRoom(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.set(func() { w.full, w.did = fault.New(fault.Unavailable, "There is no room."), nil })
		if err := w.Delete(t.Context(), owner, id); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("got %v", err)
		}
		if w.want(id, Connected, ""); len(w.did) > 0 {
			t.Errorf("it did %q", w.did)
		}
		w.ok(w.DeleteForGood(t.Context(), owner, id))
		if len(w.records) != 0 {
			t.Error("it is still there")
		}
	})
}

func TestDeletionWithAWorkerThatStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		f := w.worker(id)
		f.set(func(f *fakeWorker) { f.stop = func(context.Context) error { return errTest } })
		w.ok(w.Delete(t.Context(), owner, id))
		w.want(id, Failed, DeleteFailed)
		time.Sleep(time.Hour) // its silence or its end change nothing
		f.say(Report{Status: Connected})
		w.want(id, Failed, DeleteFailed)
		f.set(func(f *fakeWorker) { f.stop = nil })
		w.ok(w.Delete(t.Context(), owner, id))
		if len(w.records) != 0 || w.runs(id) {
			t.Error("it is still there")
		}
	})
}

// Killed at every step of a deletion, the next process finishes it.
func TestADeletionIsFinishedByTheNextProcess(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
		w.ok(w.Delete(t.Context(), owner, id))
		w.want(id, Deleting, "")
		if err := w.Start(t.Context(), owner, id); fault.KindOf(err) != fault.Conflict {
			t.Errorf("start while deleting: %v", err)
		}
		if err := w.Delete(t.Context(), owner, id); err != nil {
			t.Errorf("delete while deleting: %v", err)
		}
		w.close(true)
		if w.record(id).Status != Deleting || w.record(id).Desired != Stopped {
			t.Fatalf("the record is %+v", w.record(id))
		}
		release()
		w.open()
		if len(w.records) != 0 || w.runs(id) || len(w.List(owner)) != 0 {
			t.Error("it is still there")
		}
	})
}
