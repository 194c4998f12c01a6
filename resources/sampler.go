package resources

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	every = 30 * time.Second // between two samples
	step  = 5 * time.Minute  // that one point of a day is about
	// Points of a day.
	Points = int(24 * time.Hour / step)
)

// Sampler measures processes again and again and keeps a day of it, under two kB for each. A
// process is known by a name that outlives it, so that the day goes on with the next one. The
// zero value is ready for use, by several goroutines at once.
type Sampler struct {
	meter Meter

	mu sync.Mutex
	of map[string]*series
}

// series is what is known of one name.
type series struct {
	pid   int
	last  Usage
	day   ring
	count int     // samples of the present point
	sum   float64 // … and their processor's share
}

// ring holds the points of a day, each at its place in the day. Its members are exported for
// the file it is kept in.
type ring struct {
	Newest int64 // number of the newest point, counted in steps since 1970
	CPU    [Points]uint16
	Memory [Points]uint16 // 0: nothing was running
	Files  [Points]uint16
}

// What one unit of a ring stands for.
const (
	cpuUnit    = 0.1      // percent
	memoryUnit = 64 << 10 // bytes
)

// Point is what a process used in five minutes: the mean share of the processor, and the most
// memory and open files.
type Point struct {
	Ran bool
	Usage
}

// Run samples what running returns, process ids by name, until ctx ends. What running leaves
// out is forgotten; 0 stands for no process.
func (s *Sampler) Run(ctx context.Context, running func() map[string]int) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for now := time.Now(); ; {
		s.sample(now, running())
		select {
		case now = <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Sampler) sample(now time.Time, running map[string]int) {
	for name, pid := range running {
		var u Usage
		if pid != 0 {
			var err error
			if u, err = s.meter.Read(pid); err != nil {
				pid = 0 // it has ended
			}
		}
		s.mu.Lock()
		if s.of == nil {
			s.of = map[string]*series{}
		}
		if s.of[name] == nil {
			s.of[name] = &series{}
		}
		s.of[name].add(now, pid, u)
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.of {
		if _, known := running[name]; !known {
			delete(s.of, name)
		}
	}
}

func (s *series) add(now time.Time, pid int, u Usage) {
	s.pid, s.last = pid, u
	if s.day.advance(now) {
		s.count, s.sum = 0, 0
	}
	if pid == 0 {
		return
	}
	s.count++
	s.sum += u.CPUPercent
	at := s.day.Newest % int64(Points)
	s.day.CPU[at] = units(s.sum/float64(s.count), cpuUnit)
	s.day.Memory[at] = max(1, s.day.Memory[at], units(float64(u.OwnBytes), memoryUnit))
	s.day.Files[at] = max(s.day.Files[at], units(float64(u.OpenFiles), 1))
}

// advance moves on to the point of now, and says whether that is another one.
func (r *ring) advance(now time.Time) bool {
	n := now.Unix() / int64(step/time.Second)
	if n <= r.Newest { // a clock that was put back
		return false
	}
	for i := max(r.Newest+1, n-int64(Points)+1); i <= n; i++ {
		at := i % int64(Points)
		r.CPU[at], r.Memory[at], r.Files[at] = 0, 0, 0
	}
	r.Newest = n
	return true
}

func units(value, unit float64) uint16 { return uint16(min(math.Round(value/unit), math.MaxUint16)) }

// Of returns what the process of that name used when it was last looked at, at most half a
// minute ago. One that was never looked at, since it is new, is measured now.
func (s *Sampler) Of(name string, pid int) (Usage, bool) {
	if pid == 0 {
		return Usage{}, false
	}
	s.mu.Lock()
	known := s.of[name]
	if known != nil && known.pid == pid {
		defer s.mu.Unlock()
		return known.last, true
	}
	s.mu.Unlock()
	u, err := s.meter.Read(pid)
	return u, err == nil
}

// Day returns the points of the last 24 hours, the oldest first.
func (s *Sampler) Day(name string) []Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	points := make([]Point, Points)
	known := s.of[name]
	if known == nil {
		return points
	}
	r := &known.day
	for i := range points {
		at := (r.Newest + 1 + int64(i)) % int64(Points)
		points[i] = Point{Ran: r.Memory[at] > 0, Usage: Usage{
			CPUPercent: float64(r.CPU[at]) * cpuUnit, OwnBytes: int64(r.Memory[at]) * memoryUnit, OpenFiles: int(r.Files[at]),
		}}
	}
	return points
}

// Save writes the days of all names into a file, whole or not at all.
func (s *Sampler) Save(path string) error {
	s.mu.Lock()
	days := make(map[string]ring, len(s.of))
	for name, known := range s.of {
		days[name] = known.day
	}
	s.mu.Unlock()
	draft, err := os.CreateTemp(filepath.Dir(path), ".usage-*") // mode 0600
	if err != nil {
		return fmt.Errorf("save usage: %w", err)
	}
	defer os.Remove(draft.Name())
	if err := errors.Join(gob.NewEncoder(draft).Encode(days), draft.Close()); err != nil {
		return fmt.Errorf("save usage: %w", err)
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return fmt.Errorf("save usage: %w", err)
	}
	return nil
}

// Load goes on with the days of a file that Save wrote; no file is no error.
func (s *Sampler) Load(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load usage: %w", err)
	}
	defer file.Close()
	var days map[string]ring
	if err := gob.NewDecoder(file).Decode(&days); err != nil {
		return fmt.Errorf("load usage: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of = make(map[string]*series, len(days))
	for name, day := range days {
		s.of[name] = &series{day: day}
	}
	return nil
}
