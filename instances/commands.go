package instances

import (
	"context"
	"time"

	"switchboard/fault"
)

// Start wishes a number to run. One that runs stays as it is; one that waits for its next
// try, or for a person, is tried at once.
func (s *Supervisor) Start(ctx context.Context, v Viewer, id ID) error {
	return s.command(ctx, v, id, func(r *runner) error {
		if err := r.wish(Running); err != nil {
			return err
		}
		r.again()
		return nil
	})
}

// Stop wishes a number to stand still. It returns when the wish is stored; the worker ends
// behind it. The wish beats every retry.
func (s *Supervisor) Stop(ctx context.Context, v Viewer, id ID) error {
	return s.command(ctx, v, id, func(r *runner) error {
		if err := r.wish(Stopped); err != nil {
			return err
		}
		r.carried = ""
		if r.inst.Reason != ProvisionFailed {
			r.held = false
		}
		return nil
	})
}

// Restart wishes a number to run in a new worker.
func (s *Supervisor) Restart(ctx context.Context, v Viewer, id ID) error {
	return s.command(ctx, v, id, func(r *runner) error {
		if err := r.wish(Running); err != nil {
			return err
		}
		r.restart = r.worker != nil
		r.again()
		return nil
	})
}

// Delete ends a number for ever: its link to the phone if WhatsApp can be reached, worker,
// databases, folder, record. It returns when that is stored; the deletion goes on behind
// it, and after a crash with the next Open. Asking twice is no error. Options.Keep is
// called before the databases are dropped.
func (s *Supervisor) Delete(ctx context.Context, v Viewer, id ID) error {
	return s.delete(ctx, v, id, "")
}

// DeleteForGood is Delete without the call of Options.Keep.
func (s *Supervisor) DeleteForGood(ctx context.Context, v Viewer, id ID) error {
	return s.delete(ctx, v, id, NothingKept)
}

func (s *Supervisor) delete(ctx context.Context, v Viewer, id ID, how Reason) error {
	r, err := s.runner(v, id)
	if err != nil {
		return err
	}
	// Its phone is told first of all, which cannot be taken back.
	if how != NothingKept && s.o.Room != nil && r.snapshot().Status != Deleting {
		if err := s.o.Room(ctx, id); err != nil {
			return err
		}
	}
	return r.do(ctx, func() error {
		if r.leaving {
			return shuttingDown()
		}
		if r.removing {
			return nil
		}
		if r.inst.Reason == HalfMoved {
			how = HalfMoved
		}
		wish := r.inst
		wish.Desired, wish.Status, wish.Reason, wish.Since, wish.RetryAt = Stopped, Deleting, how, now(), time.Time{}
		if err := r.store(wish); err != nil {
			return notStored(err)
		}
		r.removing, r.held, r.carried = true, false, ""
		r.inst.Desired = Stopped
		r.move(Deleting, how)
		if r.work != nil && r.work.kind != stopping {
			r.work.drop()
		}
		return nil
	})
}

// Rename gives a number another name. Its id stays. A name in use is a fault.Conflict with
// Field "name".
func (s *Supervisor) Rename(ctx context.Context, v Viewer, id ID, name string) error {
	name, err := CheckName(name)
	if err != nil {
		return err
	}
	return s.command(ctx, v, id, func(r *runner) error {
		wish := r.inst
		wish.Name = name
		if err := r.store(wish); err != nil {
			return notStored(err)
		}
		r.inst.Name = name
		r.log.Info("renamed")
		return nil
	})
}

// command calls f on the goroutine of an instance that is not being deleted.
func (s *Supervisor) command(ctx context.Context, v Viewer, id ID, f func(*runner) error) error {
	r, err := s.runner(v, id)
	if err != nil {
		return err
	}
	return r.do(ctx, func() error {
		switch {
		case r.leaving:
			return shuttingDown()
		case r.removing:
			return fault.New(fault.Conflict, "This number is being deleted.")
		case r.inst.Status == Failed && (r.inst.Reason == DeleteFailed || r.inst.Reason == HalfMoved):
			return fault.New(fault.Conflict, "This number is half deleted. Delete it again to finish that.")
		}
		return f(r)
	})
}

// wish stores what the owner wants before anything is done about it.
func (r *runner) wish(d Desired) error {
	if r.inst.Desired == d {
		return nil
	}
	wish := r.inst
	wish.Desired = d
	if err := r.store(wish); err != nil {
		return notStored(err)
	}
	r.inst.Desired = d
	return nil
}

// again forgets the failures: a person wants it tried now.
func (r *runner) again() {
	if r.inst.Status == Failed && r.inst.Reason == ProvisionFailed {
		r.move(Provisioning, "")
	}
	if r.inst.Status == Backoff {
		r.inst.RetryAt = time.Time{}
	}
	if r.inst.Status == Stopping && r.worker != nil {
		r.restart = true // it was asked to end and will not come back
	}
	r.held, r.queue, r.ends, r.crashes, r.carried = false, false, 0, 0, ""
	r.inst.LastLines, r.inst.Detail = nil, ""
}

// notStored passes faults of the store on and makes others readable.
func notStored(err error) error {
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.Wrap(fault.Unavailable, "The control database does not answer, so nothing was changed. Try again in a moment.", err)
}
