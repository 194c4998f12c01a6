package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchboard/engine"
	"switchboard/lease"
)

// While the database server is away or the disk is full, whatever is about a message waits
// here instead of failing: WhatsApp delivers again what was not acknowledged only on a new connection, and
// an outage shorter than this costs none. whatsmeow goes on to the next message after five
// minutes.
const outage = 4 * time.Minute

// persist runs do, and runs it again while it fails because the database server is away or
// the disk is full. do is all or nothing. It gives up when the outage lasts too long, when another worker has taken
// the number and when ctx ends; the error then wraps context.Canceled, at which whatsmeow
// acknowledges nothing.
func persist(ctx context.Context, do func() error) error {
	limited, cancel := context.WithTimeout(ctx, outage)
	defer cancel()
	passes := func(err error) bool { return !errors.Is(err, lease.ErrLost) && (engine.Away(err) || engine.Full(err)) }
	err := engine.Again(limited, passes, do)
	if err != nil && (passes(err) || errors.Is(err, lease.ErrLost) || ctx.Err() != nil) {
		return fmt.Errorf("%w: %w", err, context.Canceled)
	}
	return err
}

// persist is the function of that name, and has the report say when the disk is full.
func (s *Session) persist(ctx context.Context, do func() error) error {
	return persist(ctx, func() error {
		err := do()
		if err == nil || engine.Full(err) {
			s.noteFull(err != nil)
		}
		return err
	})
}

// noteFull says whether the disk is full, as the latest attempt to store something found.
func (s *Session) noteFull(full bool) {
	if s.full.Load() == full || s.full.Swap(full) == full {
		return
	}
	if full {
		s.log.Error("the disk is full")
	}
	s.wake()
}

// DatabaseAway says whether the database server is away. While it is, a connected number
// says so. It never blocks.
func (s *Session) DatabaseAway(away bool) {
	if s.away.Swap(away) == away {
		return
	}
	s.wake()
}

// wake has the keeper look around.
func (s *Session) wake() {
	select {
	case s.inbox <- func(*keeper) {}:
	default: // it is awake
	}
}

// noteAway publishes what DatabaseAway and noteFull were told.
func (k *keeper) noteAway() {
	away, full := k.Session.away.Load(), k.Session.full.Load()
	if k.away == away && k.full == full {
		return
	}
	k.away, k.full = away, full
	if k.online {
		k.sayConnected()
	}
}
