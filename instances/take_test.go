package instances

import (
	"testing"

	"switchboard/fault"
)

// A number that was restored beside the supervisor is looked after like any other.
func TestTake(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.number("A", Connected)
		const b, c = ID("b_20240101120000"), ID("c_20240101120000")
		w.set(func() {
			w.records = append(w.records,
				Instance{ID: b, Name: "B", Owner: 1, Port: 3051, Desired: Running, Status: Idle, JID: "491:2@s.whatsapp.net"},
				Instance{ID: c, Name: "C", Owner: 1, Port: 3052, Desired: Stopped, Status: Idle})
		})
		w.ok(w.Take(t.Context(), b))
		w.ok(w.Take(t.Context(), c))
		w.want(b, Starting, "")
		w.want(c, Idle, "")
		if !w.runs(b) || w.runs(c) {
			t.Errorf("b runs: %v, c runs: %v", w.runs(b), w.runs(c))
		}
		if n := len(w.List(owner)); n != 3 {
			t.Errorf("%d numbers", n)
		}
		w.ok(w.Stop(t.Context(), owner, b))
		w.want(b, Idle, "")
		if err := w.Take(t.Context(), a); fault.KindOf(err) != fault.Conflict {
			t.Errorf("twice: %v", err)
		}
		if err := w.Take(t.Context(), "unknown"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("unknown: %v", err)
		}
	})
}
