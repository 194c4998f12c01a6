package instances

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// After a start of the machine, the numbers that were active last are started first, a few at
// a time and never two at once, and the supervisor tells how far it is.
func TestBoot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const count = 40
		w := newWorld(t)
		w.open()
		want := map[ID]int{} // place in the order
		for i := range count {
			id := w.number(fmt.Sprintf("N %d", i), Connected)
			place := (i*7 + 3) % count
			w.worker(id).say(Report{Status: Connected, JID: "491:2@s.whatsapp.net", ActiveAt: time.Now().Add(-time.Duration(place) * time.Hour)})
			want[id] = place
		}
		stopped := w.number("Stopped", Connected)
		w.ok(w.Stop(t.Context(), owner, stopped))
		w.close(false)

		w.set(func() { w.started = nil })
		w.open()
		if b := w.Boot(); b.Total != count || b.Done != 0 || !b.Active() {
			t.Errorf("at first: %+v", b)
		}
		for done, tries := 0, 0; done < count && tries < 200; tries++ {
			time.Sleep(maxSpacing)
			synctest.Wait()
			for _, s := range w.startedNow()[done:] {
				w.worker(s.id).say(Report{Status: Connected})
				done++
			}
			if b := w.Boot(); b.Done != done {
				t.Fatalf("%d have started: %+v", done, b)
			}
		}
		if w.Boot().Active() {
			t.Errorf("in the end: %+v", w.Boot())
		}
		for i, s := range w.startedNow() {
			if want[s.id] != i {
				t.Errorf("start %d is of the number that should be start %d", i, want[s.id])
			}
			if i > 0 && s.at.Sub(w.startedNow()[i-1].at) < minSpacing {
				t.Errorf("start %d comes %s after the one before", i, s.at.Sub(w.startedNow()[i-1].at))
			}
		}
		w.close(false)
	})
}

// Adopted numbers do not wait, and are not counted as starting for longer than they are.
func TestBootAroundRunningWorkers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		w.close(true)
		w.open()
		w.want(id, Connected, "")
		if b := w.Boot(); b != (Boot{Total: 1, Done: 1}) {
			t.Errorf("%+v", b)
		}
	})
}

func TestLineLosesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l line
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.wait(gone, time.Time{}); err == nil {
			t.Error("it is nobody's turn yet")
		}
		l.open(1)
		for range 10 { // whether its turn or the end comes first
			if leave, err := l.wait(gone, time.Time{}); err == nil {
				leave()
			}
		}
		leave, err := l.wait(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		patience, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := l.wait(patience, time.Time{}); err == nil {
			t.Error("there are two places")
		}
		leave()
	})
}

// The record is not written for every message.
func TestActivityIsSavedSeldom(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.number("A", Connected)
		f := w.worker(id)
		first := time.Now().Truncate(activeEvery)
		w.set(func() { w.saves = 0 })
		for i := range 100 {
			f.say(Report{Status: Connected, JID: "491:2@s.whatsapp.net", ActiveAt: first.Add(time.Duration(i) * time.Second)})
		}
		f.say(Report{Status: Connected, JID: "491:2@s.whatsapp.net"})
		if at := w.get(id).ActiveAt; !at.Equal(first.Add(99 * time.Second)) {
			t.Errorf("active at %s", at)
		}
		w.set(func() {
			if w.saves != 1 {
				t.Errorf("%d writes", w.saves)
			}
		})
	})
}
