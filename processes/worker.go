package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/cgroups"
	"switchboard/control"
	"switchboard/fault"
	"switchboard/instances"
)

const (
	afterTerm = 2 * time.Second      // from SIGTERM to SIGKILL
	afterKill = 2 * time.Second      // for what a worker left behind to go away
	lookAgain = 5 * time.Millisecond // at what is going away
	sizeCheck = 5 * time.Second      // between looks at the output of a worker
)

// worker is a running worker process, started here or found.
type worker struct {
	*control.Client // asks; Stop, Reports and Configure are below

	dir    string
	facts  instances.Facts
	handle *os.File              // the pidfd
	child  *exec.Cmd             // nil if it is not our child
	group  *cgroups.Group        // nil without control groups
	limit  func(context.Context) // brings the limits of group up to date

	life   context.Context // ends with the worker
	ended  context.CancelFunc
	exited chan struct{}
	exit   instances.Exit // set before exited is closed

	mu     sync.Mutex
	asked  bool // Stop was called
	reaped bool // the pid may belong to somebody else
}

var _ instances.Worker = (*worker)(nil)

func newWorker(dir string, note record, handle *os.File, child *exec.Cmd, group *cgroups.Group) *worker {
	w := &worker{
		Client: control.Dial(filepath.Join(dir, control.SocketName), note.Token, note.PID),
		dir:    dir,
		facts:  instances.Facts{PID: note.PID, Port: note.Port, Version: note.Version, StartedAt: note.StartedAt},
		handle: handle, child: child, group: group, exited: make(chan struct{}),
	}
	w.life, w.ended = context.WithCancel(context.Background())
	return w
}

func (w *worker) Facts() instances.Facts  { return w.facts }
func (w *worker) Exited() <-chan struct{} { return w.exited }

// Exit tells how the worker ended; it is the zero Exit before Exited is closed.
func (w *worker) Exit() instances.Exit {
	select {
	case <-w.exited:
		return w.exit
	default:
		return instances.Exit{}
	}
}

func (w *worker) Reports(ctx context.Context) <-chan instances.Report {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(w.life, cancel)
	return w.Client.Reports(ctx)
}

// Configure brings new settings to the worker, and the limits that are among them to its
// control group.
func (w *worker) Configure(ctx context.Context, document json.RawMessage) error {
	if w.group != nil {
		w.limit(ctx)
	}
	return w.Client.Configure(ctx, document)
}

// Stop asks over the control socket, and after grace the process group by signals.
func (w *worker) Stop(ctx context.Context, grace time.Duration) error {
	w.mu.Lock()
	w.asked = true
	w.mu.Unlock()

	asking, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	stopAsking := context.AfterFunc(w.life, cancel)
	defer stopAsking()
	if w.Client.Stop(asking) != nil {
		w.signal(unix.SIGTERM) // it may not have its socket yet, or no longer
	}
	select {
	case <-w.exited:
		return nil
	case <-asking.Done():
	}
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, afterTerm}, {unix.SIGKILL, time.Minute}} {
		if ctx.Err() == nil {
			w.signal(step.signal)
		}
		timer := time.NewTimer(step.wait)
		select {
		case <-w.exited:
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	select {
	case <-w.exited:
		return nil
	default:
		return fault.Wrap(fault.Unavailable, "The process of this number could not be stopped. Try again.",
			fmt.Errorf("stop process %d: %w", w.facts.PID, context.Cause(ctx)))
	}
}

// signal reaches the worker and what it started.
func (w *worker) signal(s unix.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.reaped {
		_ = unix.Kill(-w.facts.PID, s) // it fails when everybody has gone
	}
}

// watch waits for the end of the process, clears up behind it and announces the end.
func (w *worker) watch(forget func()) {
	w.wait()
	w.signal(unix.SIGKILL) // whatever it started ends with it
	var status *os.ProcessState
	w.mu.Lock()
	if w.child != nil {
		_ = w.child.Wait() // the status says more than the error
		status = w.child.ProcessState
	} else if found, err := os.FindProcess(w.facts.PID); err == nil {
		// It is our child all the same if this process has executed a new program since.
		status, _ = found.Wait()
	}
	w.reaped = true
	asked := w.asked
	w.mu.Unlock()
	w.handle.Close()
	w.clear()

	trimOutput(w.dir)
	w.exit = exitOf(w.dir, w.facts.PID, status, asked)
	if w.group != nil {
		w.exit.Reason = limited(w.exit.Reason, w.group)
		_ = w.group.Remove() // before the next start, if not now
	}
	w.ended()
	w.Hang()
	forget()
	close(w.exited)
}

// wait returns when the process has ended. It blocks no thread. Between times it keeps
// the output of the worker from filling the disk.
func (w *worker) wait() {
	raw, err := w.handle.SyscallConn()
	for err == nil {
		if err = w.handle.SetReadDeadline(time.Now().Add(sizeCheck)); err != nil {
			break
		}
		err = raw.Read(func(fd uintptr) bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n > 0
		})
		if err == nil {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			trimOutput(w.dir)
			err = nil
		}
	}
	// The poller does not take pidfds on some sandboxed kernels: then a thread waits.
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.handle.Fd()), Events: unix.POLLIN}}, -1)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// clear waits until the processes that the worker left behind are gone.
func (w *worker) clear() {
	pid := w.facts.PID
	if unix.Kill(-pid, 0) != nil {
		return // the ordinary case: there are none
	}
	for deadline := time.Now().Add(afterKill); time.Now().Before(deadline); {
		left := members(pid)
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			_ = unix.Kill(p, unix.SIGKILL)
		}
		<-time.After(lookAgain)
	}
}
