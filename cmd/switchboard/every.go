package main

import (
	"context"
	"sync"
	"time"
)

// every calls do after a first while and then once in each interval, until end is called, which
// waits for it.
func every(first, interval time.Duration, do func(ctx context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		next := time.NewTimer(first)
		defer next.Stop()
		for {
			select {
			case <-next.C:
			case <-ctx.Done():
				return
			}
			do(ctx)
			next.Reset(interval)
		}
	})
	return func() {
		cancel()
		working.Wait()
	}
}
