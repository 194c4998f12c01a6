package instances

import (
	"cmp"
	"context"
	"time"
)

const (
	proofAge  = 60 * time.Second // an older sign of life proves nothing
	silence   = 30 * time.Second // a worker says something every ten seconds
	firstWord = 2 * time.Minute  // … but opens its databases first
	lateAfter = 5 * time.Second  // a timer so late means that this process itself was held up
	doubt     = 30 * time.Second // for a new connection to be proven, after an unproven one
)

// restore begins from a record: what it says about a worker is to be proven anew.
func (r *runner) restore() {
	r.before = new(r.inst)
	if i := r.inst; i.Status == Backoff || i.Status == Failed { // no worker has told of it yet
		r.missed = []Change{{Status: i.Status, Reason: i.Reason, At: i.Since}}
	}
	switch i := &r.inst; {
	case i.Status == Deleting:
		r.removing = true
	case i.Status == Provisioning:
	case i.Status == Failed && (i.Reason == ProvisionFailed || i.Reason == DeleteFailed || i.Reason == HalfMoved || i.Reason == CrashLoop):
		r.held = true
	case i.Desired == Stopped:
		i.Status, i.Reason = Idle, ""
	case i.Status == Failed: // the cause may be gone: one more try
		i.Status, i.Reason = Starting, ""
	case i.Status != Idle:
		i.Status, i.Reason = Starting, ""
	}
	r.inst.RetryAt = time.Time{}
	r.queue = true
	r.announced, r.saved, r.seen = r.inst, keptOf(r.inst), r.inst
}

// look searches for a worker that runs already. done is called when the search is over.
func (r *runner) look(done func()) {
	id := r.inst.ID
	r.begin(looking, stopLimit, func(ctx context.Context) func() {
		defer done()
		select {
		case r.s.finds <- struct{}{}:
			defer func() { <-r.s.finds }()
		case <-ctx.Done():
			return func() {}
		}
		w, err := r.s.o.Launcher.Find(ctx, id)
		return func() {
			if err != nil {
				// The lock of the instance keeps a second worker from running.
				r.log.Error("running worker not looked for", "error", err)
			}
			if w == nil {
				if r.before != nil { // the record was wrong, and that is a change
					r.announced, r.saved = *r.before, keptOf(*r.before)
				}
				return
			}
			if r.held && r.inst.Reason == CrashLoop {
				r.held = false
			}
			switch {
			case r.held || r.removing:
			case r.inst.Desired == Running:
				r.move(Starting, "")
			default:
				r.move(Idle, "") // and then it is stopped
			}
			r.attach(w)
		}
	})
}

// attach takes charge of a worker that runs.
func (r *runner) attach(w Worker) {
	ctx, cancel := context.WithCancel(r.s.life)
	r.worker, r.reports, r.exited, r.forget = w, w.Reports(ctx), w.Exited(), cancel
	r.began, r.heard, r.due, r.last, r.stopAgain, r.doubted = time.Now(), time.Now(), silence, Report{}, time.Time{}, time.Time{}
	f := w.Facts()
	r.inst.PID, r.inst.Version, r.inst.StartedAt = f.PID, f.Version, f.StartedAt
	if f.Version != r.s.o.Version {
		r.version = f.Version // until the roll-out comes to it, or has shown that the new one is no good
	}
}

// detach forgets a worker that has ended.
func (r *runner) detach() {
	r.leaveLine()
	if r.worker == nil {
		return
	}
	r.forget()
	r.worker, r.reports, r.exited, r.forget = nil, nil, nil, nil
	r.inst.PID, r.inst.Version, r.inst.StartedAt, r.inst.Limits = 0, "", time.Time{}, Limits{}
	r.inst.Pairing = nil
}

// hear takes a report; ok is false when the stream has ended.
func (r *runner) hear(report Report, ok bool) {
	if !ok {
		r.reports = nil // the end of the worker follows
		return
	}
	r.heard, r.due, r.last = time.Now(), silence, report
	r.leaveLine()
	r.judge()
	if report.Settings != r.s.revision(r.inst.ID) {
		go r.configure(r.s.life) // it missed a change, or comes from before a restored backup
	}
}

// judge concludes from the last report what the number is.
func (r *runner) judge() {
	report := r.last
	if !report.Status.OfWorker() || !r.inst.Status.OfWorker() {
		return // nothing said yet, or the worker is being ended
	}
	r.missed = nil
	if report.JID != "" {
		if account(report.JID) != account(r.inst.JID) {
			r.inst.LID, r.inst.PushName = "", ""
		}
		r.inst.JID = report.JID
		r.inst.LID = cmp.Or(report.LID, r.inst.LID)
		r.inst.PushName = cmp.Or(report.PushName, r.inst.PushName)
	}
	r.inst.ProvenAt = report.ProvenAt
	r.inst.ActiveAt = later(r.inst.ActiveAt, report.ActiveAt.Truncate(time.Millisecond))
	r.inst.RetryAt = report.RetryAt
	r.inst.KeysUsed, r.inst.Limits = report.KeysUsed, report.Limits
	r.inst.Pairing = report.Pairing
	status, reason := report.Status, report.Reason
	if status == Connected && time.Since(report.ProvenAt) > proofAge {
		status, reason = Reconnecting, NoProof
		r.doubtIt()
	} else {
		r.doubted = time.Time{}
	}
	switch status {
	case Connected:
		r.carried, r.inst.LastLines, r.inst.Detail = "", nil, ""
	case Starting:
		reason = cmp.Or(reason, r.carried)
	case PairingPhone:
		if givenUp(r.carried) == CrashLoop { // so that who looks every two seconds learns it
			reason = cmp.Or(reason, r.carried)
		}
	}
	r.move(status, reason)
}

// doubtIt asks a worker that claims a connection without a proof to make a new one. The
// worker looks after that by itself; one that comes so far has lost its wits, and if it goes
// on like this, tick ends it.
func (r *runner) doubtIt() {
	if !r.doubted.IsZero() {
		return
	}
	r.doubted = time.Now()
	r.log.Warn("connection is not proven, the worker is asked for a new one", "pid", r.inst.PID)
	w := r.worker
	go func() {
		if err := w.Reconnect(r.s.life); err != nil {
			r.log.Warn("worker does not make a new connection", "error", err)
		}
	}()
}

// ended takes note of the end of the worker.
func (r *runner) ended() {
	exit := r.worker.Exit()
	began := r.began
	r.detach()
	if r.work != nil {
		return // it was wished; what comes next is up to the work
	}
	wished := r.restart && r.ill == ""
	r.ill, r.restart = "", false
	if wished || r.removing || r.leaving || r.inst.Desired == Stopped || r.held {
		return
	}
	if time.Since(began) >= stableAfter {
		r.ends, r.crashes = 0, 0
	}
	r.crashed(exit)
}

// crashed deals with an end that nobody wished.
func (r *runner) crashed(exit Exit) {
	reason := exit.Reason
	if exit.Asked {
		reason = WorkerKilled // somebody asked it, but not the owner
	}
	r.inst.LastLines, r.inst.Detail = exit.Lines, ""
	if exit.Final {
		r.fail(reason)
		return
	}
	r.retry(reason)
}

// tick looks at everything that time alone brings about; settle and save do the rest.
func (r *runner) tick() {
	if r.worker == nil {
		return
	}
	r.judge()
	switch late := time.Since(r.heard) - r.due; {
	case late > lateAfter:
		r.heard = time.Now().Add(silence/2 - r.due) // reports may wait unread
	case r.work != nil || r.held:
	case late >= 0:
		r.giveUp(WorkerSilent, r.due)
	case !r.doubted.IsZero() && time.Since(r.doubted) >= doubt:
		r.giveUp(NoProof, proofAge+doubt)
	}
}

// giveUp ends a worker that runs and is of no use, which it has been for that long.
func (r *runner) giveUp(why Reason, since time.Duration) {
	r.log.Warn("worker is given up", "pid", r.inst.PID, "reason", why)
	if time.Since(r.began)-since >= stableAfter {
		r.ends, r.crashes = 0, 0
	}
	r.ill, r.restart = why, true
}

// arm sets the timer to the next moment at which time alone changes something.
func (r *runner) arm() {
	var at time.Time
	consider := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	consider(r.saveAgain)
	if r.inst.Status == Backoff {
		consider(r.inst.RetryAt)
	}
	if r.worker != nil && r.work == nil {
		consider(r.stopAgain)
		if r.ill == "" && !r.held {
			consider(r.heard.Add(r.due))
			if !r.doubted.IsZero() {
				consider(r.doubted.Add(doubt))
			}
		}
	}
	if r.inst.Status == Connected {
		consider(r.inst.ProvenAt.Add(proofAge + time.Millisecond))
	}
	if at.IsZero() {
		r.timer.Stop()
		return
	}
	r.timer.Reset(time.Until(at))
}

// leave begins the end of the supervision.
func (r *runner) leave() {
	r.leaving = true
	// A worker that is being looked for or stopped has to be found and stopped.
	if r.work != nil && (r.s.detach || r.work.kind != looking && r.work.kind != stopping) {
		r.work.drop()
	}
}
