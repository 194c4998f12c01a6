package instances

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

func TestTheOrdinaryLife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		begun := time.Now()
		inst, err := w.Create(t.Context(), owner, New{Name: " Shop  1 ", Phone: "+49 170 1234567"})
		w.ok(err)
		id := inst.ID
		if inst.Name != "Shop 1" || inst.Phone != "491701234567" || inst.Status != Provisioning || inst.Desired != Running ||
			inst.Owner != 1 || inst.Port != 3001 || inst.Database.Keys != "keys_"+string(id) || !inst.CreatedAt.Equal(begun) {
			t.Errorf("created %+v", inst)
		}
		got := w.want(id, Starting, "")
		if got.PID != 101 || got.Version != "1" || got.StartedAt.IsZero() {
			t.Errorf("running %+v", got)
		}
		f := w.worker(id)
		f.say(Report{Status: PairingPhone, Pairing: &Pairing{Code: "2@x", Turn: 1, Turns: 6}})
		if got := w.want(id, PairingPhone, ""); got.Pairing == nil || got.Pairing.Code != "2@x" {
			t.Errorf("pairing %+v", got.Pairing)
		}
		w.get(id).Pairing.Code = "changed"
		if w.get(id).Pairing.Code != "2@x" {
			t.Error("a copy is no copy")
		}
		f.say(Report{Status: Connected, JID: "491:2@s.whatsapp.net", LID: "5@lid", PushName: "Shop"})
		got = w.want(id, Connected, "")
		if got.JID != "491:2@s.whatsapp.net" || got.LID != "5@lid" || got.PushName != "Shop" || got.Pairing != nil || w.record(id).JID != got.JID {
			t.Errorf("connected %+v", got)
		}
		since := got.Since
		time.Sleep(time.Hour)
		if got := w.want(id, Connected, ""); !got.Since.Equal(since) || time.Since(got.ProvenAt) > 15*time.Second || w.launches != 1 {
			t.Errorf("an hour later %+v, %d launches", got, w.launches)
		}
		f.say(Report{Status: LoggedOut, Reason: LoggedOutByPhone})
		if got := w.want(id, LoggedOut, LoggedOutByPhone); got.JID == "" {
			t.Error("the JID was forgotten by the logout")
		}
		w.ok(w.Stop(t.Context(), owner, id))
		if got := w.want(id, Idle, ""); got.Desired != Stopped || got.PID != 0 || w.runs(id) {
			t.Errorf("stopped %+v", got)
		}
		w.ok(w.Start(t.Context(), owner, id))
		w.worker(id).say(Report{Status: Connected, JID: "492:1@s.whatsapp.net"})
		if got := w.want(id, Connected, ""); got.Restarts != 0 || got.JID != "492:1@s.whatsapp.net" || got.LID != "" || got.PushName != "" {
			t.Errorf("paired with another phone: %+v", got)
		}
		w.ok(w.Delete(t.Context(), owner, id))
		if _, err := w.Get(owner, id); err == nil || w.runs(id) || len(w.records) != 0 {
			t.Errorf("deleted: %v, %v", err, w.records)
		}
		want := "provision launch stop access launch logout stop keep drop discard remove"
		if got := strings.Join(w.did, " "); got != want {
			t.Errorf("did %q, want %q", got, want)
		}
		wantChanges := []string{
			">provisioning  running", "provisioning>starting  running", "starting>pairing  running", "pairing>connected  running",
			"connected>logged_out logged_out_by_phone running", "logged_out>stopping  stopped", "stopping>stopped  stopped",
			"stopped>starting  running", "starting>connected  running", "connected>deleting  stopped", "deleting>  ",
		}
		if !slices.Equal(w.changes, wantChanges) {
			t.Errorf("changes\n%s\nwant\n%s", strings.Join(w.changes, "\n"), strings.Join(wantChanges, "\n"))
		}
	})
}

// What a worker reports, and what is concluded from it.
func TestJudge(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", PairingPhone)
		f := w.worker(id)
		f.set(func(f *fakeWorker) { f.proven = false })
		for _, c := range []struct {
			in     Report
			status Status
			reason Reason
		}{
			{Report{Status: PasskeyRequired}, PasskeyRequired, ""},
			{Report{Status: PairingPhone, Reason: QRExpired}, PairingPhone, QRExpired},
			{Report{Status: Connected, ProvenAt: time.Now()}, Connected, ""},
			{Report{Status: Connected, Reason: ReachOutLimit, ProvenAt: time.Now(), RetryAt: time.Now().Add(time.Hour)}, Connected, ReachOutLimit},
			{Report{Status: Connected, ProvenAt: time.Now().Add(-59 * time.Second)}, Connected, ""},
			{Report{Status: Connected, ProvenAt: time.Now().Add(-61 * time.Second)}, Reconnecting, NoProof},
			{Report{Status: Connected}, Reconnecting, NoProof},
			{Report{Status: Reconnecting, Reason: NoNetwork}, Reconnecting, NoNetwork},
			{Report{Status: Restricted, Reason: TemporaryBan, RetryAt: time.Now().Add(time.Hour)}, Restricted, TemporaryBan},
			{Report{Status: Outdated}, Outdated, ""},
			{Report{Status: Replaced}, Replaced, ""},
			{Report{Status: LoggedOut, Reason: LoggedOutByUser}, LoggedOut, LoggedOutByUser},
			{Report{Status: Starting}, Starting, ""},
			{Report{Status: Deleting}, Starting, ""},
			{Report{Status: Idle}, Starting, ""},
			{Report{Status: "of_a_later_version"}, Starting, ""},
		} {
			f.say(c.in)
			if got := w.want(id, c.status, c.reason); c.in.Status.OfWorker() && !got.RetryAt.Equal(c.in.RetryAt) {
				t.Errorf("%+v: retry at %v", c.in, got.RetryAt)
			}
		}
	})
}

func TestConnectedNeedsAProof(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		f := w.worker(id)
		f.set(func(f *fakeWorker) { f.proven = false })
		f.say(Report{Status: Connected, ProvenAt: time.Now()})
		time.Sleep(proofAge - time.Second)
		w.want(id, Connected, "")
		time.Sleep(2 * time.Second)
		w.want(id, Reconnecting, NoProof)
		f.say(Report{Status: Connected, ProvenAt: time.Now()})
		w.want(id, Connected, "")
	})
}

// A worker that claims a connection without a proof is asked for a new one, once, and then
// ended; unless the new one is proven.
func TestAClaimThatIsNeverProven(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		claim := func(f *fakeWorker) {
			f.set(func(f *fakeWorker) { f.proven, f.asked = false, nil })
			f.say(Report{Status: Connected, ProvenAt: time.Now()})
			time.Sleep(proofAge + 5*time.Second)
			w.want(id, Reconnecting, NoProof)
			f.mu.Lock()
			defer f.mu.Unlock()
			if !slices.Equal(f.asked, []string{"reconnect"}) {
				t.Errorf("the worker was asked for %q", f.asked)
			}
		}
		f := w.worker(id)
		claim(f)
		f.say(Report{Status: Reconnecting})
		f.say(Report{Status: Connected, ProvenAt: time.Now()})
		time.Sleep(proofAge - time.Second)
		if got := w.want(id, Connected, ""); got.PID != f.facts.PID || got.Restarts != 0 {
			t.Errorf("it is %+v", got)
		}

		claim(f)
		time.Sleep(doubt)
		if got := w.want(id, Starting, NoProof); got.PID == f.facts.PID || got.Restarts != 1 {
			t.Errorf("it is %+v", got)
		}
		w.worker(id).say(Report{Status: Connected})
		w.want(id, Connected, "")
	})
}

func TestASilentWorkerIsReplaced(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id, other := w.number("A", Connected), w.number("B", Connected)
		f := w.worker(id)
		wait, release := blocked()
		f.set(func(f *fakeWorker) { f.mute, f.stop = true, wait })
		f.say(f.report)
		time.Sleep(silence - 11*time.Second)
		w.want(id, Connected, "")
		time.Sleep(12 * time.Second)
		w.want(id, Stopping, WorkerSilent)
		release()
		if got := w.want(id, Backoff, WorkerSilent); time.Until(got.RetryAt) > time.Second {
			t.Errorf("the first retry is due in %v", time.Until(got.RetryAt))
		}
		time.Sleep(time.Second)
		if got := w.want(id, Starting, WorkerSilent); got.Restarts != 1 {
			t.Errorf("%d restarts", got.Restarts)
		}
		w.worker(id).say(Report{Status: Connected})
		w.want(id, Connected, "")
		if w.want(other, Connected, "").PID != 102 {
			t.Error("the other number was touched")
		}

		// One that cannot be ended is tried again and again, and a stop is not forgotten.
		f = w.worker(id)
		f.set(func(f *fakeWorker) { f.mute, f.stop = true, func(context.Context) error { return errTest } })
		f.say(f.report)
		time.Sleep(10 * time.Minute)
		w.want(id, Stopping, WorkerSilent)
		w.ok(w.Stop(t.Context(), owner, id))
		f.set(func(f *fakeWorker) { f.stop = nil })
		time.Sleep(stopRetry)
		w.want(id, Idle, "")
	})
}

func TestAKilledWorkerIsSeenAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", PairingPhone)
		w.worker(id).die(Exit{Reason: WorkerKilled, Lines: []string{"x"}})
		got := w.want(id, Backoff, WorkerKilled)
		if wait := time.Until(got.RetryAt); wait <= 0 || wait > firstRetry {
			t.Errorf("the first retry is due in %v", wait)
		}
		time.Sleep(firstRetry)
		if got := w.want(id, Starting, WorkerKilled); got.Restarts != 1 || got.PID != 102 || !got.RetryAt.IsZero() ||
			got.EndedFor != WorkerKilled || time.Since(got.EndedAt) != firstRetry {
			t.Errorf("started again: %+v", got)
		}
		// Whoever looks every two seconds still learns it.
		w.worker(id).say(Report{Status: PairingPhone, Pairing: &Pairing{Code: "2@y"}})
		w.want(id, PairingPhone, WorkerKilled)
		w.worker(id).say(Report{Status: PairingPhone, Pairing: &Pairing{Code: "2@z"}})
		w.want(id, PairingPhone, WorkerKilled)
		// A person who asks for a code has read it.
		w.ok(w.Pair(t.Context(), owner, id))
		w.worker(id).say(Report{Status: PairingPhone, Pairing: &Pairing{Code: "2@a"}})
		w.want(id, PairingPhone, "")
		// Told to end by somebody else than the owner: it comes back.
		w.worker(id).die(Exit{Asked: true})
		w.want(id, Backoff, WorkerKilled)
	})
}

// What happens while no worker runs is told by the next one, however many it takes.
func TestTheNextWorkerTellsWhatWasMissed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		missed := func() (list []string) {
			t.Helper()
			time.Sleep(10 * firstRetry)
			synctest.Wait()
			started := w.startedNow()
			for _, c := range started[len(started)-1].missed {
				list = append(list, string(c.Was)+">"+string(c.Status)+" "+string(c.Reason))
			}
			return list
		}
		mute := func(mute bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.mute = mute
		}
		mute(true)
		w.worker(id).die(Exit{Reason: WorkerKilled})
		if got, want := missed(), []string{"connected>backoff worker_killed"}; !slices.Equal(got, want) {
			t.Errorf("told to tell %v, want %v", got, want)
		}
		mute(false)
		w.worker(id).die(Exit{Reason: WorkerCrashed}) // before it could
		if got, want := missed(), []string{"connected>backoff worker_killed", "starting>backoff worker_crashed"}; !slices.Equal(got, want) {
			t.Errorf("told to tell %v, want %v", got, want)
		}
		w.ok(w.Restart(t.Context(), owner, id))
		if got := missed(); got != nil {
			t.Errorf("told to tell %v once more", got)
		}
		// The panel ends before the next worker has begun.
		w.worker(id).die(Exit{Reason: WorkerKilled})
		w.want(id, Backoff, WorkerKilled)
		w.close(true)
		w.open()
		if got, want := missed(), []string{">backoff worker_killed"}; !slices.Equal(got, want) {
			t.Errorf("after another start told to tell %v, want %v", got, want)
		}
	})
}

// A worker that was just started opens its databases before it says anything, and they may be slow.
func TestTheFirstWordMayTakeLonger(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.set(func() { w.mute = true })
		w.worker(id).die(Exit{Reason: WorkerKilled})
		time.Sleep(firstRetry)
		w.want(id, Starting, WorkerKilled)
		slow := w.worker(id)
		time.Sleep(firstWord - time.Second)
		if w.worker(id) != slow {
			t.Fatal("it was not waited for")
		}
		slow.set(func(f *fakeWorker) { f.mute = false })
		slow.say(Report{Status: Connected})
		w.want(id, Connected, "")
		// After its first word it has to go on.
		slow.set(func(f *fakeWorker) { f.mute = true })
		time.Sleep(2 * silence)
		hung := w.worker(id)
		if hung == slow {
			t.Error("its silence was not noticed")
		}
		// One that never says anything is ended as well, and that counts.
		time.Sleep(crashBudget * (firstWord + maxRetry))
		w.want(id, Failed, CrashLoop)
	})
}

func TestBackoffGrowsAndIsForgotten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		crash := func() time.Duration {
			t.Helper()
			w.worker(id).die(Exit{Reason: WorkerCrashed})
			wait := time.Until(w.want(id, Backoff, WorkerCrashed).RetryAt)
			time.Sleep(wait)
			w.want(id, Starting, WorkerCrashed)
			return wait
		}
		for n := range 5 {
			full := firstRetry << n
			if wait := crash(); wait < full/2-time.Millisecond || wait > full {
				t.Errorf("wait %d was %v", n, wait)
			}
		}
		time.Sleep(stableAfter)
		if wait := crash(); wait > firstRetry {
			t.Errorf("after a stable minute the wait was %v", wait)
		}
	})
}

// loop lets the worker end until the number is no longer tried, at most n times.
func (w *world) loop(id ID, e Exit, n int) (longest time.Duration) {
	w.t.Helper()
	for range n {
		w.worker(id).die(e)
		inst := w.get(id)
		if inst.Status != Backoff {
			return longest
		}
		longest = max(longest, time.Until(inst.RetryAt))
		time.Sleep(time.Until(inst.RetryAt))
		w.want(id, Starting, e.Reason)
	}
	return longest
}

func TestACrashLoopNeedsAPerson(t *testing.T) {
	t.Parallel()
	for reason, failed := range map[Reason]Reason{WorkerCrashed: CrashLoop, WorkerKilled: CrashLoop, PortTaken: PortTaken, LockedByAnother: LockedByAnother} {
		t.Run(string(reason), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.number("A", Connected)
				w.loop(id, Exit{Reason: reason, Lines: []string{"why"}}, 1000)
				got := w.want(id, Failed, failed)
				if w.launches != crashBudget || got.Restarts != crashBudget-1 || !slices.Equal(got.LastLines, []string{"why"}) || !got.RetryAt.IsZero() {
					t.Errorf("after %d launches %+v", w.launches, got)
				}
				time.Sleep(24 * time.Hour)
				w.want(id, Failed, failed)
				w.ok(w.Start(t.Context(), owner, id))
				w.worker(id).say(Report{Status: Connected})
				if got := w.want(id, Connected, ""); got.LastLines != nil {
					t.Errorf("old lines are still told: %q", got.LastLines)
				}
				w.worker(id).die(Exit{Reason: reason})
				w.want(id, Backoff, reason)
			})
		})
	}
}

func TestADatabaseThatIsAwayIsWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		longest := w.loop(id, Exit{Reason: DatabaseRefused}, 50)
		if longest < maxRetry/2 || longest > maxRetry {
			t.Errorf("the longest wait was %v", longest)
		}
		w.set(func() { w.access = func(context.Context) error { return fault.New(fault.Unavailable, "It is away.") } })
		w.worker(id).die(Exit{Reason: DatabaseRefused})
		time.Sleep(maxRetry)
		if got := w.want(id, Backoff, DatabaseRefused); got.Detail != "It is away." {
			t.Errorf("a person reads %q", got.Detail)
		}
		w.set(func() { w.access = nil })
		time.Sleep(maxRetry)
		w.worker(id).say(Report{Status: Connected})
		w.want(id, Connected, "")
	})
}

// TestAFullFolderIsWaitedFor: somebody makes room in it, or raises the limit, and the number goes on.
func TestAFullFolderIsWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.loop(id, Exit{Reason: DiskLimit}, 50)
		w.worker(id).die(Exit{Reason: DiskLimit})
		if got := w.want(id, Backoff, DiskLimit); time.Until(got.RetryAt) < maxRetry/2 {
			t.Errorf("it is tried again in %v", time.Until(got.RetryAt))
		}
		// Other settings are a reason to try at once.
		w.Configure(t.Context(), id)
		w.want(id, Starting, DiskLimit)
		time.Sleep(time.Second) // it waits for its turn
		w.worker(id).say(Report{Status: Connected})
		w.want(id, Connected, "")
		// But not where that is not what keeps it down.
		w.worker(id).die(Exit{Reason: WorkerCrashed})
		was := w.want(id, Backoff, WorkerCrashed)
		w.Configure(t.Context(), "")
		if got := w.want(id, Backoff, WorkerCrashed); got.RetryAt != was.RetryAt {
			t.Errorf("a crashed number is tried at %v instead of %v", got.RetryAt, was.RetryAt)
		}
	})
}

// TestLostDatabasesNeedAPerson is about a folder that is gone or not mounted. Whatever a person
// or the next process asks for, nothing is made in its place.
func TestLostDatabasesNeedAPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.set(func() {
			w.did = nil
			w.access = func(context.Context) error {
				return fault.Wrap(fault.Unavailable, "The file is gone.", ErrLost)
			}
		})
		lost := func() {
			t.Helper()
			got := w.want(id, Failed, DatabaseRefused)
			if got.Detail != "The file is gone." || slices.Contains(w.did, "provision") || slices.Contains(w.did, "launch") {
				t.Errorf("a person reads %q; did %v", got.Detail, w.did)
			}
		}
		w.worker(id).die(Exit{Reason: WorkerKilled})
		time.Sleep(maxRetry)
		lost()
		w.ok(w.Start(t.Context(), owner, id))
		lost()
		w.ok(w.Stop(t.Context(), owner, id))
		w.want(id, Idle, "")
		w.ok(w.Restart(t.Context(), owner, id))
		lost()
		w.close(false)
		w.open()
		lost()
		w.set(func() { w.access = nil })
		w.ok(w.Start(t.Context(), owner, id))
		w.worker(id).say(Report{Status: Connected})
		if got := w.want(id, Connected, ""); got.Detail != "" {
			t.Errorf("an old sentence is still told: %q", got.Detail)
		}
	})
}

func TestSomeEndsNeedAPersonAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.worker(id).die(Exit{Reason: DatabaseDamaged, Final: true, Lines: []string{"damaged"}})
		if got := w.want(id, Failed, DatabaseDamaged); len(got.LastLines) != 1 || got.PID != 0 {
			t.Errorf("got %+v", got)
		}
		w.ok(w.Stop(t.Context(), owner, id))
		w.want(id, Idle, "")
	})
}

func TestAWorkerThatCannotBeStarted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() { w.launching = func(context.Context) error { return errTest } })
		inst, err := w.Create(t.Context(), owner, New{Name: "A"})
		w.ok(err)
		w.want(inst.ID, Backoff, StartRefused)
		time.Sleep(time.Hour)
		if got := w.want(inst.ID, Failed, StartRefused); got.Detail == "" {
			t.Error("nothing says why")
		}
		w.set(func() { w.launching = nil })
		w.ok(w.Start(t.Context(), owner, inst.ID))
		w.want(inst.ID, Starting, "")
	})
}

// A full disk is waited for, however long that takes.
func TestAWorkerForWhichThereIsNoRoom(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() {
			w.launching = func(context.Context) error { return fault.Wrap(fault.Unavailable, "No room.", ErrNoRoom) }
		})
		inst, err := w.Create(t.Context(), owner, New{Name: "A"})
		w.ok(err)
		w.want(inst.ID, Backoff, StorageFull)
		time.Sleep(3 * time.Hour)
		w.want(inst.ID, Backoff, StorageFull)
		w.set(func() { w.launching = nil })
		time.Sleep(maxRetry)
		w.worker(inst.ID).say(Report{Status: Connected})
		w.want(inst.ID, Connected, "")
	})
}

func TestTheRecordIsWrittenLaterWhenTheStoreIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.set(func() { w.saving = errTest })
		w.worker(id).say(Report{Status: LoggedOut, Reason: LoggedOutByPhone})
		if got := w.get(id); got.Status != LoggedOut || w.record(id).Status != Connected {
			t.Errorf("status %s, record %s", got.Status, w.record(id).Status)
		}
		time.Sleep(time.Minute)
		w.set(func() { w.saving = nil })
		time.Sleep(saveRetry)
		w.want(id, LoggedOut, LoggedOutByPhone)
	})
}

func TestChanged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		happened := func(c <-chan struct{}) bool {
			synctest.Wait()
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		c := w.Changed(owner, id)
		time.Sleep(time.Minute)
		if happened(c) {
			t.Error("a heartbeat is a change")
		}
		w.worker(id).say(Report{Status: Connected, PushName: "New", JID: "491:2@s.whatsapp.net"})
		if !happened(c) {
			t.Error("a new push name is no change")
		}
		c = w.Changed(owner, id)
		w.ok(w.Rename(t.Context(), owner, id, "B"))
		if !happened(c) {
			t.Error("a new name is no change")
		}
		c = w.Changed(owner, id)
		w.ok(w.Delete(t.Context(), owner, id))
		if !happened(c) {
			t.Error("a deletion is no change")
		}
		if w.Changed(owner, id) != nil || w.Changed(Viewer{User: 2}, id) != nil {
			t.Error("an unknown number has changes")
		}
	})
}

func TestDelay(t *testing.T) {
	t.Parallel()
	for ends := 1; ends < 200; ends++ {
		for range 20 {
			d := delay(ends)
			if d < firstRetry/2 || d > maxRetry || ends == 1 && d > firstRetry || ends > 12 && d < maxRetry/2 {
				t.Fatalf("delay(%d) = %v", ends, d)
			}
		}
	}
	some := map[time.Duration]bool{}
	for range 20 {
		some[delay(9)] = true
	}
	if len(some) < 2 {
		t.Error("there is no jitter")
	}
}
