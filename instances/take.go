package instances

import (
	"context"
	"fmt"
	"slices"

	"switchboard/fault"
)

// Take takes charge of a number whose record and databases somebody else has made since Open,
// in the way that Open would. One that it has charge of already is a fault.Conflict.
func (s *Supervisor) Take(ctx context.Context, id ID) error {
	s.adding.Lock()
	defer s.adding.Unlock()
	all, err := s.o.Store.Instances(ctx)
	if err != nil {
		return fmt.Errorf("load instances: %w", err)
	}
	i := slices.IndexFunc(all, func(inst Instance) bool { return inst.ID == id })
	if i < 0 {
		return unknown()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != opened:
		return shuttingDown() // the next Open finds it
	case s.runners[id] != nil:
		return fault.New(fault.Conflict, "This number is here already.")
	}
	r := newRunner(s, all[i])
	r.restore()
	r.look(func() {})
	s.runners[id], s.known[id] = r, true
	go r.run()
	r.log.Info("taken over")
	return nil
}
