package resources

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestADayOfSamples(t *testing.T) {
	t.Parallel()
	var s series
	s.add(noon, 7, Usage{CPUPercent: 1, OwnBytes: 8 << 20, OpenFiles: 20})
	s.add(noon.Add(30*time.Second), 7, Usage{CPUPercent: 2, OwnBytes: 9 << 20, OpenFiles: 19})
	s.add(noon.Add(10*time.Minute), 0, Usage{}) // it has ended
	s.add(noon.Add(15*time.Minute), 8, Usage{CPUPercent: 250, OwnBytes: 1 << 40, OpenFiles: 1 << 20})
	m := Sampler{of: map[string]*series{"a": &s}}
	points := m.Day("a")
	if len(points) != Points {
		t.Fatalf("%d points", len(points))
	}
	last := points[Points-4:]
	if p := last[0]; !p.Ran || p.CPUPercent != 1.5 || p.OwnBytes != 9<<20 || p.OpenFiles != 20 {
		t.Errorf("the first five minutes are %+v", p)
	}
	if last[1].Ran || last[2].Ran {
		t.Errorf("while nobody looked, and while nothing ran, there is %+v", last[1:3])
	}
	if p := last[3]; !p.Ran || p.CPUPercent != 250 || p.OwnBytes != math.MaxUint16*memoryUnit || p.OpenFiles != math.MaxUint16 {
		t.Errorf("the most that can be told is %+v", p)
	}
	s.add(noon.Add(25*time.Hour), 8, Usage{OwnBytes: 1})
	ran := 0
	for _, p := range m.Day("a") {
		if p.Ran {
			ran++
		}
	}
	if ran != 1 || !m.Day("a")[Points-1].Ran {
		t.Errorf("a day later %d points are left", ran)
	}
	s.add(noon, 8, Usage{OwnBytes: 1 << 20}) // the clock is put back
	if p := m.Day("a")[Points-1]; p.OwnBytes != 1<<20 {
		t.Errorf("%+v", p)
	}
}

func TestSampleOfProcesses(t *testing.T) {
	t.Parallel()
	var s Sampler
	own := os.Getpid()
	fresh, ok := s.Of("new", own)
	// The kernel counts processor time in ticks: a process that only began has used none.
	for began := time.Now(); ok && fresh.Busy == 0 && time.Since(began) < time.Minute; {
		fresh, ok = s.Of("new", own)
	}
	if !ok || fresh.RSSBytes <= 0 || fresh.OwnBytes <= 0 || fresh.OwnBytes > fresh.RSSBytes || fresh.OpenFiles < 3 || fresh.Busy <= 0 {
		t.Errorf("one that was never sampled uses %+v, %v", fresh, ok)
	}
	s.sample(time.Now(), map[string]int{"self": own, "none": 0, "ended": 1 << 30})
	if u, ok := s.Of("self", own); !ok || u.RSSBytes <= 0 || !s.Day("self")[Points-1].Ran {
		t.Errorf("%+v, %v", u, ok)
	}
	for _, name := range []string{"none", "ended", "unknown"} {
		if _, ok := s.Of(name, 0); ok || s.Day(name)[Points-1].Ran {
			t.Errorf("%s uses something", name)
		}
	}
	s.sample(time.Now(), map[string]int{"none": 0})
	if s.Day("self")[Points-1].Ran {
		t.Error("a number that is gone is remembered")
	}
}

func TestTheDayOutlivesTheSampler(t *testing.T) {
	t.Parallel()
	var first, second Sampler
	path := filepath.Join(t.TempDir(), "usage")
	if err := second.Load(path); err != nil {
		t.Errorf("no file: %v", err)
	}
	now := time.Now()
	first.sample(now, map[string]int{"self": os.Getpid()})
	if err := first.Save(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := second.Load(path); err != nil {
		t.Fatal(err)
	}
	second.sample(now.Add(step), map[string]int{"self": os.Getpid()})
	if points := second.Day("self"); !points[Points-2].Ran || points[Points-2] != first.Day("self")[Points-1] {
		t.Errorf("before it was %+v, now %+v", first.Day("self")[Points-1], points[Points-2])
	}
	if err := os.WriteFile(path, []byte("not what was saved"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := second.Load(path); err == nil {
		t.Error("rubbish was loaded")
	}
}
