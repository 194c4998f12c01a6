// Package processes starts workers as child processes on this machine, and finds those
// that run already.
//
// A worker is a process in a session of its own: it outlives the panel. What is needed to
// find it again lies in a small file in the folder of its instance, and its identity is
// proven before it is believed: a pid alone may belong to anybody by now.
package processes

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/cgroups"
	"switchboard/control"
	"switchboard/fault"
	"switchboard/instances"
)

// Options is what a Launcher works with.
type Options struct {
	Dir        string   // holds one folder per instance
	Executable string   // absolute; the program of Version
	Args       []string // its arguments; {"worker"} if nil
	// Env is the whole environment of a worker, for example TZ or SSL_CERT_FILE. Nothing
	// is inherited. No secrets: other programs can read it.
	Env        []string
	ListenHost string // where the workers' REST APIs listen
	Simulator  *control.Simulator
	// Limits are what the worker of a number has to keep to; nil: nothing.
	Limits      func(context.Context, instances.ID) (instances.Limits, error)
	Groups      *cgroups.Tree  // where the workers' control groups are, nil without any
	EgressAllow []netip.Prefix // as in control.StartDocument
	FFmpeg      string         // the same
	Connections int            // as in control.StartDocument
	Counting    *os.File       // control.ConnectionsFile of every worker, nil without Connections
	Version     string
	LogLevel    string
	Log         *slog.Logger
}

// Launcher implements instances.Launcher with child processes. It is safe for concurrent
// use, for different instances at once.
type Launcher struct {
	o        Options
	programs programs

	mu   sync.Mutex
	runs map[instances.ID]*worker // those that this launcher started or found, while they run
}

var _ instances.Launcher = (*Launcher)(nil)

// New returns a launcher. It does no I/O.
func New(o Options) *Launcher {
	if o.Args == nil {
		o.Args = []string{"worker"}
	}
	return &Launcher{o: o, runs: map[instances.ID]*worker{}}
}

// Launch starts a worker; see instances.Launcher. If one runs already, it is returned: its
// record must not be overwritten, or nobody would find it any more.
func (l *Launcher) Launch(ctx context.Context, spec instances.Spec) (instances.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if running, err := l.Find(ctx, spec.ID); running != nil {
		return running, nil
	} else if err != nil {
		l.o.Log.Warn("record of the worker before is not readable", "instance", spec.ID, "error", err)
	}
	group := l.group(spec.ID)
	if group != nil {
		if err := group.Remove(); err != nil { // with what is left in it
			l.o.Log.Warn("control group of the worker before is not removed", "instance", spec.ID, "error", err)
		}
	}
	w, err := l.start(ctx, spec, group)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil, fault.Wrap(fault.Unavailable, "The process of this number could not be started: there is no room left on the disk. Make room; then it starts by itself.",
			fmt.Errorf("launch worker of %s: %w: %w", spec.ID, instances.ErrNoRoom, err))
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "The process of this number could not be started. The log of the panel says why.",
			fmt.Errorf("launch worker of %s: %w", spec.ID, err))
	}
	l.keep(spec.ID, w)
	l.o.Log.Info("worker started", "instance", spec.ID, "pid", w.facts.PID, "port", w.facts.Port, "version", w.facts.Version)
	return w, nil
}

func (l *Launcher) start(ctx context.Context, spec instances.Spec, group *cgroups.Group) (_ *worker, err error) {
	program, version := l.program(spec.Version)
	dir, err := l.folder(spec.ID)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, control.ExitName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	limits, err := l.limits(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	token := rand.Text() + rand.Text()
	doc, err := json.Marshal(control.StartDocument{
		ID: spec.ID, Name: spec.Name, Version: l.o.Version, Dir: dir,
		Listen: net.JoinHostPort(l.o.ListenHost, strconv.Itoa(spec.Port)), Token: token,
		Database: spec.Database, Simulator: l.o.Simulator, LogLevel: l.o.LogLevel, Limits: limits, EgressAllow: l.o.EgressAllow, FFmpeg: l.o.FFmpeg,
		Connections: l.o.Connections, Settings: spec.Settings, Missed: spec.Missed,
	})
	if err != nil {
		return nil, err
	}
	out, err := freshOutput(dir)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	stdin, feed, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	defer feed.Close()

	pidfd := -1
	cmd := exec.Command(program, l.o.Args...)
	cmd.Args[0] = programName
	cmd.Env = append([]string{}, l.o.Env...) // never nil: nil would mean all of ours
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, out
	if l.o.Counting != nil {
		cmd.ExtraFiles = []*os.File{l.o.Counting} // the first of them is control.ConnectionsFile
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd}
	// What whoever started this process had left open is not for workers, which outlive them. A
	// kernel before 5.11 knows no such call.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	fail := func(err error) (*worker, error) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	handle, err := pidfdFile(pidfd)
	if err != nil {
		return fail(err)
	}
	note := record{Token: token, Version: version, Port: spec.Port, StartedAt: time.Now().UTC()}
	if note.identity, err = identify(cmd.Process.Pid); err != nil {
		handle.Close()
		return fail(err)
	}
	// The worker waits for its start document. Whoever dies before the note is written
	// takes the other end of the pipe along, and the worker ends: no worker runs unnoted.
	if err := note.write(dir); err != nil {
		handle.Close()
		return fail(err)
	}
	// It has done nothing yet that would have to be counted.
	l.take(spec.ID, group, note.PID, limits)
	if _, err := feed.Write(doc); err != nil {
		handle.Close()
		return fail(err)
	}
	return newWorker(dir, note, handle, cmd, group), nil
}

// group returns the control group of an instance, nil without control groups.
func (l *Launcher) group(id instances.ID) *cgroups.Group {
	if l.o.Groups == nil {
		return nil
	}
	return l.o.Groups.Group(string(id))
}

// limits returns what the worker of an instance has to keep to.
func (l *Launcher) limits(ctx context.Context, id instances.ID) (instances.Limits, error) {
	if l.o.Limits == nil {
		return instances.Limits{}, nil
	}
	return l.o.Limits(ctx, id)
}

// take puts a worker into its control group. One that cannot be limited runs all the same,
// and keeps watch on itself.
func (l *Launcher) take(id instances.ID, group *cgroups.Group, pid int, limits instances.Limits) {
	if group == nil {
		return
	}
	if err := group.Take(pid, ofGroup(limits)); err != nil {
		l.o.Log.Warn("worker is not limited by a control group", "instance", id, "error", err)
	}
}

// limit brings the limits of a worker's control group up to date.
func (l *Launcher) limit(ctx context.Context, id instances.ID, group *cgroups.Group) {
	limits, err := l.limits(ctx, id)
	if err == nil {
		err = group.Limit(ofGroup(limits))
	}
	if err != nil {
		l.o.Log.Warn("limits of a control group are not brought up to date", "instance", id, "error", err)
	}
}

func ofGroup(l instances.Limits) cgroups.Limits { return cgroups.Limits{Memory: l.Memory, CPU: l.CPU} }

// programName is what a list of processes calls a worker's program.
const programName = "switchboard"

// program returns what to execute for a version, and which version that is: the present one
// for "" and for a version whose program is gone.
func (l *Launcher) program(version string) (path, found string) {
	if path, ok := l.programs.path(version); ok {
		return path, version
	}
	return l.o.Executable, l.o.Version
}

// Discard removes the folder of an instance; see instances.Launcher.
func (l *Launcher) Discard(ctx context.Context, id instances.ID) error {
	dir, err := l.folder(id)
	if err != nil {
		return err
	}
	l.mu.Lock()
	_, runs := l.runs[id]
	l.mu.Unlock()
	if runs {
		return fmt.Errorf("discard folder of %s: its worker still runs", id)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("discard folder of %s: %w", id, err)
	}
	return nil
}

// folder returns the absolute path of an instance's folder.
func (l *Launcher) folder(id instances.ID) (string, error) {
	if !id.Valid() {
		return "", fmt.Errorf("folder of instance %q: this is not an id", id)
	}
	return filepath.Abs(filepath.Join(l.o.Dir, string(id)))
}

// keep remembers w until it ends.
func (l *Launcher) keep(id instances.ID, w *worker) {
	w.limit = func(ctx context.Context) { l.limit(ctx, id, w.group) }
	l.mu.Lock()
	l.runs[id] = w
	l.mu.Unlock()
	go w.watch(func() {
		l.mu.Lock()
		if l.runs[id] == w {
			delete(l.runs, id)
		}
		l.mu.Unlock()
	})
}
