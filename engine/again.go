package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pauses between two attempts.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

// Again does something, which is all or nothing, and does it again while its error is one that
// passes, as those of Away do. It returns the last error, which is one that passes if ctx has
// ended meanwhile.
func Again(ctx context.Context, passes func(error) bool, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := do()
		if err == nil || !passes(err) {
			return err
		}
		// Spread, lest all who wait come back at once.
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
	}
}
