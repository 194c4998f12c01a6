// Package resources reads from the kernel what a process uses: processor time, memory and
// open files, and keeps a day of it for many processes.
//
// A reading is two small files in /proc and the list of a folder there, cheap enough for every
// number on a page.
package resources

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Usage is what a process uses.
type Usage struct {
	CPUPercent float64 // of one processor; a process with two busy threads uses 200
	RSSBytes   int64   // memory that is in RAM
	OwnBytes   int64   // … of which no file has a copy, as the program has: what a number's limit is about
	OpenFiles  int     // sockets among them; 0 if they cannot be counted
	Busy       time.Duration
}

const (
	// The kernel tells processor time to programs in hundredths of a second, whatever its
	// own tick is.
	tick = 10 * time.Millisecond
	// Between two samples closer than this, a tick more or less would look like a jump.
	shortest = time.Second
	// A sample nobody asks for is dropped after this.
	stale = 5 * time.Minute
)

// Meter measures processes. The zero value is ready for use, by several goroutines at once.
type Meter struct {
	mu      sync.Mutex
	samples map[int]sample
	swept   time.Time
}

type sample struct {
	started uint64 // in ticks since boot: tells a process from an earlier one with its pid
	busy    time.Duration
	at      time.Time
	percent float64
}

// Read measures the process with that pid. The processor's share is the mean since the
// sample before, which is at least a second old; the first time it is the mean of the
// process's whole life. A pid that no process has is an error.
func (m *Meter) Read(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	now := time.Now()
	busy, started, err := readStat(dir + "/stat")
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Busy: busy, OpenFiles: countFiles(dir + "/fd")}
	if u.RSSBytes, u.OwnBytes, err = readMemory(dir + "/statm"); err != nil {
		return Usage{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	last, known := m.samples[pid]
	if known = known && last.started == started; known && now.Sub(last.at) < shortest {
		u.CPUPercent = last.percent
		return u, nil
	}
	var spent, span time.Duration
	if known {
		spent, span = busy-last.busy, now.Sub(last.at)
	} else if spent, span, err = life(busy, started); err != nil {
		return Usage{}, err
	}
	u.CPUPercent = 100 * spent.Seconds() / max(span, tick).Seconds()
	m.samples[pid] = sample{started, busy, now, u.CPUPercent}
	return u, nil
}

func (m *Meter) sweep(now time.Time) {
	if m.samples == nil {
		m.samples = map[int]sample{}
	}
	if now.Sub(m.swept) < stale {
		return
	}
	m.swept = now
	for pid, s := range m.samples {
		if now.Sub(s.at) > stale {
			delete(m.samples, pid)
		}
	}
}

// life returns the processor time of a process and how long it has been running.
func life(busy time.Duration, started uint64) (spent, span time.Duration, err error) {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, 0, fmt.Errorf("read uptime: %w", err)
	}
	up, _, _ := strings.Cut(string(data), " ")
	seconds, err := strconv.ParseFloat(up, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("read uptime: %w", err)
	}
	return busy, time.Duration(seconds*float64(time.Second)) - time.Duration(started)*tick, nil
}

// readStat returns the processor time, own and system, and the start time in ticks.
func readStat(path string) (busy time.Duration, started uint64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, fmt.Errorf("read process: %w", err)
	}
	// The second field is the program's name in brackets, which may hold anything.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const state, utime, stime, starttime = 3, 14, 15, 22 // numbers as in proc(5)
	if len(fields) <= starttime-state {
		return 0, 0, fmt.Errorf("read process: %s is too short", path)
	}
	var n [3]uint64
	for i, field := range []int{utime, stime, starttime} {
		if n[i], err = strconv.ParseUint(string(fields[field-state]), 10, 64); err != nil {
			return 0, 0, fmt.Errorf("read process: %w", err)
		}
	}
	return time.Duration(n[0]+n[1]) * tick, n[2], nil
}

// readMemory returns what is in RAM, and how much of it no file has a copy of.
func readMemory(path string) (resident, own int64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	var size, pages, shared int64
	if _, err := fmt.Sscan(string(data), &size, &pages, &shared); err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	page := int64(os.Getpagesize())
	return pages * page, (pages - shared) * page, nil
}

func countFiles(path string) int {
	dir, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names)
}
