package instances

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"
)

// runner keeps one instance as its owner wishes it. Its goroutine, run, is the only one
// that touches the fields below "owned"; commands, reports, exits and the results of work
// reach it through channels.
//
// It works by level, not by edge: an event only changes facts and wishes, and settle then
// begins whatever work leads from the one to the other.
type runner struct {
	s     *Supervisor
	log   *slog.Logger
	inbox chan message
	left  chan struct{} // closed when run has returned

	// owned
	inst      Instance
	announced Instance // as the hook and the log saw it last
	saved     kept     // as the store has it
	saveAgain time.Time
	before    *Instance // the record as it was at Open, until something changes

	worker  Worker // nil: none runs
	reports <-chan Report
	exited  <-chan struct{}
	forget  context.CancelFunc // ends reports
	last    Report
	heard   time.Time     // when the last report came
	due     time.Duration // how long it may say nothing
	began   time.Time     // when worker was launched or adopted

	work      *work       // under way, or nil
	access    *Access     // made by provisioning, for the launch that follows at once
	version   string      // that the next launch is to have; "" for the present one
	place     func()      // gives back the place among the starting ones; nil without one
	queue     bool        // the next launch waits for a place
	booting   bool        // it was to run at Open and has not come so far yet
	held      bool        // failed: a person decides
	removing  bool        // is being deleted
	removed   bool        // … and is gone
	restart   bool        // the worker has to end although it should run
	ill       Reason      // … because of that: it does not answer, or proves nothing
	doubted   time.Time   // since when it claims a connection that it does not prove
	leaving   bool        // the supervisor closes
	stopAgain time.Time   // after a stop that did not succeed
	ends      int         // in a row, unasked, without a stable time between them
	crashes   int         // of them those that do not go on for ever
	carried   Reason      // why the last worker ended, told until the number is well again
	missed    []Change    // what the next worker has to tell of
	timer     *time.Timer // for the next of all the times above

	configuring sync.Mutex // one at a time brings settings to the worker

	mu      sync.RWMutex // guards what others read
	seen    Instance
	asked   Worker // the worker that may be asked, or nil
	changed chan struct{}
}

// message is a call on the runner's goroutine.
type message struct {
	call func() error
	done chan<- error // nil: nobody waits
}

// work goes on beside the goroutine; there is one at a time.
type work struct {
	kind    kind
	cancel  context.CancelFunc
	dropped bool // its result is not wanted any more
}

// kind of work.
type kind int

const (
	looking kind = iota
	provisioning
	launching
	stopping
	removal
)

func (w *work) drop() {
	w.dropped = true
	w.cancel()
}

// activeEvery is how exact the record is about when a number was last active: a busy number
// must not cost a write for every message.
const activeEvery = 10 * time.Minute

// kept is the part of an instance that its record keeps up to date.
type kept struct {
	name, phone, jid, lid, pushName string
	desired                         Desired
	status                          Status
	reason                          Reason
	since, retryAt, active          int64
	restarts                        int
}

func keptOf(i Instance) kept {
	return kept{i.Name, i.Phone, i.JID, i.LID, i.PushName, i.Desired, i.Status, i.Reason,
		i.Since.UnixMilli(), i.RetryAt.UnixMilli(), i.ActiveAt.Truncate(activeEvery).UnixMilli(), i.Restarts}
}

func newRunner(s *Supervisor, inst Instance) *runner {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &runner{
		s: s, log: s.o.Log.With("instance", inst.ID),
		inbox: make(chan message), left: make(chan struct{}),
		inst: inst, announced: inst, saved: keptOf(inst), seen: inst,
		timer: timer, changed: make(chan struct{}),
	}
}

// run is the goroutine of the instance.
func (r *runner) run() {
	defer close(r.left)
	defer r.timer.Stop()
	closing, end := r.s.closing, r.s.life.Done()
	r.advance()
	for !r.over() {
		r.arm()
		var m message
		select {
		case m = <-r.inbox:
		case report, ok := <-r.reports:
			m.call = func() error { r.hear(report, ok); return nil }
		case <-r.exited:
			m.call = func() error { r.ended(); return nil }
		case <-r.timer.C:
			m.call = func() error { r.tick(); return nil }
		case <-closing:
			closing = nil
			m.call = func() error { r.leave(); return nil }
		case <-end: // Close gave up waiting
			end = nil
			m.call = func() error { return nil }
		}
		err := m.call()
		r.advance()
		if m.done != nil {
			m.done <- err
		}
	}
	if r.forget != nil {
		r.forget()
	}
	if r.removed {
		r.s.drop(r.inst.ID)
		r.log.Info("removed")
		r.hook(r.announced, Instance{})
		r.mu.Lock()
		close(r.changed)
		r.changed = nil
		r.mu.Unlock()
	}
}

// over reports whether nothing is left to supervise.
func (r *runner) over() bool {
	if r.work != nil {
		return false
	}
	return r.removed || r.s.life.Err() != nil || r.leaving && (r.s.detach || r.worker == nil)
}

// do calls f on the runner's goroutine and returns its error after everything that follows
// from f at once has been stored and can be seen.
func (r *runner) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case r.inbox <- message{f, done}:
		return <-done
	case <-r.left:
		return r.absent()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *runner) absent() error {
	select {
	case <-r.s.closing:
		return shuttingDown()
	default:
		return unknown()
	}
}

// advance does all that an event leads to.
func (r *runner) advance() {
	r.settle()
	if r.booting {
		r.booted()
	}
	if r.removed {
		return
	}
	r.announce()
	r.save()
	r.publish()
}

// announce tells the log and the hook about a change, once.
func (r *runner) announce() {
	a, b := r.announced, r.inst
	if a.ID != "" && a.Status == b.Status && a.Reason == b.Reason && a.Desired == b.Desired {
		return
	}
	attrs := []any{"from", a.Status, "to", b.Status, "reason", b.Reason, "desired", b.Desired}
	if !b.RetryAt.IsZero() {
		attrs = append(attrs, "retry_at", b.RetryAt)
	}
	if a.ID == "" {
		r.log.Info("created", "port", b.Port)
	} else {
		r.log.Info("status changed", attrs...)
	}
	r.announced = b
	r.hook(a, b)
}

func (r *runner) hook(before, after Instance) {
	if r.s.o.OnChange != nil {
		r.s.o.OnChange(before.copy(), after.copy())
	}
}

const (
	saveLimit = 10 * time.Second
	saveRetry = 5 * time.Second
)

// save writes the record when it changed. What cannot be written now is written later: a
// control database that is away must not keep a number from being supervised.
func (r *runner) save() {
	if keptOf(r.inst) == r.saved {
		r.saveAgain = time.Time{}
		return
	}
	if time.Now().Before(r.saveAgain) {
		return
	}
	if err := r.store(r.inst); err != nil {
		r.saveAgain = time.Now().Add(saveRetry)
		r.log.Warn("record not saved, will be tried again", "error", err)
	}
}

func (r *runner) store(inst Instance) error {
	ctx, cancel := context.WithTimeout(r.s.life, saveLimit)
	defer cancel()
	if err := r.s.o.Store.SaveInstance(ctx, inst); err != nil {
		return err
	}
	r.saved, r.saveAgain = keptOf(inst), time.Time{}
	return nil
}

// publish lets others see the instance.
func (r *runner) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, now := r.seen, r.inst
	r.seen, r.asked = now, r.worker
	old.ProvenAt, old.ActiveAt, old.KeysUsed = now.ProvenAt, now.ActiveAt, now.KeysUsed // a heartbeat is no change
	if !reflect.DeepEqual(old, now) {
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

func (r *runner) snapshot() Instance {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seen.copy()
}

func (r *runner) nextChange() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// copy returns a copy that shares nothing.
func (i Instance) copy() Instance {
	i.LastLines = slices.Clone(i.LastLines)
	i.KeysUsed = maps.Clone(i.KeysUsed)
	if i.Pairing != nil {
		p := *i.Pairing
		if p.Passkey != nil {
			k := *p.Passkey
			k.Request = slices.Clone(k.Request)
			p.Passkey = &k
		}
		i.Pairing = &p
	}
	return i
}

// move is the only writer of the status.
func (r *runner) move(to Status, reason Reason) {
	if to == r.inst.Status && reason == r.inst.Reason {
		return
	}
	if to != r.inst.Status && !may(r.inst.Status, to) {
		r.log.Error("illegal change of status", "from", r.inst.Status, "to", to, "reason", reason)
		return
	}
	if to == Backoff || to == Failed { // and no worker tells of it
		r.missed = append(r.missed, Change{Status: to, Was: r.inst.Status, Reason: reason, At: now()})
		r.missed = r.missed[max(0, len(r.missed)-mostMissed):]
	}
	r.inst.Status, r.inst.Reason, r.inst.Since = to, reason, now()
	if b := r.before; b != nil && b.Status == to && b.Reason == reason {
		r.inst.Since = b.Since // a worker that was adopted did not change
	}
	r.before = nil
	if to != Backoff && !to.OfWorker() {
		r.inst.RetryAt = time.Time{}
	}
	if !to.OfWorker() {
		r.inst.Pairing = nil
	}
}

// mostMissed is how many changes are kept for the next worker.
const mostMissed = 32

// now is the time as records keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
