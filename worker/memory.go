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
	trimAfter = 2 << 20 // so many bytes allocated since the last time make it worth its while
)

// trim gives memory that is no longer used back to the system, soon after the start and from
// then on once a minute, until ctx ends. A collection takes a few milliseconds; a worker that
// allocates next to nothing is left alone. In the first quiet minute after a busy one, forget
// drops what is kept only in case that it is soon needed. What C has freed, SQLite mostly, is
// given back every time: connections to a database close a minute after their last use, when
// Go has long become quiet, and finding nothing to give back takes microseconds.
func trim(ctx context.Context, forget func()) {
	timer := time.NewTimer(trimSoon)
	defer timer.Stop()
	busy := false
	for last := uint64(0); ; timer.Reset(trimEvery) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		was, now := busy, allocated()
		if busy = now-last >= trimAfter; busy || was {
			if !busy {
				forget()
			}
			debug.FreeOSMemory()
			last = now
		}
		C.give_back()
	}
}

// allocated is the number of bytes that Go has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
