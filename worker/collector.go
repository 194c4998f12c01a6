package worker

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A worker starts with garbage of at most a quarter of what is in use. While it has much to do
// that would have it collect after every tenth message, for a sixth of all it computes. So a busy
// worker lets as much gather as it has in use, and becomes strict again soon after.
const (
	strictPercent  = 25 // GOGC in the environment of a worker
	relaxedPercent = 100
	closeTogether  = time.Second / 2 // collections that come faster have a busy worker to do
	relaxedTime    = 5 * time.Second // after which it is looked whether it still is one
	relaxedBytes   = 5 << 20         // as much as it allocates in that time, at least
)

// collector chooses how much garbage may gather. It costs nothing while nothing is collected.
type collector struct {
	ctx  context.Context
	term time.Duration // relaxedTime

	mu      sync.Mutex
	last    time.Time // of a collection
	relaxed bool
}

// adaptCollector has how much garbage may gather depend on how busy the worker is, until ctx
// ends.
func adaptCollector(ctx context.Context) {
	(&collector{ctx: ctx, term: relaxedTime, last: time.Now()}).watch()
}

// watch has the next collection noted.
func (c *collector) watch() {
	runtime.AddCleanup(new([16]byte), func(c *collector) { c.collected() }, c)
}

// collected notes a collection.
func (c *collector) collected() {
	if c.ctx.Err() != nil {
		return
	}
	c.watch()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	busy := now.Sub(c.last) < closeTogether
	c.last = now
	if busy && !c.relaxed {
		c.relaxed = true
		debug.SetGCPercent(relaxedPercent)
		c.look(allocated())
	}
}

// look looks in a while whether the worker has allocated much since.
func (c *collector) look(before uint64) {
	time.AfterFunc(c.term, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if now := allocated(); now-before >= relaxedBytes && c.ctx.Err() == nil {
			c.look(now)
			return
		}
		c.relaxed = false
		debug.SetGCPercent(strictPercent)
		debug.FreeOSMemory()
	})
}
