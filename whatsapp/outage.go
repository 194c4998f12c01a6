package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"switchboard/engine"
	"switchboard/lease"
)

// While the database server is away, whatever is about a message waits here instead of
// failing: WhatsApp delivers again what was not acknowledged only on a new connection, and
// an outage shorter than this costs none. whatsmeow goes on to the next message after five
// minutes.
const outage = 4 * time.Minute

// persist runs do, and runs it again while it fails because the database server is away. do
// is all or nothing. It gives up when the outage lasts too long, when another worker has taken
// the number and when ctx ends; the error then wraps context.Canceled, at which whatsmeow
// acknowledges nothing.
func persist(ctx context.Context, do func() error) error {
	limited, cancel := context.WithTimeout(ctx, outage)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := do()
		if errors.Is(err, lease.ErrLost) {
			return fmt.Errorf("%w: %w", err, context.Canceled)
		}
		if err == nil || !engine.Away(err) && ctx.Err() == nil {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-limited.Done():
			return fmt.Errorf("%w: %w", err, context.Canceled)
		}
	}
}

// DatabaseAway says whether the database server is away. While it is, a connected number
// says so. It never blocks.
func (s *Session) DatabaseAway(away bool) {
	if s.away.Swap(away) == away {
		return
	}
	select {
	case s.inbox <- func(*keeper) {}: // to wake the keeper
	default: // it is awake
	}
}

// noteAway publishes what DatabaseAway was told.
func (k *keeper) noteAway() {
	away := k.Session.away.Load()
	if k.away == away {
		return
	}
	k.away = away
	if k.online {
		k.sayConnected()
	}
}
