package instances

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"switchboard/fault"
)

// Open loads all instances and returns. Behind it, workers that run already are adopted,
// half-done creations and deletions are finished, and then the other numbers that should
// run are started, a few at a time.
func (s *Supervisor) Open(ctx context.Context) error {
	all, err := s.o.Store.Instances(ctx)
	if err != nil {
		return fmt.Errorf("load instances: %w", err)
	}
	s.mu.Lock()
	if s.state != unopened {
		s.mu.Unlock()
		return shuttingDown()
	}
	s.state = opened
	var looking sync.WaitGroup
	for _, inst := range all {
		r := newRunner(s, inst)
		r.restore()
		looking.Add(1)
		r.look(looking.Done)
		s.runners[inst.ID], s.known[inst.ID] = r, true
		go r.run()
	}
	s.mu.Unlock()
	go func() {
		looking.Wait()
		close(s.adopted)
	}()
	go s.rollOut()
	s.o.Log.Info("supervisor opened", "instances", len(all))
	return nil
}

// Close ends the supervision. Workers are stopped gracefully, all at once, and wished to
// run at the next Open; with detach they run on. It returns when that is done or ctx ends,
// which is a fault.Unavailable. Commands are refused from its beginning.
func (s *Supervisor) Close(ctx context.Context, detach bool) error {
	s.adding.Lock() // nobody is being added now
	s.mu.Lock()
	if s.state == opened {
		s.detach = detach
		close(s.closing)
	}
	s.state = closed
	waiting := make([]*runner, 0, len(s.runners))
	for _, r := range s.runners {
		waiting = append(waiting, r)
	}
	s.mu.Unlock()
	s.adding.Unlock()
	defer s.end()

	waiting = slices.DeleteFunc(waiting, func(r *runner) bool {
		select {
		case <-r.left:
			return true
		case <-ctx.Done():
			return false
		}
	})
	if n := len(waiting); n > 0 {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf("%d numbers could not be stopped in time; they may still run.", n), ctx.Err())
	}
	s.o.Log.Info("supervisor closed", "detached", detach)
	return nil
}
