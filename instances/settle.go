package instances

import (
	"context"
	"errors"
	"slices"
	"time"

	"switchboard/fault"
)

const (
	stopGrace   = 10 * time.Second // for a worker to end by itself
	silentGrace = 2 * time.Second  // … that does not answer anyway
	stopLimit   = time.Minute
	stopRetry   = 10 * time.Second
	makeLimit   = 5 * time.Minute // for databases to be made or dropped
	unlinkLimit = 5 * time.Second // for the phone to be told that a number is deleted
	keepLimit   = 2 * time.Hour   // for a last backup, which may have gigabytes
)

// settle begins the work that leads from what is to what is wished.
func (r *runner) settle() {
	switch {
	case r.removed:
	case r.work != nil:
		if r.work.kind == launching && r.inst.Desired == Stopped && !r.removing {
			r.work.drop()
			r.move(Stopping, "")
		}
	case r.leaving:
		if r.worker != nil && !r.s.detach {
			r.stop(stopGrace)
		}
	case r.removing:
		r.remove()
	case r.held:
	case r.inst.Status == Provisioning && r.access == nil:
		r.provision()
	case r.worker != nil && (r.inst.Desired == Stopped || r.restart):
		if r.ill == WorkerSilent {
			r.stop(silentGrace)
		} else {
			r.stop(stopGrace)
		}
	case r.worker != nil:
	case r.inst.Desired == Stopped:
		r.access = nil
		r.move(Idle, "")
	case r.inst.Status == Backoff && time.Now().Before(r.inst.RetryAt):
	default:
		r.launch()
	}
}

// begin does something beside the goroutine; what do returns is called on the goroutine.
func (r *runner) begin(k kind, limit time.Duration, do func(context.Context) (then func())) *work {
	ctx, cancel := context.WithTimeout(r.s.life, limit)
	begun := &work{kind: k, cancel: cancel}
	r.work = begun
	go func() {
		then := do(ctx)
		cancel()
		r.inbox <- message{call: func() error {
			r.work = nil
			then()
			return nil
		}}
	}()
	return begun
}

// provision makes the databases of a new number, and copies the session of an imported one.
func (r *runner) provision() {
	id, jid := r.inst.ID, r.inst.JID
	var w *work
	w = r.begin(provisioning, makeLimit, func(ctx context.Context) func() {
		access, err := r.s.o.Databases.Provision(ctx, id)
		if err == nil && jid != "" {
			err = r.s.copySession(ctx, jid, access)
		}
		return func() {
			if err == nil {
				r.access = &access
				return
			}
			if w.dropped {
				return
			}
			r.log.Error("provisioning failed", "error", err)
			r.inst.Detail = fault.MessageOf(err)
			r.fail(ProvisionFailed)
		}
	})
}

// launch starts the worker.
func (r *runner) launch() {
	if r.inst.Status == Backoff && !r.inst.RetryAt.IsZero() {
		r.inst.Restarts++
		r.inst.EndedFor, r.inst.EndedAt = r.inst.Reason, r.inst.Since
	}
	r.inst.RetryAt = time.Time{}
	r.before = nil
	r.move(Starting, r.carried)
	spec := Spec{ID: r.inst.ID, Name: r.inst.Name, Port: r.inst.Port, Version: r.version, Missed: slices.Clone(r.missed)}
	access, queue, active := r.access, r.queue, r.inst.ActiveAt
	r.access, r.queue = nil, false
	var begun *work
	begun = r.begin(launching, makeLimit, func(ctx context.Context) func() {
		place := func() {}
		if queue {
			var err error
			if place, err = r.s.starts.wait(ctx, active); err != nil {
				return func() { r.queue = true }
			}
		}
		reason := DatabaseRefused
		var err error
		var w Worker
		if access == nil {
			// They were made before: the status is beyond Provisioning.
			access = new(Access)
			*access, err = r.s.o.Databases.Access(ctx, spec.ID)
		}
		if err == nil {
			reason = StartRefused
			spec.Settings, err = r.s.document(ctx, spec.ID)
		}
		if err == nil {
			spec.Database = *access
			w, err = r.s.o.Launcher.Launch(ctx, spec)
		}
		return func() {
			r.place = place
			switch {
			case err == nil:
				r.attach(w)
				r.due = firstWord
				if r.version == spec.Version && r.inst.Version != spec.Version {
					r.version = "" // the program of that version is gone
				}
				if r.inst.Desired == Running && !r.removing {
					r.move(Starting, r.carried) // the wish may have changed to and fro
				}
			case begun.dropped:
				r.leaveLine()
			default:
				r.leaveLine()
				r.log.Error("worker not started", "error", err)
				r.inst.LastLines, r.inst.Detail = nil, fault.MessageOf(err)
				switch {
				case errors.Is(err, ErrLost):
					r.fail(reason)
				case errors.Is(err, ErrNoRoom):
					r.retry(StorageFull)
				default:
					r.retry(reason)
				}
			}
		}
	})
}

func (r *runner) leaveLine() {
	if r.place != nil {
		r.place()
		r.place = nil
	}
}

// stop ends the worker.
func (r *runner) stop(grace time.Duration) {
	if time.Now().Before(r.stopAgain) {
		return
	}
	w := r.worker
	switch {
	case r.held:
	default:
		r.move(Stopping, r.ill)
	}
	r.begin(stopping, stopLimit, func(ctx context.Context) func() {
		err := w.Stop(ctx, grace)
		return func() {
			if err != nil {
				r.stopAgain = time.Now().Add(stopRetry)
				r.log.Warn("worker not stopped, will be tried again", "error", err)
				return
			}
			r.detach()
			ill := r.ill
			r.ill, r.restart, r.stopAgain = "", false, time.Time{}
			switch {
			case r.leaving && r.inst.Status == Stopping:
				r.move(Idle, "")
			case ill != "" && !r.leaving && !r.removing && r.inst.Desired == Running:
				r.crashed(Exit{Reason: ill, Lines: w.Exit().Lines})
			}
		}
	})
}

// remove deletes everything of the number, in the order in which a later Open can go on.
func (r *runner) remove() {
	id, w, why := r.inst.ID, r.worker, r.inst.Reason
	o := r.s.o
	linked := r.inst.JID != "" && !slices.Contains(unlinked, r.last.Status)
	r.begin(removal, keepLimit+2*makeLimit, func(life context.Context) func() {
		err := limited(life, makeLimit, func(ctx context.Context) (err error) {
			if w == nil {
				if w, err = o.Launcher.Find(ctx, id); w == nil || err != nil {
					return err
				}
			}
			if linked {
				r.unlink(ctx, w)
			}
			return w.Stop(ctx, stopGrace)
		})
		if err == nil && o.Keep != nil && !why.KeepsNothing() {
			err = limited(life, keepLimit, func(ctx context.Context) error { return o.Keep(ctx, id) })
		}
		if err == nil {
			err = limited(life, makeLimit, func(ctx context.Context) error {
				if err := o.Databases.Drop(ctx, id); err != nil {
					return err
				}
				if why != HalfMoved {
					if err := o.Launcher.Discard(ctx, id); err != nil {
						return err
					}
				}
				return o.Store.RemoveInstance(ctx, id)
			})
		}
		return func() {
			switch {
			case err == nil:
				r.detach()
				r.removed = true
			case r.leaving: // the next Open goes on
			default:
				r.log.Error("deletion failed", "error", err)
				r.removing = false
				r.inst.LastLines, r.inst.Detail = nil, fault.MessageOf(err)
				if why != HalfMoved {
					why = DeleteFailed
				}
				r.fail(why)
			}
		}
	})
}

func limited(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}

// unlink removes the number from its phone's linked devices, of which there are four at
// most. A phone or a network that does not answer does not hold the deletion up: what is
// left over can be removed on the phone.
func (r *runner) unlink(ctx context.Context, w Worker) {
	ctx, cancel := context.WithTimeout(ctx, unlinkLimit)
	defer cancel()
	if err := w.Logout(ctx); err != nil {
		r.log.Warn("deleted number not unlinked from its phone", "error", err)
	}
}

// fail leaves it to a person.
func (r *runner) fail(reason Reason) {
	r.held = true
	r.carried = ""
	r.move(Failed, reason)
}

// retry tries again after a while, or gives up when that was done too often.
func (r *runner) retry(reason Reason) {
	r.ends++
	if !patient(reason) {
		r.crashes++
		if r.crashes >= crashBudget {
			r.fail(givenUp(reason))
			return
		}
	}
	r.carried, r.queue = reason, true
	r.inst.RetryAt = now().Add(delay(r.ends))
	r.move(Backoff, reason)
}
