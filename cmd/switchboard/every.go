package main

import (
	"context"
	"sync"
	"time"
)

// every calls do now and then once in each interval, until end is called, which waits for it.
func every(interval time.Duration, do func(ctx context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			do(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		working.Wait()
	}
}
