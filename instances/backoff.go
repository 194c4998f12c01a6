package instances

import (
	"math/rand/v2"
	"time"
)

const (
	firstRetry = 300 * time.Millisecond
	maxRetry   = 5 * time.Minute
	// A worker that ran for so long was well: its next end is the first one again.
	stableAfter = time.Minute
	// So many ends in a row without a stable time between them are a crash loop.
	crashBudget = 10
)

// delay returns how long to wait before the next try after so many ends in a row: twice as
// long each time, half of it at random, so that numbers that fell together do not rise
// together.
func delay(ends int) time.Duration {
	d := maxRetry
	if shift := ends - 1; shift < 16 {
		d = min(firstRetry<<shift, maxRetry)
	}
	return d/2 + rand.N(d/2)
}

// patient reports whether trying on is right however often it fails: the cause lies
// outside and goes away without anybody touching the number.
func patient(r Reason) bool { return r == DatabaseRefused || r == DiskLimit || r == StorageFull }

// givenUp is the reason of a number that ended too often for reason r: a crash loop when
// its workers had begun to run.
func givenUp(r Reason) Reason {
	switch r {
	case WorkerCrashed, WorkerKilled, WorkerSilent:
		return CrashLoop
	}
	return r // it says more than that it happened often
}
