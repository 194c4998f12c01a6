package worker

/*
#include <stddef.h>

// glibc has it; other C libraries, which give memory back by themselves, do without.
int malloc_trim(size_t) __attribute__((weak));

static void give_back(void) {
	if (malloc_trim) malloc_trim(0);
}
*/
import "C"

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A thousand workers share a machine, and most of them are quiet most of the time: what a
// busy moment took is given back soon after it.
const (
	trimSoon  = 5 * time.Second // after the start
	trimEvery = time.Minute
	trimAfter = 2 << 20   // so many bytes allocated since the last time make it worth its while
	trimQuiet = 256 << 10 // so many do when it is quiet: fewer than these came in a minute
)

// trim gives memory that is no longer used back to the system, soon after the start and from
// then on once a minute, until ctx ends. A collection takes a few milliseconds; a worker that
// allocates next to nothing is left alone. In the first quiet minute after others, forget
// drops what is kept only in case that it is soon needed. What C has freed, SQLite mostly, is
// given back every time: connections to a database close a minute after their last use, when
// Go has long become quiet, and finding nothing to give back takes microseconds.
func trim(ctx context.Context, forget func()) {
	timer := time.NewTimer(trimSoon)
	defer timer.Stop()
	for u := (usage{}); ; timer.Reset(trimEvery) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		due, quiet := u.minute(allocated())
		if due && quiet {
			forget()
		}
		if due {
			debug.FreeOSMemory()
		}
		C.give_back()
	}
}

// usage is how many bytes had been allocated at certain times.
type usage struct {
	before  uint64 // a minute ago
	given   uint64 // when memory was given back
	settled uint64 // when that was in a quiet minute
}

// minute notes how many bytes have been allocated by now. It says whether memory is to be
// given back, and whether the minute was a quiet one.
func (u *usage) minute(now uint64) (due, quiet bool) {
	quiet = now-u.before < trimQuiet
	u.before = now
	if quiet {
		due = now-u.settled >= trimQuiet
	} else {
		due = now-u.given >= trimAfter
	}
	if due {
		u.given = now
	}
	if due && quiet {
		u.settled = now
	}
	return due, quiet
}

// allocated is the number of bytes that Go has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
