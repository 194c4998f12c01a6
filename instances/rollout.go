package instances

import (
	"context"
	"slices"
	"time"
)

const (
	// A supervisor that falls over at once must not have touched a number before.
	rolloutAfter = 10 * time.Second
	// So long a number may take to be back in a new version.
	comeBackLimit = time.Minute
	// A new version whose worker ends so often in that time is not waited for.
	comeBackTries = 3
)

// Rollout tells how far the workers of other versions, which were found running, have been
// replaced by those of this one.
type Rollout struct {
	Version string // of this program
	Old     string // from which the numbers come, one of them if there are several
	Total   int    // so many numbers ran another version …
	Done    int    // … and so many of them run this one by now
	// Stopped names the number that did not come back in this version. It was given back the
	// old one, and the other numbers keep theirs. "" if all is well.
	Stopped ID
	Name    string // of that number
	Reason  Reason // what kept it from coming back, "" if nobody knows
}

// Active reports whether there is something to tell.
func (r Rollout) Active() bool { return r.Stopped != "" || r.Done < r.Total }

// Rollout returns how far the roll-out of this version is.
func (s *Supervisor) Rollout() Rollout {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rollout
}

// rollOut replaces the workers of other versions one by one, the first as a canary: a number
// that does not come back ends it. What is left then, the next supervisor tries again.
func (s *Supervisor) rollOut() {
	select {
	case <-s.adopted:
	case <-s.closing:
		return
	}
	for wait := rolloutAfter; ; wait = time.Second {
		select {
		case <-time.After(wait):
		case <-s.closing:
			return
		}
		for old := s.old(); len(old) > 0; old = s.old() {
			s.progress(old)
			if !s.replace(old[0]) {
				return
			}
		}
		if !s.pinned() {
			break
		}
	}
	s.progress(nil)
}

// progress notes which numbers still run another version.
func (s *Supervisor) progress(old []*runner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.rollout
	if r.Total == 0 && len(old) > 0 {
		*r = Rollout{Version: s.o.Version, Old: old[0].snapshot().Version, Total: len(old)}
		s.o.Log.Info("roll-out begins", "numbers", r.Total, "version", r.Version, "old", r.Old)
	}
	r.Done = max(r.Done, r.Total-len(old))
	if r.Total > 0 && len(old) == 0 {
		s.o.Log.Info("roll-out ends", "numbers", r.Total, "version", r.Version)
	}
}

// old lists the numbers whose worker is of another version: first those that can prove best
// that they came back, and of those the oldest.
func (s *Supervisor) old() []*runner {
	everyone := Viewer{All: true}
	var connected, settled []*runner
	for _, inst := range s.List(everyone) {
		r, err := s.runner(everyone, inst.ID)
		switch {
		case err != nil || inst.Version == "" || inst.Version == s.o.Version || inst.Desired != Running:
		case inst.Status == Connected:
			connected = append(connected, r)
		case inst.Status.OfWorker() && inst.Status != Starting:
			settled = append(settled, r)
		}
	}
	return append(connected, settled...)
}

// pinned reports whether a number that does not run would start in another version. Those
// that stand still are released from it.
func (s *Supervisor) pinned() bool {
	s.mu.RLock()
	all := make([]*runner, 0, len(s.runners))
	for _, r := range s.runners {
		all = append(all, r)
	}
	s.mu.RUnlock()
	return slices.ContainsFunc(all, func(r *runner) (pinned bool) {
		_ = r.do(s.life, func() error {
			if r.worker == nil && r.work == nil {
				r.version = ""
			}
			pinned = r.version != "" && r.inst.Desired == Running
			return nil
		})
		return pinned
	})
}

// replace gives a number a worker of this version and waits until it is what it was before.
// If that does not come about, the number gets its old version back.
func (s *Supervisor) replace(r *runner) bool {
	before := r.snapshot()
	log := r.log.With("version", s.o.Version, "old", before.Version)
	log.Info("number gets another version")
	begun := false
	_ = r.do(s.life, func() error {
		if r.worker != nil && r.inst.Desired == Running && !r.removing && !r.leaving {
			r.version, r.restart, r.queue, begun = "", true, false, true
		}
		return nil
	})
	if !begun {
		return s.life.Err() == nil // its worker ended just now; its turn comes again
	}
	limit, cancel := context.WithTimeout(s.life, comeBackLimit)
	defer cancel()
	for {
		changed, now := r.nextChange(), r.snapshot()
		switch {
		case changed == nil || now.Desired == Stopped || now.Status == Deleting:
			return true // a person decided otherwise
		case now.Version == s.o.Version && (now.Status == before.Status || now.Status == Connected):
			return true
		case now.Status == Failed || now.Restarts-before.Restarts >= comeBackTries:
			cancel()
		}
		select {
		case <-changed:
			continue
		case <-s.closing:
			return false
		case <-limit.Done():
		}
		log.Error("number did not come back, the roll-out stops", "status", now.Status, "reason", now.Reason, "lines", now.LastLines)
		_ = r.do(s.life, func() error {
			r.version = before.Version
			r.restart = r.worker != nil || r.work != nil && r.work.kind == launching
			r.again()
			return nil
		})
		s.mu.Lock()
		s.rollout.Stopped, s.rollout.Name, s.rollout.Reason = now.ID, now.Name, now.Reason
		s.mu.Unlock()
		return false
	}
}
