package instances

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
)

// Viewer is the person or program on whose behalf something is asked. What a viewer may
// not see does not exist for it: every method answers fault.NotFound.
type Viewer struct {
	User int64
	All  bool // may see every number
}

// New is the wish for a new number.
type New struct {
	Name  string
	Phone string // digits in international form, "" if not known yet
	// RequestID makes a repeated submission of one form harmless: the second one returns
	// the instance that the first one made.
	RequestID string
}

// Options is what a Supervisor works with. Importer, PortFree and OnChange may be nil.
type Options struct {
	Store     Store
	Databases Databases
	Launcher  Launcher
	Importer  Importer
	Log       *slog.Logger
	PortStart int                 // the lowest port a worker gets
	PortFree  func(port int) bool // says whether no other program listens there
	// OnChange sees every change of status, reason or wish, in order for one instance, on
	// that instance's own goroutine: it must not block. before.ID is "" for a new instance,
	// after.ID for one that was removed.
	OnChange func(before, after Instance)
}

// Supervisor keeps every number as its owner wishes it.
type Supervisor struct{ o Options }

var errSkeleton = errors.New("not there yet")

// NewSupervisor returns a supervisor that does nothing until Open.
func NewSupervisor(o Options) *Supervisor { return &Supervisor{o: o} }

func (s *Supervisor) Open(ctx context.Context) error               { return errSkeleton }
func (s *Supervisor) Close(ctx context.Context, detach bool) error { return errSkeleton }
func (s *Supervisor) Create(ctx context.Context, v Viewer, in New) (Instance, error) {
	return Instance{}, errSkeleton
}
func (s *Supervisor) List(v Viewer) []Instance                             { return nil }
func (s *Supervisor) Get(v Viewer, id ID) (Instance, error)                { return Instance{}, errSkeleton }
func (s *Supervisor) Start(ctx context.Context, v Viewer, id ID) error     { return errSkeleton }
func (s *Supervisor) Stop(ctx context.Context, v Viewer, id ID) error      { return errSkeleton }
func (s *Supervisor) Restart(ctx context.Context, v Viewer, id ID) error   { return errSkeleton }
func (s *Supervisor) Logout(ctx context.Context, v Viewer, id ID) error    { return errSkeleton }
func (s *Supervisor) Reconnect(ctx context.Context, v Viewer, id ID) error { return errSkeleton }
func (s *Supervisor) Pair(ctx context.Context, v Viewer, id ID) error      { return errSkeleton }
func (s *Supervisor) PairPhone(ctx context.Context, v Viewer, id ID, phone string) (PhoneCode, error) {
	return PhoneCode{}, errSkeleton
}
func (s *Supervisor) AnswerPasskey(ctx context.Context, v Viewer, id ID, credential []byte) error {
	return errSkeleton
}
func (s *Supervisor) ConfirmPasskey(ctx context.Context, v Viewer, id ID) error { return errSkeleton }
func (s *Supervisor) Delete(ctx context.Context, v Viewer, id ID) error         { return errSkeleton }
func (s *Supervisor) Rename(ctx context.Context, v Viewer, id ID, name string) error {
	return errSkeleton
}
func (s *Supervisor) SendText(ctx context.Context, v Viewer, id ID, to, text string) (Sent, error) {
	return Sent{}, errSkeleton
}
func (s *Supervisor) API(v Viewer, id ID) (http.RoundTripper, error) { return nil, errSkeleton }
func (s *Supervisor) Changed(v Viewer, id ID) <-chan struct{}        { return nil }
func (s *Supervisor) Found(ctx context.Context) ([]Paired, error)    { return nil, errSkeleton }
func (s *Supervisor) Import(ctx context.Context, v Viewer, jid string) (Instance, error) {
	return Instance{}, errSkeleton
}
