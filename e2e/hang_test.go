package e2e

import (
	"syscall"
	"testing"
	"time"

	"switchboard/whatsapp/simulator/web"
)

// TestHangs silences the line of one number, whose socket stays open, and stops the process
// of another, which goes on to exist. Neither shows itself by an error: both have to be
// found out by what does not come. A third number notices nothing.
func TestHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("finding out takes three quarters of a minute")
	}
	t.Parallel()
	f := startFleet(t, 3, 26500)
	lines := f.lines()
	silenced, stopped, well := f.numbers[0], f.numbers[1], f.numbers[2]

	began := time.Now()
	struck, err := f.network.control.Silence(within(t, patience), web.Target{Number: f.phones[0].number}, true)
	f.network.must(err)
	if struck != 1 {
		t.Fatalf("%d lines were silenced", struck)
	}
	if err := syscall.Kill(stopped.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	noticed := func(what string, is func() bool) {
		t.Helper()
		pollFor(t, 2*patience, what, is, nil)
		t.Logf("%s: after %s", what, time.Since(began).Round(time.Second))
	}
	noticed("the stopped process is replaced", func() bool {
		now := f.api.get(stopped.ID)
		return now.PID != 0 && now.PID != stopped.PID
	})
	noticed("the silent line is given up", func() bool { return f.lines()[f.phones[0].number] != lines[f.phones[0].number] })
	f.connected()
	now := f.now()
	if is := now[silenced.ID]; is.PID != silenced.PID || is.Restarts != 0 {
		t.Errorf("for a silent line the process was replaced: %+v", is)
	}
	if is := now[stopped.ID]; is.Restarts != 1 {
		t.Errorf("the stopped number is %+v", is)
	}
	if is := now[well.ID]; is.PID != well.PID || is.Restarts != 0 || f.lines()[f.phones[2].number] != lines[f.phones[2].number] {
		t.Errorf("the third number is %+v", is)
	}
}
