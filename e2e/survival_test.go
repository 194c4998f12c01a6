package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestPanelKilled kills the panel under fifty connected numbers, and starts it again: it
// adopts them all, and WhatsApp notices nothing.
func TestPanelKilled(t *testing.T) {
	count := 50
	if testing.Short() {
		count = 10
	}
	f := startFleet(t, count, 26000)
	lines, logins := f.lines(), f.logins()
	began := f.killed()
	f.connected()
	took := time.Since(began)
	t.Logf("%d numbers adopted %s after the start of the panel, %d reconnects", count, took.Round(time.Millisecond), f.logins()-logins)
	f.undisturbed(lines)
	if n := f.logins() - logins; n != 0 {
		t.Errorf("%d numbers have logged in again", n)
	}
}

// killed kills the panel and starts it again. It returns when the new process listens, with
// the time at which that was started.
func (f *fleet) killed(flags ...string) time.Time {
	f.t.Helper()
	if err := f.cmd.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	f.wait()
	began := time.Now()
	f.restart(f.panel.t, flags...)
	return began
}

// BenchmarkAdopt measures how long a panel that was killed under fifty connected numbers
// takes, from the start of its next process until it shows all of them as connected.
func BenchmarkAdopt(b *testing.B) {
	f := startFleet(b, 50, 26200)
	logins := f.logins()
	var longest time.Duration
	for b.Loop() {
		began := f.killed()
		f.connected()
		longest = max(longest, time.Since(began))
	}
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/adoption")
	b.ReportMetric(float64(f.logins()-logins), "reconnects")
	b.ReportMetric(0, "ns/op") // milliseconds say it better
}

// BenchmarkKilledWorker measures how long a number whose worker is killed takes until its
// next worker has logged in to the network.
func BenchmarkKilledWorker(b *testing.B) {
	f := startFleet(b, 5, 26300)
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		i := n % len(f.numbers)
		id, number := f.numbers[i].ID, f.phones[i].number
		f.connected()
		old, line := f.api.get(id).PID, f.lines()[number]
		began := time.Now()
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		poll(b, "it is connected again", func() bool {
			is := f.lines()[number]
			return is != 0 && is != line && f.api.get(id).Status == "connected"
		}, nil)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-median")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-longest")
	b.ReportMetric(0, "ns/op") // milliseconds say it better
}
