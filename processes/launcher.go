// Package processes starts workers as child processes of their own on this machine, and
// finds those that run already.
package processes

import (
	"context"
	"errors"
	"log/slog"

	"switchboard/control"
	"switchboard/instances"
)

var errSkeleton = errors.New("not there yet")

// Options is what a Launcher works with.
type Options struct {
	Dir        string   // holds one folder per instance
	Executable string   // absolute; started for every worker
	Args       []string // its arguments; {"worker"} if nil
	// Env is the whole environment of a worker, for example TZ or SSL_CERT_FILE. Nothing
	// is inherited. No secrets: other programs can read it.
	Env        []string
	ListenHost string // where the workers' REST APIs listen
	Simulator  *control.Simulator
	Version    string
	LogLevel   string
	Log        *slog.Logger
}

// Launcher implements instances.Launcher with child processes.
type Launcher struct{ o Options }

// New returns a launcher. It does no I/O.
func New(o Options) *Launcher { return &Launcher{o: o} }

func (l *Launcher) Launch(ctx context.Context, spec instances.Spec) (instances.Worker, error) {
	return nil, errSkeleton
}
func (l *Launcher) Find(ctx context.Context, id instances.ID) (instances.Worker, error) {
	return nil, errSkeleton
}
func (l *Launcher) Discard(ctx context.Context, id instances.ID) error { return errSkeleton }
