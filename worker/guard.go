package worker

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"switchboard/control"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/resources"
	"switchboard/sandbox"
	"switchboard/settings"
	"switchboard/whatsapp"
)

// What a worker uses is looked at so often. Its folder is walked through, so that comes less
// often.
const (
	lookEvery     = 5 * time.Second
	lookDiskEvery = time.Minute
)

// guard ends a worker that uses more than it may. It works inside the worker, so that it
// does without the panel; what it reads lies outside the sandbox, so it is opened before.
type guard struct {
	dir   string
	statm *os.File // memory, see proc(5)
	fds   *os.File // the folder of open files
	log   *logFile
	end   context.CancelCauseFunc

	confined sandbox.Effective

	changed chan struct{} // holds one while new limits wait for a look

	mu     sync.Mutex
	limits instances.Limits
}

// ending says why the guard ended the worker.
type ending struct {
	error
	code control.ExitCode
}

func (e *ending) Unwrap() error { return e.error }

// newGuard also sets the limits that the system and the Go runtime keep by themselves.
func newGuard(doc control.StartDocument) (*guard, error) {
	g := &guard{dir: doc.Dir, log: newLogFile(doc.Dir), changed: make(chan struct{}, 1)}
	err := g.limit(doc.Limits)
	if err != nil {
		return nil, err
	}
	if g.statm, err = os.Open("/proc/self/statm"); err != nil {
		return nil, err
	}
	g.fds, err = os.Open("/proc/self/fd")
	return g, err
}

// limit has the worker keep to other limits from now on.
func (g *guard) limit(l instances.Limits) (err error) {
	if l.OpenFiles, err = limitFiles(l.OpenFiles); err != nil {
		return err
	}
	most := int64(math.MaxInt64)
	if l.Memory > 0 {
		most = l.Memory / 4 * 3 // from here on the collector works harder
	}
	debug.SetMemoryLimit(most)
	l.Log = cmp.Or(l.Log, defaultLog)
	g.log.limit(l.Log)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
	return nil
}

// limitFiles limits open files and returns the limit in force, 0 without one. It is no hard
// one for the system, so that it can be raised again, and never above that which is.
func limitFiles(n int64) (int64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("limit open files: %w", err)
	}
	l.Cur = l.Max
	if n > 0 {
		l.Cur = min(uint64(n), l.Max)
		n = int64(l.Cur)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("limit open files to %d: %w", l.Cur, err)
	}
	return n, nil
}

// Apply takes the limits among new settings. Those of a panel that knows of none are without
// even the one that every number has.
func (g *guard) Apply(s settings.Settings) {
	if s.Limits.Log == 0 {
		return
	}
	if err := g.limit(s.Limits); err != nil {
		return // what cannot be set stays as it was
	}
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// mediaSpace is what media may have of the disk: messages are more important.
func (g *guard) mediaSpace() int64 { return g.inForce().Disk / 4 * 3 }

// inForce are the limits that the worker keeps to.
func (g *guard) inForce() instances.Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limits
}

// watch returns a context that ends when a limit is exceeded; its cause is then an ending.
// The first look is taken at once: a worker that is over its limit does not begin.
func (g *guard) watch(ctx context.Context) context.Context {
	ctx, g.end = context.WithCancelCause(ctx)
	look := func(disk bool) {
		if over := g.look(disk); over != nil {
			g.end(over)
		}
	}
	look(true)
	go func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case now := <-ticker.C:
				disk := now.Sub(last) >= lookDiskEvery
				if disk {
					last = now
				}
				look(disk)
			case <-g.changed:
				look(true)
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx
}

// look compares what is used with the limits. What cannot be read counts as well: it must
// not end a number.
func (g *guard) look(disk bool) *ending {
	over := func(code control.ExitCode, format string, args ...any) *ending {
		return &ending{fault.New(fault.Unavailable, fmt.Sprintf(format, args...)), code}
	}
	limits := g.inForce()
	if n := limits.Memory; n > 0 {
		if used := g.memory(); used > n {
			return over(control.ExitMemoryLimit, "The worker uses %d MiB of memory, of %d that it may.", used>>20, n>>20)
		}
	}
	if n := limits.OpenFiles; n > 0 {
		if used := g.files(); used > n/10*9 { // at the limit itself nothing works any more
			return over(control.ExitFilesLimit, "The worker has %d files and connections open, of %d that it may.", used, n)
		}
	}
	if disk {
		g.log.prune()
	}
	if n := limits.Disk; disk && n > 0 {
		if used := resources.FolderSize(g.dir); used > n {
			return over(control.ExitDiskLimit, "The folder of this number has %d MiB, of %d that it may.", used>>20, n>>20)
		}
	}
	return nil
}

// renew ends the worker when WhatsApp cannot be reached and the sandbox may be why.
func (g *guard) renew(ctx context.Context, session *whatsapp.Session) {
	for {
		changed := session.Changed()
		if session.Report().Reason == instances.NoNetwork && g.confined.Outgrown() {
			g.end(&ending{fault.New(fault.Unavailable, "The name servers or certificates of this machine were replaced."), control.ExitOutgrown})
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// memory is what the process has in RAM and shares with no file, in bytes.
func (g *guard) memory() int64 {
	text := make([]byte, 256)
	n, _ := g.statm.ReadAt(text, 0) // the end of the file is no failure
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(text[:n]), &size, &resident, &shared); err != nil {
		return 0
	}
	return (resident - shared) * int64(os.Getpagesize())
}

// files is the number of open files, sockets among them.
func (g *guard) files() int64 {
	if _, err := g.fds.Seek(0, 0); err != nil {
		return 0
	}
	names, err := g.fds.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return int64(len(names))
}
