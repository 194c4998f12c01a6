package instances

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

func TestAStopBeatsARetry(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.worker(id).die(Exit{Reason: WorkerCrashed})
		w.want(id, Backoff, WorkerCrashed)
		w.ok(w.Stop(t.Context(), owner, id))
		if got := w.want(id, Idle, ""); !got.RetryAt.IsZero() {
			t.Errorf("a try is due at %v", got.RetryAt)
		}
		time.Sleep(time.Hour)
		w.want(id, Idle, "")
		if w.launches != 1 {
			t.Errorf("%d launches", w.launches)
		}
	})
}

func TestAStartEndsTheWaiting(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.loop(id, Exit{Reason: WorkerCrashed}, 7)
		w.worker(id).die(Exit{Reason: WorkerCrashed})
		if wait := time.Until(w.want(id, Backoff, WorkerCrashed).RetryAt); wait < 10*time.Second {
			t.Fatalf("the wait is %v only", wait)
		}
		w.ok(w.Start(t.Context(), owner, id))
		if got := w.want(id, Starting, ""); got.Restarts != 7 {
			t.Errorf("%d restarts", got.Restarts)
		}
		// And the next end is the first one again.
		w.worker(id).die(Exit{Reason: WorkerCrashed})
		if wait := time.Until(w.want(id, Backoff, WorkerCrashed).RetryAt); wait > firstRetry {
			t.Errorf("the wait is %v", wait)
		}
	})
}

func TestRepeatedCommandsAreHarmless(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.ok(w.Start(t.Context(), owner, id))
		w.want(id, Connected, "")
		w.ok(errors.Join(w.Stop(t.Context(), owner, id), w.Stop(t.Context(), owner, id)))
		w.want(id, Idle, "")
		w.ok(w.Restart(t.Context(), owner, id))
		w.want(id, Starting, "")
		w.ok(errors.Join(w.Delete(t.Context(), owner, id), ignoreUnknown(w.Delete(t.Context(), owner, id))))
		if len(w.records) != 0 {
			t.Errorf("records %v", w.records)
		}
		if got := strings.Join(w.did, " "); got != "provision launch stop access launch logout stop keep drop discard remove" {
			t.Errorf("did %s", got)
		}
	})
}

func ignoreUnknown(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

func TestRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
		w.ok(w.Restart(t.Context(), owner, id))
		w.want(id, Stopping, "")
		release()
		if got := w.want(id, Starting, ""); got.PID != 102 || got.Restarts != 0 {
			t.Errorf("restarted %+v", got)
		}
		// A failed one is restarted, too.
		w.worker(id).die(Exit{Reason: DatabaseNewer, Final: true})
		w.want(id, Failed, DatabaseNewer)
		w.ok(w.Restart(t.Context(), owner, id))
		w.want(id, Starting, "")
	})
}

func TestStopAndStartInEveryOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		// While it is being stopped, a start is kept for afterwards.
		id := w.number("A", Connected)
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
		w.ok(w.Stop(t.Context(), owner, id))
		w.want(id, Stopping, "")
		w.ok(w.Start(t.Context(), owner, id))
		w.want(id, Stopping, "")
		release()
		w.want(id, Starting, "")
		if got := w.get(id); got.PID != 102 {
			t.Errorf("the worker is %d", got.PID)
		}
		w.ok(w.Stop(t.Context(), owner, id))
		w.want(id, Idle, "")

		// While it is being launched, a stop ends the launch.
		wait, release = blocked()
		defer release()
		w.set(func() { w.launching = wait })
		w.ok(w.Start(t.Context(), owner, id))
		w.want(id, Starting, "")
		w.ok(w.Stop(t.Context(), owner, id))
		w.want(id, Idle, "")

		// To and fro.
		w.ok(w.Start(t.Context(), owner, id))
		for range 3 {
			if err := errors.Join(w.Stop(t.Context(), owner, id), w.Start(t.Context(), owner, id)); err != nil {
				t.Fatal(err)
			}
		}
		w.want(id, Starting, "")
		release()
		synctest.Wait()
		w.worker(id).say(Report{Status: Connected})
		w.want(id, Connected, "")
	})
}

// A launch that ignores that it is no longer wanted leaves nothing behind.
func TestALateWorkerIsStopped(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		wait, release := blocked()
		w.set(func() {
			w.launching = func(context.Context) error { return wait(context.Background()) }
		})
		inst, err := w.Create(t.Context(), owner, New{Name: "A"})
		w.ok(err)
		w.want(inst.ID, Starting, "")
		w.ok(w.Stop(t.Context(), owner, inst.ID))
		w.want(inst.ID, Stopping, "")
		release()
		w.want(inst.ID, Idle, "")
		if w.runs(inst.ID) || w.launches != 1 {
			t.Errorf("%d launches, runs %v", w.launches, w.runs(inst.ID))
		}
	})
}

func TestAStopWaitsForProvisioning(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		wait, release := blocked()
		w.set(func() { w.provision = wait })
		inst, err := w.Create(t.Context(), owner, New{Name: "A"})
		w.ok(err)
		w.ok(w.Stop(t.Context(), owner, inst.ID))
		w.want(inst.ID, Provisioning, "")
		release()
		w.want(inst.ID, Idle, "")
		if w.launches != 0 {
			t.Error("it was launched")
		}
	})
}

func TestProvisioningThatFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() { w.provision = func(context.Context) error { return errTest } })
		inst, err := w.Create(t.Context(), owner, New{Name: "A"})
		w.ok(err)
		id := inst.ID
		w.want(id, Failed, ProvisionFailed)
		w.ok(w.Start(t.Context(), owner, id))
		w.want(id, Failed, ProvisionFailed)
		w.ok(w.Stop(t.Context(), owner, id))
		w.want(id, Failed, ProvisionFailed)
		// A new process does not try by itself.
		w.close(false)
		did := len(w.did)
		w.open()
		if w.want(id, Failed, ProvisionFailed); len(w.did) != did {
			t.Errorf("did %v", w.did[did:])
		}
		w.set(func() { w.provision = nil })
		w.ok(w.Start(t.Context(), owner, id))
		w.worker(id).say(Report{Status: PairingPhone})
		w.want(id, PairingPhone, "")

		w.set(func() { w.provision = func(context.Context) error { return errTest } })
		second, err := w.Create(t.Context(), owner, New{Name: "B"})
		w.ok(err)
		w.want(second.ID, Failed, ProvisionFailed)
		w.ok(w.Delete(t.Context(), owner, second.ID))
		if len(w.List(owner)) != 1 {
			t.Error("it cannot be deleted")
		}
	})
}

func TestNothingChangesWhenTheWishCannotBeStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.set(func() { w.saving = errTest })
		for name, err := range map[string]error{
			"stop": w.Stop(t.Context(), owner, id), "delete": w.Delete(t.Context(), owner, id), "rename": w.Rename(t.Context(), owner, id, "B"),
		} {
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.set(func() { w.saving = nil })
		time.Sleep(time.Minute)
		if got := w.want(id, Connected, ""); got.Desired != Running || got.Name != "A" || got.PID != 101 {
			t.Errorf("changed to %+v", got)
		}
	})
}

func TestRename(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.number("B", Connected)
		w.ok(w.Rename(t.Context(), owner, id, " Ä  1 "))
		if got := w.want(id, Connected, ""); got.Name != "Ä 1" || w.record(id).Name != "Ä 1" {
			t.Errorf("name %q, record %q", got.Name, w.record(id).Name)
		}
		w.ok(w.Rename(t.Context(), owner, id, "ä 1"))
		if err := w.Rename(t.Context(), owner, id, "b"); fault.KindOf(err) != fault.Conflict || fault.FieldOf(err) != "name" {
			t.Errorf("a name in use: %v", err)
		}
		if err := w.Rename(t.Context(), owner, id, "\t"); fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != "name" {
			t.Errorf("an empty name: %v", err)
		}
	})
}

// What is not yours does not exist.
func TestForeignNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		other, ctx := Viewer{User: 2}, t.Context()
		_, getErr := w.Get(other, id)
		_, phoneErr := w.PairPhone(ctx, other, id, "491701234567")
		_, sendErr := w.SendText(ctx, other, id, "49", "x")
		_, apiErr := w.API(other, id)
		for i, err := range []error{getErr, phoneErr, sendErr, apiErr,
			w.Start(ctx, other, id), w.Stop(ctx, other, id), w.Restart(ctx, other, id), w.Delete(ctx, other, id),
			w.Rename(ctx, other, id, "B"), w.Logout(ctx, other, id), w.Reconnect(ctx, other, id), w.Pair(ctx, other, id),
			w.AnswerPasskey(ctx, other, id, []byte("{}")), w.ConfirmPasskey(ctx, other, id),
			w.Start(ctx, owner, "nobody_20240101120000"),
		} {
			if fault.KindOf(err) != fault.NotFound {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if len(w.List(other)) != 0 || len(w.List(Viewer{User: 9, All: true})) != 1 || len(w.List(owner)) != 1 {
			t.Error("the wrong numbers are listed")
		}
		if got := w.want(id, Connected, ""); got.PID != 101 || len(w.worker(id).asked) != 0 {
			t.Error("a foreign command had an effect")
		}
	})
}

// Every question in every status: asked, or refused with a sentence.
func TestAsksInEveryStatus(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id := w.number("A", Connected)
		asks := []struct {
			name string
			ask  func() error
			in   []Status
		}{
			{"pair", func() error { return w.Pair(ctx, owner, id) }, []Status{PairingPhone, PasskeyRequired, LoggedOut}},
			{"phone 491701234567", func() error { _, err := w.PairPhone(ctx, owner, id, "+49 (170) 123-4567"); return err }, []Status{PairingPhone, PasskeyRequired, LoggedOut}},
			{"passkey {}", func() error { return w.AnswerPasskey(ctx, owner, id, []byte("{}")) }, []Status{PairingPhone, PasskeyRequired}},
			{"confirm", func() error { return w.ConfirmPasskey(ctx, owner, id) }, []Status{PairingPhone, PasskeyRequired}},
			{"logout", func() error { return w.Logout(ctx, owner, id) }, []Status{Connected, Reconnecting, Restricted, Outdated, Replaced}},
			{"reconnect", func() error { return w.Reconnect(ctx, owner, id) }, []Status{Connected, Reconnecting, Restricted, Outdated, Replaced}},
			{"send x", func() error { _, err := w.SendText(ctx, owner, id, "49", "x"); return err }, []Status{Connected, Restricted}},
		}
		check := func(status Status) {
			t.Helper()
			for _, a := range asks {
				want := false
				for _, s := range a.in {
					want = want || s == status
				}
				err := a.ask()
				switch {
				case want && err != nil:
					t.Errorf("%s in %s: %v", a.name, status, err)
				case want:
					f := w.worker(id)
					if f.asked[len(f.asked)-1] != a.name {
						t.Errorf("%s in %s: the worker heard %v", a.name, status, f.asked)
					}
				case fault.KindOf(err) != fault.Conflict || !strings.HasSuffix(fault.MessageOf(err), "."):
					t.Errorf("%s in %s: %v", a.name, status, err)
				}
			}
			_, err := w.API(owner, id)
			if (err == nil) != status.OfWorker() {
				t.Errorf("api in %s: %v", status, err)
			}
		}
		for _, status := range ofWorker {
			w.worker(id).say(Report{Status: status})
			w.want(id, status, "")
			check(status)
		}
		if _, err := w.PairPhone(ctx, owner, id, "12"); fault.FieldOf(err) != "phone" {
			t.Errorf("no phone number: %v", err)
		}
		w.worker(id).die(Exit{Reason: WorkerCrashed})
		check(w.want(id, Backoff, WorkerCrashed).Status)
		w.ok(w.Start(ctx, owner, id))
		wait, release := blocked()
		w.worker(id).set(func(f *fakeWorker) { f.stop = wait })
		w.ok(w.Stop(ctx, owner, id))
		check(w.want(id, Stopping, "").Status)
		release()
		check(w.want(id, Idle, "").Status)
		w.ok(w.Start(ctx, owner, id))
		w.worker(id).die(Exit{Reason: DatabaseDamaged, Final: true})
		check(w.want(id, Failed, DatabaseDamaged).Status)
	})
}

// Who logs out or asks for a code sees the effect at once.
func TestAnAskedNumberShowsTheEffect(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		f := w.worker(id)
		follow := func(status Status) {
			time.Sleep(time.Second)
			f.tell(Report{Status: status})
		}
		go follow(LoggedOut)
		w.ok(w.Logout(t.Context(), owner, id))
		w.want(id, LoggedOut, "")
		go follow(PairingPhone)
		w.ok(w.Pair(t.Context(), owner, id))
		w.want(id, PairingPhone, "")
		// A worker that says nothing holds nobody up for long.
		f.say(Report{Status: Connected})
		begun := time.Now()
		w.ok(w.Logout(t.Context(), owner, id))
		if took := time.Since(begun); took != awaitLimit {
			t.Errorf("it took %v", took)
		}
	})
}

func TestNotNowHasASentenceForEveryStatus(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range every {
		seen[notNow(s)] = true
	}
	if len(seen) < 10 {
		t.Error(fmt.Sprint(seen))
	}
}

// Many people at many buttons at once.
func TestCommandsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		var people sync.WaitGroup
		for person := range 8 {
			people.Go(func() {
				for turn := range 50 {
					var err error
					switch (person + turn) % 4 {
					case 0:
						err = w.Start(t.Context(), owner, id)
					case 1:
						err = w.Stop(t.Context(), owner, id)
					case 2:
						err = w.Restart(t.Context(), owner, id)
					case 3:
						err = w.Rename(t.Context(), owner, id, fmt.Sprint(person, turn))
					}
					if err != nil {
						t.Error(err)
					}
					if len(w.List(owner)) != 1 {
						t.Error("the number is not listed")
					}
				}
			})
		}
		people.Wait()
		w.ok(w.Stop(t.Context(), owner, id))
		if w.want(id, Idle, ""); w.runs(id) {
			t.Error("it runs")
		}
	})
}
