package instances

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

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
		if r.booting = inst.Desired == Running && !r.held && !r.removing; r.booting {
			s.boot.Total++
		}
		looking.Add(1)
		r.look(looking.Done)
		s.runners[inst.ID], s.known[inst.ID] = r, true
		go r.run()
	}
	s.mu.Unlock()
	go func() {
		looking.Wait()
		close(s.adopted)
		time.AfterFunc(lineUp, func() { s.starts.open(startsPerCore * runtime.GOMAXPROCS(0)) })
	}()
	go s.rollOut()
	s.o.Log.Info("supervisor opened", "instances", len(all))
	return nil
}

// Boot tells how far the start of the numbers is that were to run when the supervisor was
// opened.
type Boot struct{ Total, Done int }

// Active reports whether numbers are still being started.
func (b Boot) Active() bool { return b.Done < b.Total }

// Boot returns how far the start is.
func (s *Supervisor) Boot() Boot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.boot
}

// booted counts a number whose start has come to something, whatever it is.
func (r *runner) booted() {
	switch r.inst.Status {
	case Starting, Provisioning, Idle:
		if r.inst.Desired == Running && !r.removing && !r.over() {
			return
		}
	}
	r.booting = false
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.boot.Done++
	if r.s.boot.Done == r.s.boot.Total {
		r.s.o.Log.Info("all numbers have started", "count", r.s.boot.Total)
	}
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
