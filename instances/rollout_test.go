package instances

import (
	"testing"
	"testing/synctest"
	"time"
)

// upgraded runs f after a program of version 2 has adopted three numbers of version 1, two
// of them connected. Workers of the broken version end at once.
func upgraded(t *testing.T, broken string, f func(t *testing.T, w *world, ids []ID)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		ids := []ID{w.number("A", PairingPhone), w.number("B", Connected), w.number("C", Connected)}
		w.close(true)
		w.version, w.broken = "2", broken
		w.open()
		defer w.close(false)
		f(t, w, ids)
	})
}

func (w *world) versions(ids []ID) (all string) {
	w.t.Helper()
	for _, id := range ids {
		all += w.get(id).Version
	}
	return all
}

// after lets time pass and returns the versions of the numbers.
func (w *world) after(d time.Duration, ids []ID) string {
	time.Sleep(d)
	synctest.Wait()
	return w.versions(ids)
}

func TestRollout(t *testing.T) {
	upgraded(t, "", func(t *testing.T, w *world, ids []ID) {
		if got := w.after(rolloutAfter-time.Second, ids); got != "111" {
			t.Errorf("before the roll-out: %s", got)
		}
		if got := w.after(time.Second, ids); got != "121" { // a connected number is the canary
			t.Errorf("the canary: %s", got)
		}
		if got := w.after(30*time.Second, ids); got != "121" { // it has not come back yet
			t.Errorf("while the canary is away: %s", got)
		}
		if got := w.Rollout(); got != (Rollout{Version: "2", Old: "1", Total: 3}) || !got.Active() {
			t.Errorf("%+v", got)
		}
		w.worker(ids[1]).say(Report{Status: Connected, JID: "491:2@s.whatsapp.net"})
		if got := w.versions(ids); got != "122" || w.Rollout().Done != 1 {
			t.Errorf("the canary is back: %s, %+v", got, w.Rollout())
		}
		w.worker(ids[2]).say(Report{Status: Connected, JID: "491:2@s.whatsapp.net"})
		w.worker(ids[0]).say(Report{Status: PairingPhone})
		if got := w.versions(ids); got != "222" || w.Rollout().Active() || w.Rollout().Done != 3 {
			t.Errorf("in the end: %s, %+v", got, w.Rollout())
		}
		for _, id := range ids {
			if inst := w.get(id); inst.Restarts != 0 {
				t.Errorf("%s counts %d restarts", id, inst.Restarts)
			}
		}
	})
}

func TestRolloutOfABrokenVersion(t *testing.T) {
	upgraded(t, "2", func(t *testing.T, w *world, ids []ID) {
		if got := w.after(rolloutAfter+10*time.Second, ids); got != "111" {
			t.Errorf("versions %s", got)
		}
		w.worker(ids[1]).say(Report{Status: Connected, JID: "491:2@s.whatsapp.net"})
		w.want(ids[1], Connected, "")
		r := w.Rollout()
		if r.Stopped != ids[1] || r.Name != "B" || r.Reason != WorkerCrashed || r.Done != 0 || !r.Active() {
			t.Errorf("%+v", r)
		}
		// Whatever ends now comes back in the version that works.
		w.worker(ids[2]).die(Exit{Reason: WorkerKilled})
		if got := w.after(time.Hour, ids); got != "111" {
			t.Errorf("an hour later: %s", got)
		}
	})
}

// A version whose workers run but never get to where they were is no better.
func TestRolloutOfAVersionThatDoesNotConnect(t *testing.T) {
	upgraded(t, "", func(t *testing.T, w *world, ids []ID) {
		if got := w.after(rolloutAfter+comeBackLimit-time.Second, ids); got != "121" {
			t.Errorf("within the minute: %s", got)
		}
		if got := w.after(2*time.Second, ids); got != "111" || w.Rollout().Stopped != ids[1] {
			t.Errorf("after the minute: %s, %+v", got, w.Rollout())
		}
	})
}

// A worker of the old version that ends before its turn comes back in it, and has its turn.
func TestRolloutMeetsACrash(t *testing.T) {
	upgraded(t, "", func(t *testing.T, w *world, ids []ID) {
		w.worker(ids[2]).die(Exit{Reason: WorkerKilled})
		if got := w.after(time.Second, ids); got != "111" {
			t.Errorf("after the crash: %s", got)
		}
		w.after(rolloutAfter, ids)
		for range 4 {
			for i, status := range []Status{PairingPhone, Connected, Connected} {
				w.worker(ids[i]).say(Report{Status: status, JID: "491:2@s.whatsapp.net"})
			}
			w.after(2*time.Second, ids)
		}
		if got := w.versions(ids); got != "222" {
			t.Errorf("in the end: %s, %+v", got, w.Rollout())
		}
	})
}

func TestRolloutSparesAStoppedNumber(t *testing.T) {
	upgraded(t, "", func(t *testing.T, w *world, ids []ID) {
		w.after(rolloutAfter, ids)
		w.ok(w.Stop(t.Context(), owner, ids[1]))
		w.after(time.Second, ids)
		w.worker(ids[2]).say(Report{Status: Connected, JID: "491:2@s.whatsapp.net"})
		w.worker(ids[0]).say(Report{Status: PairingPhone})
		if got := w.versions(ids); got != "22" || w.Rollout().Stopped != "" {
			t.Errorf("versions %s, %+v", got, w.Rollout())
		}
		w.ok(w.Start(t.Context(), owner, ids[1]))
		if got := w.versions(ids); got != "222" {
			t.Errorf("started again: %s", got)
		}
	})
}
