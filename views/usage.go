package views

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"switchboard/resources"
)

// Gauge is one thing that a number uses, now and over the last day.
type Gauge struct {
	ID, Label string
	Now, Most string
	line      string // of the chart, in a box of chartWidth by chartHeight
}

// Of a chart: one unit across for each five minutes.
const (
	chartWidth  = resources.Points
	chartHeight = 40
)

// Gauges says what a number uses. Without a process there is no now.
func Gauges(now resources.Usage, runs bool, day []resources.Point) []Gauge {
	gauges := []Gauge{
		gauge("cpu", "Processor", day, now, percent, func(u resources.Usage) float64 { return u.CPUPercent }),
		gauge("memory", "Memory", day, now, func(v float64) string { return amount(int64(v)) }, func(u resources.Usage) float64 { return float64(u.OwnBytes) }),
		gauge("files", "Files and connections", day, now, func(v float64) string { return strconv.Itoa(int(v)) }, func(u resources.Usage) float64 { return float64(u.OpenFiles) }),
	}
	if !runs {
		for i := range gauges {
			gauges[i].Now = ""
		}
	}
	return gauges
}

func gauge(id, label string, day []resources.Point, now resources.Usage, say func(float64) string, of func(resources.Usage) float64) Gauge {
	most := of(now)
	ran := false
	for _, p := range day {
		if p.Ran {
			ran = true
			most = max(most, of(p.Usage))
		}
	}
	g := Gauge{ID: id, Label: label, Now: say(of(now))}
	if !ran {
		return g
	}
	g.Most = say(most)
	var line strings.Builder
	gap := true
	for x, p := range day {
		if !p.Ran {
			gap = true
			continue
		}
		y := chartHeight - 1 - (chartHeight-2)*of(p.Usage)/max(most, math.SmallestNonzeroFloat64)
		if gap { // a point by itself is seen, too
			fmt.Fprintf(&line, "M%d %.1fh.5", x, y)
		} else {
			fmt.Fprintf(&line, "L%d %.1f", x, y)
		}
		gap = false
	}
	g.line = line.String()
	return g
}

// said is what the chart shows, for those who do not see it.
func (g Gauge) said() string {
	text := g.Label + " over the last 24 hours: at most " + g.Most
	if g.Now != "" {
		text += ", now " + g.Now
	}
	return text + "."
}

func percent(v float64) string {
	switch {
	case v < 0.05:
		return "0 %"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + " %"
}

// amount says bytes as people do.
func amount(n int64) string {
	switch {
	case n < 10<<20:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	case n < 10<<30:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return strconv.FormatFloat(float64(n)/(1<<30), 'f', 1, 64) + " GiB"
}

// Totals says what all numbers together use, "" if none runs.
func Totals(running int, all resources.Usage) string {
	if running == 0 {
		return ""
	}
	return fmt.Sprintf("%s running, with %s of memory and %s of a processor.", processes(running), amount(all.OwnBytes), percent(all.CPUPercent))
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return strconv.Itoa(n) + " processes"
}
