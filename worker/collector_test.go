package worker

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func percent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// A worker that has much to do collects less often, and as often as before when it is over.
func TestCollectorHeedsHowBusyItIs(t *testing.T) {
	before := debug.SetGCPercent(strictPercent)
	defer debug.SetGCPercent(before)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	(&collector{ctx: ctx, term: time.Millisecond, last: time.Now()}).watch()
	deadline := time.Now().Add(time.Minute)
	await := func(want uint64, do func()) {
		for percent() != want {
			if time.Now().After(deadline) {
				t.Fatalf("GOGC stays %d instead of %d", percent(), want)
			}
			do()
		}
	}
	await(relaxedPercent, func() { garbage = make([]byte, 1<<16) })
	await(strictPercent, func() { <-time.After(time.Millisecond) }) // nothing tells
}

var garbage []byte // or the compiler would leave it on the stack
