package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
)

// fakeNumbers stands in for the supervisor: it keeps instances as the test sets them,
// applies the checks that the supervisor promises, and writes down what it was asked.
type fakeNumbers struct {
	mu     sync.Mutex
	all    []instances.Instance
	asked  []string
	outbox []string // what workers were asked
	found  []instances.Paired
	refuse error             // what every command answers, if set
	after  func(verb string) // what a command changes
	made   map[string]instances.ID

	boot    instances.Boot
	rollout instances.Rollout

	changed chan struct{}
}

func (f *fakeNumbers) Boot() instances.Boot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.boot
}

func (f *fakeNumbers) Rollout() instances.Rollout {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rollout
}

func (f *fakeNumbers) set(inst instances.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
	i := slices.IndexFunc(f.all, func(i instances.Instance) bool { return i.ID == inst.ID })
	if i < 0 {
		f.all = append(f.all, inst)
		return
	}
	f.all[i] = inst
}

func (f *fakeNumbers) Changed(instances.Viewer, instances.ID) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

func (f *fakeNumbers) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *fakeNumbers) List(v instances.Viewer) []instances.Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []instances.Instance
	for _, inst := range f.all {
		if v.Sees(inst) {
			list = append(list, inst)
		}
	}
	return list
}

func (f *fakeNumbers) Get(v instances.Viewer, id instances.ID) (instances.Instance, error) {
	for _, inst := range f.List(v) {
		if inst.ID == id {
			return inst, nil
		}
	}
	return instances.Instance{}, fault.New(fault.NotFound, "There is no such number.")
}

func (f *fakeNumbers) Create(_ context.Context, v instances.Viewer, in instances.New) (instances.Instance, error) {
	name, err := instances.CheckName(in.Name)
	if err != nil {
		return instances.Instance{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, inst := range f.all {
		if in.RequestID != "" && f.made[in.RequestID] == inst.ID {
			return inst, nil
		}
		if strings.EqualFold(inst.Name, name) {
			return instances.Instance{}, &fault.Error{Kind: fault.Conflict, Field: "name", Message: "Another number has this name already."}
		}
	}
	inst := instances.Instance{
		ID: instances.ID("made_20260101120000"), Name: name, Phone: in.Phone, Owner: v.User,
		Desired: instances.Running, Status: instances.Provisioning, Since: time.Now(), CreatedAt: time.Now(),
	}
	f.all = append(f.all, inst)
	if f.made == nil {
		f.made = map[string]instances.ID{}
	}
	f.made[in.RequestID] = inst.ID
	return inst, nil
}

func (f *fakeNumbers) command(v instances.Viewer, id instances.ID, verb string, args ...string) error {
	if _, err := f.Get(v, id); err != nil {
		return err
	}
	f.mu.Lock()
	f.asked = append(f.asked, strings.Join(append([]string{verb, string(id)}, args...), " "))
	refuse, after := f.refuse, f.after
	f.mu.Unlock()
	if refuse == nil && after != nil {
		after(verb)
	}
	return refuse
}

func (f *fakeNumbers) Start(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "start")
}
func (f *fakeNumbers) Stop(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "stop")
}
func (f *fakeNumbers) Restart(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "restart")
}
func (f *fakeNumbers) Reconnect(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "reconnect")
}
func (f *fakeNumbers) Logout(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "logout")
}
func (f *fakeNumbers) Pair(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "pair")
}
func (f *fakeNumbers) ConfirmPasskey(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "confirm-passkey")
}
func (f *fakeNumbers) Delete(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "delete")
}
func (f *fakeNumbers) DeleteForGood(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.command(v, id, "delete-for-good")
}
func (f *fakeNumbers) AnswerPasskey(_ context.Context, v instances.Viewer, id instances.ID, credential []byte) error {
	return f.command(v, id, "answer-passkey", string(credential))
}

func (f *fakeNumbers) Rename(_ context.Context, v instances.Viewer, id instances.ID, name string) error {
	name, err := instances.CheckName(name)
	if err != nil {
		return err
	}
	return f.command(v, id, "rename", name)
}

func (f *fakeNumbers) PairPhone(_ context.Context, v instances.Viewer, id instances.ID, phone string) (instances.PhoneCode, error) {
	return instances.PhoneCode{Code: "ABCD-EFGH"}, f.command(v, id, "pair-phone", phone)
}

func (f *fakeNumbers) SendText(_ context.Context, v instances.Viewer, id instances.ID, to, text string) (instances.Sent, error) {
	return instances.Sent{ID: "1"}, f.command(v, id, "send", to, text)
}

func (f *fakeNumbers) Found(context.Context) ([]instances.Paired, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.found), nil
}

func (f *fakeNumbers) Import(_ context.Context, _ instances.Viewer, jid string) (instances.Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "import "+jid)
	f.found = slices.DeleteFunc(f.found, func(p instances.Paired) bool { return p.JID == jid })
	return instances.Instance{}, f.refuse
}

// fakeMessages has one conversation for every number, or an error.
type fakeMessages struct {
	list    []messages.Message
	backlog messages.Backlog
	err     error
}

func (f *fakeMessages) MediaBacklog(context.Context, instances.ID) (messages.Backlog, error) {
	return f.backlog, f.err
}

func (f *fakeMessages) Latest(_ context.Context, _ instances.ID, limit int) ([]messages.Message, error) {
	return f.list[:min(limit, len(f.list))], f.err
}

func (f *fakeMessages) Search(_ context.Context, _ instances.ID, query string, limit int) (found []messages.Message, _ error) {
	for _, m := range f.list {
		if strings.Contains(m.Text, query) && len(found) < limit {
			found = append(found, m)
		}
	}
	return found, f.err
}

var errBroken = errors.New("disk on fire at /secret/place")
