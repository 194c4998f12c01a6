package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchboard/engine"
	"switchboard/instances"
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
	passes := func(err error) bool { return !errors.Is(err, lease.ErrLost) && passing(err) }
	err := engine.Again(limited, passes, do)
	if err != nil && (passes(err) || errors.Is(err, lease.ErrLost) || ctx.Err() != nil) {
		return fmt.Errorf("%w: %w", err, context.Canceled)
	}
	return err
}

// passing says that what failed is worth another try, since the cause lies outside and goes away.
func passing(err error) bool { return engine.Away(err) || engine.Full(err) || engine.Unwritable(err) }

// persist is the function of that name, and has the report say when the disk is full or takes no writes.
func (s *Session) persist(ctx context.Context, do func() error) error {
	return persist(ctx, func() error {
		err := do()
		switch {
		case err == nil:
			s.noteDisk("")
		case engine.Full(err):
			s.noteDisk(instances.StorageFull)
		case engine.Unwritable(err):
			s.noteDisk(instances.StorageReadOnly)
		}
		return err
	})
}

// noteDisk says what is wrong with the disk, as the latest attempt to store something found; "" for nothing.
func (s *Session) noteDisk(reason instances.Reason) {
	if s.disk.Load() == reason || s.disk.Swap(reason) == reason {
		return
	}
	if reason != "" {
		s.log.Error("nothing can be stored", "reason", reason)
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

// noteAway publishes what DatabaseAway and noteDisk were told.
func (k *keeper) noteAway() {
	away, disk := k.Session.away.Load(), k.Session.disk.Load().(instances.Reason)
	if k.away == away && k.disk == disk {
		return
	}
	k.away, k.disk = away, disk
	if k.online {
		k.sayConnected()
	}
}
