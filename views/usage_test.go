package views

import (
	"strings"
	"testing"

	"switchboard/resources"
)

func TestGauges(t *testing.T) {
	t.Parallel()
	day := make([]resources.Point, resources.Points)
	used := func(at int, cpu float64, own int64, files int) {
		day[at] = resources.Point{Ran: true, Usage: resources.Usage{CPUPercent: cpu, OwnBytes: own, OpenFiles: files}}
	}
	used(10, 50, 8<<20, 20)
	used(11, 25, 16<<20, 40)
	used(200, 0, 4<<20, 10)
	now := resources.Usage{CPUPercent: 0.42, OwnBytes: 6 << 20, OpenFiles: 21}
	gauges := Gauges(now, true, day)
	for i, want := range []Gauge{
		{"cpu", "Processor", "0.4 %", "50 %", "M10 1.0h.5L11 20.0M200 39.0h.5"},
		{"memory", "Memory", "6.0 MiB", "16 MiB", "M10 20.0h.5L11 1.0M200 29.5h.5"},
		{"files", "Files and connections", "21", "40", "M10 20.0h.5L11 1.0M200 29.5h.5"},
	} {
		if gauges[i] != want {
			t.Errorf("got %+v, want %+v", gauges[i], want)
		}
	}
	if said := gauges[1].said(); said != "Memory over the last 24 hours: at most 16 MiB, now 6.0 MiB." {
		t.Error(said)
	}
	stopped := Gauges(resources.Usage{}, false, day)
	if g := stopped[1]; g.Now != "" || g.Most != "16 MiB" || strings.Contains(g.said(), "now") {
		t.Errorf("a number that is stopped: %+v", g)
	}
	fresh := Gauges(now, true, make([]resources.Point, resources.Points))
	if g := fresh[0]; g.Now != "0.4 %" || g.Most != "" || g.line != "" {
		t.Errorf("a number that was never sampled: %+v", g)
	}
	idle := make([]resources.Point, resources.Points)
	idle[3] = resources.Point{Ran: true}
	if g := Gauges(resources.Usage{}, true, idle)[0]; g.line != "M3 39.0h.5" {
		t.Errorf("nothing used is drawn as %q", g.line)
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"": Totals(0, resources.Usage{}),
		"1 process running, with 6.0 MiB of memory and 0 % of a processor.":         Totals(1, resources.Usage{OwnBytes: 6 << 20}),
		"1000 processes running, with 14.6 GiB of memory and 120 % of a processor.": Totals(1000, resources.Usage{OwnBytes: 15_000 << 20, CPUPercent: 120.4}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
