package instances

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"switchboard/fault"
)

// Viewer is the person or program on whose behalf something is asked. What a viewer may
// not see does not exist for it: every method answers fault.NotFound.
type Viewer struct {
	User int64
	All  bool // may see every number
	// Given are the numbers that somebody may see beside those that they made.
	Given map[ID]bool
	// Only, unless nil, takes every number away that is not in it.
	Only map[ID]bool
}

// Sees tells whether the number exists for v.
func (v Viewer) Sees(inst Instance) bool {
	return (v.All || v.User == inst.Owner || v.Given[inst.ID]) && (v.Only == nil || v.Only[inst.ID])
}

// New is the wish for a new number.
type New struct {
	Name  string
	Phone string // digits in international form, "" if not known yet
	// RequestID makes a repeated submission of one form harmless: the second one returns
	// the instance that the first one made.
	RequestID string
}

// Options is what a Supervisor works with. Keep, Settings, Importer, PortFree and OnChange may be nil.
type Options struct {
	Store     Store
	Databases Databases
	// Keep makes the last backup of a number that is deleted. If it fails, so does the
	// deletion, and nothing is lost. After a crash it is called again.
	Keep func(ctx context.Context, id ID) error
	// Room, if it is set, is asked before a deletion for which Keep will be called begins: an
	// error of it is the answer, and nothing is done.
	Room      func(ctx context.Context, id ID) error
	Launcher  Launcher
	Settings  Settings
	Importer  Importer
	Log       *slog.Logger
	Version   string              // of this program; workers of another one are replaced
	PortStart int                 // the lowest port a worker gets
	PortFree  func(port int) bool // says whether no other program listens there
	// OnChange sees every change of status, reason or wish, in order for one instance, on
	// that instance's own goroutine: it must not block. before.ID is "" for a new instance,
	// after.ID for one that was removed.
	OnChange func(before, after Instance)
}

const (
	// So many workers for each core may be between launch and first report when many are to
	// be started at once, and so many are looked for at once.
	startsPerCore = 2
	findsPerCore  = 8
)

// Supervisor keeps every number as its owner wishes it. Its methods are safe for
// concurrent use.
type Supervisor struct {
	o Options

	life    context.Context // of everything that goes on behind
	end     context.CancelFunc
	closing chan struct{} // closed by Close, after detach was set
	detach  bool

	starts  line // of the workers that are to be started
	finds   chan struct{}
	adopted chan struct{} // closed when all running workers were found

	adding sync.Mutex // one at a time chooses a name and a port

	mu      sync.RWMutex
	state   state
	runners map[ID]*runner
	known   map[ID]bool // every id that ever was in this process
	rollout Rollout
	boot    Boot
}

// state of a supervisor.
type state int

const (
	unopened state = iota
	opened
	closed
)

// NewSupervisor returns a supervisor that does nothing until Open.
func NewSupervisor(o Options) *Supervisor {
	s := &Supervisor{
		o:       o,
		closing: make(chan struct{}),
		adopted: make(chan struct{}),
		finds:   make(chan struct{}, findsPerCore*runtime.GOMAXPROCS(0)),
		runners: map[ID]*runner{},
		known:   map[ID]bool{},
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// List returns what v may see, oldest first.
func (s *Supervisor) List(v Viewer) []Instance {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]Instance, 0, len(s.runners))
	for _, r := range s.runners {
		if inst := r.snapshot(); v.Sees(inst) {
			list = append(list, inst)
		}
	}
	slices.SortFunc(list, func(a, b Instance) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Get returns one instance. A number that does not exist or is not v's is fault.NotFound.
func (s *Supervisor) Get(v Viewer, id ID) (Instance, error) {
	r, err := s.runner(v, id)
	if err != nil {
		return Instance{}, err
	}
	return r.snapshot(), nil
}

// Changed returns a channel that is closed at the next change of an instance that a person
// could notice, or when it is removed; nil for an unknown one.
func (s *Supervisor) Changed(v Viewer, id ID) <-chan struct{} {
	r, err := s.runner(v, id)
	if err != nil {
		return nil
	}
	return r.nextChange()
}

func (s *Supervisor) runner(v Viewer, id ID) (*runner, error) {
	s.mu.RLock()
	r := s.runners[id]
	s.mu.RUnlock()
	if r == nil || !v.Sees(r.snapshot()) {
		return nil, unknown()
	}
	return r, nil
}

// drop forgets a removed instance.
func (s *Supervisor) drop(id ID) {
	s.mu.Lock()
	delete(s.runners, id)
	s.mu.Unlock()
}

func unknown() error {
	return fault.New(fault.NotFound, "This number does not exist, or it belongs to somebody else.")
}

func shuttingDown() error {
	return fault.New(fault.Unavailable, "Switchboard is starting or stopping. Try again in a moment.")
}
