package instances

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

// world is everything around a supervisor, in memory.
type world struct {
	t *testing.T
	*Supervisor

	mu        sync.Mutex
	records   []Instance
	requests  map[string]ID
	provision func(context.Context) error // what Provision does, nil: it succeeds at once
	access    func(context.Context) error // what Access does, nil: it succeeds
	launching func(context.Context) error // what Launch does before it starts a worker
	finding   func(context.Context) error // what Find does first
	full      error                       // no room for a last backup
	drop      error
	discard   error
	saving    error
	did       []string           // provision, launch, stop, drop, discard, remove, in order
	running   map[ID]*fakeWorker // at most one for each
	mute      bool               // new workers say nothing
	version   string             // of the program whose supervisor is opened
	settings  setting            // of every number
	given     map[ID]json.RawMessage
	broken    string // workers of this version end at once
	launches  int
	started   []launch // in order
	saves     int      // of records
	changes   []string
}

var owner = Viewer{User: 1}

// inWorld runs f in a bubble of its own time, with an open supervisor.
func inWorld(t *testing.T, f func(*testing.T, *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		f(t, w)
		w.close(false)
	})
}

func newWorld(t *testing.T) *world {
	return &world{t: t, version: "1", requests: map[string]ID{}, given: map[ID]json.RawMessage{}, running: map[ID]*fakeWorker{}}
}

// open opens a supervisor over what is there, as a new process would.
func (w *world) open() {
	w.t.Helper()
	w.Supervisor = NewSupervisor(Options{
		Store: w, Databases: w, Keep: w.keepBackup, Room: func(context.Context, ID) error { return w.full }, Launcher: fakeLauncher{w}, Settings: &w.settings, Log: slog.New(watchful{slog.NewTextHandler(w.t.Output(), nil), w.t}), PortStart: 3001, Version: w.version,
		PortFree: func(port int) bool { return port != 3002 },
		OnChange: func(a, b Instance) {
			w.note(&w.changes, string(a.Status)+">"+string(b.Status)+" "+string(b.Reason)+" "+string(b.Desired))
		},
	})
	if err := w.Open(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(lineUp)
	synctest.Wait()
}

func (w *world) close(detach bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.Close(ctx, detach); err != nil {
		w.t.Error(err)
	}
	synctest.Wait()
}

// watchful fails the test on an illegal change of status.
type watchful struct {
	slog.Handler
	t *testing.T
}

func (h watchful) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "illegal") {
		h.t.Error(r.Message)
		r.Attrs(func(a slog.Attr) bool { h.t.Log(a); return true })
	}
	return h.Handler.Handle(ctx, r)
}
func (h watchful) WithAttrs(a []slog.Attr) slog.Handler { return watchful{h.Handler.WithAttrs(a), h.t} }

// set changes how the world behaves.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) note(list *[]string, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, what)
}

// number creates one whose worker runs and has reported status.
func (w *world) number(name string, status Status) ID {
	w.t.Helper()
	inst, err := w.Create(w.t.Context(), owner, New{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	w.worker(inst.ID).say(Report{Status: status, JID: "491:2@s.whatsapp.net"})
	w.want(inst.ID, status, "")
	return inst.ID
}

func (w *world) get(id ID) Instance {
	w.t.Helper()
	inst, err := w.Get(owner, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return inst
}

// want waits until nothing moves by itself at this moment and compares.
func (w *world) want(id ID, status Status, reason Reason) Instance {
	w.t.Helper()
	synctest.Wait()
	inst := w.get(id)
	if inst.Status != status || inst.Reason != reason {
		w.t.Fatalf("the status is %s/%s, want %s/%s", inst.Status, inst.Reason, status, reason)
	}
	if stored := w.record(id); stored.Status != status || stored.Reason != reason || stored.Desired != inst.Desired {
		w.t.Fatalf("the record says %s/%s %s, want %s/%s %s", stored.Status, stored.Reason, stored.Desired, status, reason, inst.Desired)
	}
	return inst
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// worker returns the running one.
func (w *world) worker(id ID) *fakeWorker {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[id] == nil {
		w.t.Fatalf("no worker runs for %s", id)
	}
	return w.running[id]
}

func (w *world) runs(id ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[id] != nil
}

func (w *world) record(id ID) Instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.records, func(r Instance) bool { return r.ID == id }); i >= 0 {
		return w.records[i]
	}
	return Instance{}
}

// launch of a worker.
type launch struct {
	id     ID
	at     time.Time
	missed []Change
}

func (w *world) startedNow() []launch {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.started)
}

// The store.

func (w *world) Instances(context.Context) ([]Instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.records), nil
}

func (w *world) AddInstance(_ context.Context, inst Instance, requestID string) (ID, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id, ok := w.requests[requestID]; ok && requestID != "" {
		return id, nil
	}
	for _, r := range w.records {
		if strings.EqualFold(r.Name, inst.Name) {
			return "", &fault.Error{Kind: fault.Conflict, Message: "The name is in use.", Field: "name"}
		}
		if r.Port == inst.Port {
			return "", &fault.Error{Kind: fault.Conflict, Message: "The port is in use.", Field: "port"}
		}
	}
	w.requests[requestID] = inst.ID
	w.records = append(w.records, inst)
	return inst.ID, nil
}

func (w *world) SaveInstance(_ context.Context, inst Instance) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.saving != nil {
		return w.saving
	}
	w.saves++
	for i := range w.records {
		if w.records[i].ID == inst.ID {
			w.records[i] = inst
		} else if strings.EqualFold(w.records[i].Name, inst.Name) {
			return &fault.Error{Kind: fault.Conflict, Message: "The name is in use.", Field: "name"}
		}
	}
	return nil
}

func (w *world) RemoveInstance(_ context.Context, id ID) error {
	w.note(&w.did, "remove")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = slices.DeleteFunc(w.records, func(r Instance) bool { return r.ID == id })
	return nil
}

// The databases.

func (w *world) Names(id ID) Database {
	return Database{"memory", "whatsapp_" + string(id), "keys_" + string(id)}
}

func (w *world) Provision(ctx context.Context, id ID) (Access, error) {
	w.note(&w.did, "provision")
	w.mu.Lock()
	provision := w.provision
	w.mu.Unlock()
	if provision != nil {
		if err := provision(ctx); err != nil {
			return Access{}, err
		}
	}
	return Access{"memory", "main of " + string(id), "keys of " + string(id)}, nil
}

func (w *world) Access(ctx context.Context, id ID) (Access, error) {
	w.note(&w.did, "access")
	w.mu.Lock()
	access := w.access
	w.mu.Unlock()
	if access != nil {
		if err := access(ctx); err != nil {
			return Access{}, err
		}
	}
	return Access{"memory", "main of " + string(id), "keys of " + string(id)}, nil
}

func (w *world) keepBackup(context.Context, ID) error {
	w.note(&w.did, "keep")
	return nil
}

func (w *world) Drop(_ context.Context, id ID) error {
	w.note(&w.did, "drop")
	if w.runs(id) {
		w.t.Error("databases are dropped under a running worker")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drop
}

// The launcher.

type fakeLauncher struct{ w *world }

func (l fakeLauncher) Launch(ctx context.Context, spec Spec) (Worker, error) {
	w := l.w
	w.note(&w.did, "launch")
	w.mu.Lock()
	launching := w.launching
	w.mu.Unlock()
	if launching != nil {
		if err := launching(ctx); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[spec.ID] != nil {
		w.t.Errorf("a second worker is launched for %s", spec.ID)
	}
	if spec.Database.Keys != "keys of "+string(spec.ID) || spec.Port == 0 || spec.Name == "" {
		w.t.Errorf("launched with %+v", spec)
	}
	w.given[spec.ID] = spec.Settings
	w.launches++
	w.started = append(w.started, launch{spec.ID, time.Now(), spec.Missed})
	f := newFakeWorker(w, spec.ID, 100+w.launches, spec.Port)
	f.mute, f.facts.Version = w.mute, cmp.Or(spec.Version, w.version)
	w.running[spec.ID] = f
	if w.broken != "" && w.broken == f.facts.Version {
		go f.end(Exit{Reason: WorkerCrashed, Lines: []string{"I am broken"}})
	}
	return f, nil
}

func (l fakeLauncher) Find(ctx context.Context, id ID) (Worker, error) {
	l.w.mu.Lock()
	finding := l.w.finding
	l.w.mu.Unlock()
	if finding != nil {
		if err := finding(ctx); err != nil {
			return nil, err
		}
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if f := l.w.running[id]; f != nil {
		return f, nil
	}
	return nil, nil
}

func (l fakeLauncher) Discard(context.Context, ID) error {
	l.w.note(&l.w.did, "discard")
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.discard
}

// fakeWorker says what the test lets it say, and repeats it every ten seconds.
type fakeWorker struct {
	w     *world
	id    ID
	facts Facts

	mu      sync.Mutex
	report  Report
	changed chan struct{}
	mute    bool                        // says nothing
	refuses bool                        // takes no settings
	proven  bool                        // a connected report carries a fresh proof
	stop    func(context.Context) error // instead of ending at once
	logout  func(context.Context) error // instead of unlinking at once
	asked   []string
	exit    Exit
	exited  chan struct{}
}

func newFakeWorker(w *world, id ID, pid, port int) *fakeWorker {
	return &fakeWorker{w: w, id: id, facts: Facts{PID: pid, Port: port, StartedAt: time.Now()},
		report: Report{Status: Starting}, changed: make(chan struct{}), proven: true, exited: make(chan struct{})}
}

// say reports, and waits until that has had its effect.
func (f *fakeWorker) say(r Report) {
	f.tell(r)
	synctest.Wait()
}

func (f *fakeWorker) tell(r Report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report = r
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeWorker) set(change func(*fakeWorker)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// die ends the worker.
func (f *fakeWorker) die(e Exit) {
	f.end(e)
	synctest.Wait()
}

func (f *fakeWorker) end(e Exit) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.w.running[f.id] == f {
		delete(f.w.running, f.id)
		f.exit = e
		close(f.exited)
	}
}

func (f *fakeWorker) Facts() Facts            { return f.facts }
func (f *fakeWorker) Exited() <-chan struct{} { return f.exited }
func (f *fakeWorker) Exit() Exit              { return f.exit }

func (f *fakeWorker) Reports(ctx context.Context) <-chan Report {
	out := make(chan Report)
	go func() {
		defer close(out)
		for {
			f.mu.Lock()
			report, changed, say := f.report, f.changed, out
			if report.Status == Connected && f.proven {
				report.ProvenAt = time.Now()
			}
			if f.mute {
				say = nil
			}
			f.mu.Unlock()
			select {
			case say <- report:
			case <-changed:
				continue
			case <-time.After(10 * time.Second):
				continue
			case <-f.exited:
				return
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-time.After(10 * time.Second):
			case <-f.exited:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (f *fakeWorker) Stop(ctx context.Context, grace time.Duration) error {
	f.w.note(&f.w.did, "stop")
	f.mu.Lock()
	stop := f.stop
	f.mu.Unlock()
	if stop != nil {
		if err := stop(ctx); err != nil {
			return err
		}
	}
	f.end(Exit{Asked: true})
	return nil
}

func (f *fakeWorker) heard(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	return nil
}

func (f *fakeWorker) Pair(context.Context) error { return f.heard("pair") }
func (f *fakeWorker) PairPhone(_ context.Context, phone string) (PhoneCode, error) {
	return PhoneCode{Code: "ABCD-EFGH"}, f.heard("phone " + phone)
}
func (f *fakeWorker) AnswerPasskey(_ context.Context, c []byte) error {
	return f.heard("passkey " + string(c))
}
func (f *fakeWorker) ConfirmPasskey(context.Context) error { return f.heard("confirm") }
func (f *fakeWorker) Logout(ctx context.Context) error {
	f.w.note(&f.w.did, "logout")
	f.mu.Lock()
	logout := f.logout
	f.mu.Unlock()
	if logout != nil {
		return logout(ctx)
	}
	return f.heard("logout")
}
func (f *fakeWorker) Reconnect(context.Context) error { return f.heard("reconnect") }
func (f *fakeWorker) SendText(_ context.Context, to, text string) (Sent, error) {
	return Sent{ID: "M1", Chat: to}, f.heard("send " + text)
}
func (f *fakeWorker) Configure(_ context.Context, document json.RawMessage) error {
	f.mu.Lock()
	refuses := f.refuses
	f.mu.Unlock()
	if refuses {
		return errTest
	}
	var doc struct{ Revision int64 }
	if err := json.Unmarshal(document, &doc); err != nil {
		return err
	}
	f.mu.Lock()
	r := f.report
	f.mu.Unlock()
	r.Settings = doc.Revision
	f.tell(r)
	return f.heard("configure " + string(document))
}
func (f *fakeWorker) Outbox(_ context.Context, what string, _, _ any) error { return f.heard(what) }
func (f *fakeWorker) Events(context.Context, string, func(json.RawMessage) error) error {
	return f.heard("events")
}
func (f *fakeWorker) API() http.RoundTripper { return http.DefaultTransport }

var errTest = errors.New("it went wrong")

// blocked returns something that waits until it is let go or its context ends.
func blocked() (wait func(context.Context) error, release func()) {
	gate := make(chan struct{})
	return func(ctx context.Context) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, sync.OnceFunc(func() { close(gate) })
}
