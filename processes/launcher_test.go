package processes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/control"
	"switchboard/fault"
	"switchboard/instances"
)

func TestLaunch(t *testing.T) {
	t.Parallel()
	l := newLauncher(t)
	before := time.Now()
	w := launch(t, l, "well")
	report := ready(t, w)
	pid := w.Facts().PID
	if report.PushName != "TZ=Europe/Rome" || report.JID != "worker" {
		t.Errorf("environment %q, arguments %q", report.PushName, report.JID)
	}
	if f := w.Facts(); f.Port != 3001 || f.Version != "1.2.3" || f.StartedAt.Before(before) || f.StartedAt.After(time.Now()) {
		t.Errorf("facts %+v", f)
	}
	if s, err := readStat(pid); err != nil || s.session != pid || s.group != pid {
		t.Errorf("session %d and group %d of process %d, %v", s.session, s.group, pid, err)
	}
	for name, mode := range map[string]os.FileMode{"": os.ModeDir | 0o700, recordName: 0o600, outputName: 0o600, control.SocketName: os.ModeSocket | 0o600} {
		if info, err := os.Stat(filepath.Join(w.dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("mode of %q: %v, %v", name, info, err)
		}
	}
	if _, err := w.PairPhone(t.Context(), "49170"); fault.KindOf(err) != fault.Conflict || fault.MessageOf(err) != "Not now." {
		t.Errorf("a fault of the worker came as %v", err)
	}
	if err := l.Discard(t.Context(), testID); err == nil {
		t.Error("the folder of a running worker was discarded")
	}
	if again, err := l.Find(t.Context(), testID); again != instances.Worker(w) || err != nil {
		t.Errorf("Find: %v, %v", again, err)
	}
	if again, err := l.Launch(t.Context(), spec(testID, "second")); again != instances.Worker(w) || err != nil {
		t.Errorf("a second launch: %v, %v", again, err)
	}
	if again, err := New(l.o).Launch(t.Context(), spec(testID, "second")); err != nil || again.Facts().PID != pid {
		t.Errorf("a launch by another launcher: %v, %v", again, err)
	}

	reports := w.Reports(t.Context())
	if err := w.Stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	<-w.Exited()
	for range reports { // is closed by the end of the worker
	}
	if e := w.Exit(); !e.Asked || e.Reason != "" || e.Final || e.Lines != nil {
		t.Errorf("exit %+v", e)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
		t.Error("the child was not reaped")
	}
	if again, err := l.Find(t.Context(), testID); again != nil || err != nil {
		t.Errorf("Find after the end: %v, %v", again, err)
	}
	if err := errors.Join(l.Discard(t.Context(), testID), l.Discard(t.Context(), testID)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// A worker gets nothing that whoever started this process had left open: it outlives them, and its
// sandbox does not close what is open already.
func TestNothingElseIsOpen(t *testing.T) {
	t.Parallel()
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	left, err := unix.Dup(int(secret.Fd())) // which every program inherits
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(left)
	w := launch(t, newLauncher(t), "well")
	ready(t, w)
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", w.Facts().PID))
	if err != nil || len(open) < 3 {
		t.Fatalf("%q, %v", open, err)
	}
	for _, path := range open {
		if to, _ := os.Readlink(path); to == secret.Name() {
			t.Errorf("the worker has %s open", to)
		}
	}
}

func TestLaunchFaults(t *testing.T) {
	t.Parallel()
	l := newLauncher(t)
	if w, err := l.Launch(t.Context(), spec("../a", "x")); err == nil {
		t.Errorf("a path as id was launched: %v", w)
	}
	if err := l.Discard(t.Context(), ".."); err == nil {
		t.Error("a path as id was discarded")
	}
	l.o.Executable = filepath.Join(t.TempDir(), "missing")
	if _, err := l.Launch(t.Context(), spec(testID, "x")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a missing program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Launch(ctx, spec(testID, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	if w, err := l.Find(t.Context(), testID); w != nil || err != nil {
		t.Errorf("Find: %v, %v", w, err)
	}
}

// A record that cannot be read keeps no number from running.
func TestLaunchOverABrokenRecord(t *testing.T) {
	t.Parallel()
	l := newLauncher(t)
	dir, err := l.folder(testID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, recordName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Find(t.Context(), testID); err == nil {
		t.Error("Find gives no error")
	}
	ready(t, launch(t, l, "well"))
}

// Every way to end has its own exit.
func TestExit(t *testing.T) {
	t.Parallel()
	send := func(order, text string) func(*testing.T, *worker) {
		return func(t *testing.T, w *worker) {
			ready(t, w)
			ctx, cancel := context.WithCancel(t.Context())
			context.AfterFunc(w.life, cancel)
			_, _ = w.SendText(ctx, order, text) // there is no answer any more
		}
	}
	for name, c := range map[string]struct {
		name string // what the worker is told at its start
		do   func(*testing.T, *worker)
		want instances.Exit
		line string
	}{
		"killed":           {do: func(t *testing.T, w *worker) { ready(t, w); w.signal(syscall.SIGKILL) }, want: instances.Exit{Reason: instances.WorkerKilled}},
		"killed very soon": {do: func(_ *testing.T, w *worker) { w.signal(syscall.SIGKILL) }, want: instances.Exit{Reason: instances.WorkerKilled}},
		"told by SIGTERM":  {do: func(t *testing.T, w *worker) { ready(t, w); w.signal(syscall.SIGTERM) }, want: instances.Exit{Asked: true}},
		"panic":            {do: send("panic", "oh no"), want: instances.Exit{Reason: instances.WorkerCrashed}, line: "panic: oh no"},
		"fatal signal":     {do: send("abort", "200"), want: instances.Exit{Reason: instances.WorkerCrashed}, line: "SIGABRT: abort"},
		"a long farewell":  {do: send("abort", "5000"), want: instances.Exit{Reason: instances.WorkerCrashed}, line: "SIGABRT: abort"},
		"strange code":     {name: "ends without a word", want: instances.Exit{Reason: instances.WorkerCrashed}},
		"port taken":       {name: "ends at once", want: instances.Exit{Reason: instances.PortTaken}},
		"usage":            {do: send("end", "2"), want: instances.Exit{Reason: instances.StartRefused, Final: true}},
		"refused":          {do: send("end", "10"), want: instances.Exit{Reason: instances.DatabaseRefused}},
		"damaged":          {do: send("end", "11"), want: instances.Exit{Reason: instances.DatabaseDamaged, Final: true}},
		"newer":            {do: send("end", "12"), want: instances.Exit{Reason: instances.DatabaseNewer, Final: true}},
		"folder full":      {do: send("end", "17"), want: instances.Exit{Reason: instances.DiskLimit}},
		"disk full":        {do: send("end", "19"), want: instances.Exit{Reason: instances.StorageFull}},
		"locked":           {do: send("end", "13"), want: instances.Exit{Reason: instances.LockedByAnother}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := launch(t, newLauncher(t), c.name)
			if c.do != nil {
				c.do(t, w)
			}
			<-w.Exited()
			got := w.Exit()
			if got.Asked != c.want.Asked || got.Reason != c.want.Reason || got.Final != c.want.Final {
				t.Errorf("exit %+v, want %+v", got, c.want)
			}
			if c.line != "" && !slices.Contains(got.Lines, c.line) {
				t.Errorf("no line %q in %q", c.line, got.Lines)
			}
		})
	}
}

func TestLaunchOnAFullDisk(t *testing.T) {
	t.Parallel()
	l := newLauncher(t)
	dir, err := l.folder(testID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, recordName+".new")); err != nil { // every write to it finds no room
		t.Fatal(err)
	}
	if _, err := l.Launch(t.Context(), spec(testID, "x")); !errors.Is(err, instances.ErrNoRoom) || !strings.Contains(fault.MessageOf(err), "no room left on the disk") {
		t.Errorf("%v", err)
	}
}

func TestStopOfAWorkerThatDoesNotListen(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*worker){
		"deaf":   func(*worker) {},
		"frozen": func(w *worker) { w.signal(syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := launch(t, newLauncher(t), name)
			ready(t, w)
			sent, err := w.SendText(t.Context(), "grandchild", "")
			if err != nil {
				t.Fatal(err)
			}
			grandchild, _ := strconv.Atoi(sent.ID)
			prepare(w)

			soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := w.Stop(soon, time.Minute); fault.KindOf(err) != fault.Unavailable || gone(w.Facts().PID) {
				t.Fatalf("stop with little time: %v", err)
			}
			if err := w.Stop(t.Context(), 20*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if !gone(w.Facts().PID) || !gone(grandchild) {
				t.Errorf("gone: worker %v, grandchild %v", gone(w.Facts().PID), gone(grandchild))
			}
			if e := w.Exit(); !e.Asked {
				t.Errorf("exit %+v", e)
			}
		})
	}
}

func TestStopBeforeTheWorkerIsReady(t *testing.T) {
	t.Parallel()
	w := launch(t, newLauncher(t), "well")
	if err := w.Stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if !gone(w.Facts().PID) || !w.Exit().Asked {
		t.Errorf("exit %+v", w.Exit())
	}
}

func TestWhatAWorkerStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	w := launch(t, newLauncher(t), "well")
	ready(t, w)
	sent, err := w.SendText(t.Context(), "grandchild", "")
	if err != nil {
		t.Fatal(err)
	}
	grandchild, _ := strconv.Atoi(sent.ID)
	if gone(grandchild) {
		t.Fatal("there is no grandchild")
	}
	_ = syscall.Kill(w.Facts().PID, syscall.SIGKILL) // the worker alone
	<-w.Exited()
	if !gone(grandchild) {
		t.Error("the grandchild lives")
	}
}

func TestFloodedOutputIsBounded(t *testing.T) {
	t.Parallel()
	w := launch(t, newLauncher(t), "well")
	ready(t, w)
	order := func(what, text string) {
		t.Helper()
		if _, err := w.SendText(t.Context(), what, text); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(w.dir, outputName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	order("flood", "2048")
	if size() < 2<<20 {
		t.Fatalf("the child printed %d bytes only", size())
	}
	trimOutput(w.dir)
	if size() != outputKept {
		t.Errorf("%d bytes were kept", size())
	}
	order("print", "after the flood")
	order("print", "\x1b[31mred\xff\x00")
	if said := printed(w.dir); said[len(said)-2] != "after the flood" || said[len(said)-1] != "[31mred\ufffd" {
		t.Errorf("last lines %q", said[len(said)-2:])
	}
	order("flood", "2048")
	w.signal(syscall.SIGKILL)
	<-w.Exited()
	if lines := w.Exit().Lines; len(lines) != linesKept || len(lines[0]) != lineMax || size() != outputKept {
		t.Errorf("%d lines, the first of %d bytes; %d bytes in the file", len(lines), len(lines[0]), size())
	}
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, control.LogName), []byte(strings.Repeat("log\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	said := slices.Concat([]string{"noise", "panic: why"}, slices.Repeat([]string{"goroutine"}, 200))
	got := lastLines(dir, said)
	if len(got) != linesKept || got[0] != "log" || got[linesKept/2] != "panic: why" || got[linesKept-1] != "goroutine" {
		t.Errorf("got %q", got)
	}
}

// orphan starts a parent that starts a worker, kills the parent and returns the worker as
// a second launcher finds it.
func orphan(t *testing.T) (*Launcher, *worker) {
	t.Helper()
	l := newLauncher(t)
	parent := exec.Command(os.Args[0], "parent", l.o.Dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 100)
	n, _ := out.Read(answer)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	pid, err := strconv.Atoi(strings.TrimSpace(string(answer[:n])))
	if err != nil {
		t.Fatalf("the parent said %q", answer[:n])
	}
	found, err := l.Find(t.Context(), testID)
	if err != nil || found == nil {
		t.Fatalf("Find: %v, %v", found, err)
	}
	w := found.(*worker)
	t.Cleanup(func() {
		w.signal(syscall.SIGKILL)
		<-w.Exited()
	})
	if f := w.Facts(); f.PID != pid || f.Port != 3001 || f.Version != "1.2.3" || f.StartedAt.IsZero() {
		t.Errorf("facts %+v, want pid %d", f, pid)
	}
	if r := ready(t, w); r.PushName != "TZ=Europe/Rome" {
		t.Errorf("report %+v", r)
	}
	return l, w
}

func TestAWorkerOutlivesItsParent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*testing.T, *worker)
		want instances.Exit
	}{
		"stopped": {func(t *testing.T, w *worker) {
			if err := w.Stop(t.Context(), time.Minute); err != nil {
				t.Error(err)
			}
		}, instances.Exit{Asked: true}},
		"told":    {func(_ *testing.T, w *worker) { w.signal(syscall.SIGTERM) }, instances.Exit{Asked: true}},
		"killed":  {func(_ *testing.T, w *worker) { w.signal(syscall.SIGKILL) }, instances.Exit{Reason: instances.WorkerKilled}},
		"panic":   {func(t *testing.T, w *worker) { _, _ = w.SendText(w.life, "panic", "oh no") }, instances.Exit{Reason: instances.WorkerCrashed}},
		"damaged": {func(t *testing.T, w *worker) { _, _ = w.SendText(w.life, "end", "11") }, instances.Exit{Reason: instances.DatabaseDamaged, Final: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, w := orphan(t)
			c.do(t, w)
			<-w.Exited()
			if e := w.Exit(); e.Asked != c.want.Asked || e.Reason != c.want.Reason || e.Final != c.want.Final {
				t.Errorf("exit %+v, want %+v", e, c.want)
			}
			if !gone(w.Facts().PID) {
				t.Error("the process lives")
			}
			if again, err := l.Find(t.Context(), testID); again != nil || err != nil {
				t.Errorf("Find after the end: %v, %v", again, err)
			}
		})
	}
}

// A pid that belongs to another process by now is not believed.
func TestFindChecksTheIdentity(t *testing.T) {
	t.Parallel()
	self, err := identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*identity){
		"start time": func(i *identity) { i.Ticks++ },
		"boot":       func(i *identity) { i.Boot = "another" },
		"program":    func(i *identity) { i.Inode++ },
		"no process": func(i *identity) { i.PID = 1 << 30 },
	} {
		dir := t.TempDir()
		note := record{identity: self, Token: "x"}
		change(&note.identity)
		if err := note.write(dir); err != nil {
			t.Fatal(err)
		}
		if w, err := find(dir, nil); w != nil || err != nil {
			t.Errorf("another %s: found %v, %v", name, w, err)
		}
	}
	dir := t.TempDir()
	if err := (record{identity: self}).write(dir); err != nil {
		t.Fatal(err)
	}
	w, err := find(dir, nil)
	if err != nil || w == nil {
		t.Fatalf("the right process is not found: %v, %v", w, err)
	}
	w.handle.Close()
	if err := os.WriteFile(filepath.Join(dir, recordName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := find(dir, nil); err == nil {
		t.Error("a broken record gives no error")
	}
}

// A worker whose parent died before the record was written must not run unknown.
func TestAWorkerWithoutStartDocumentEnds(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "worker")
	cmd.Stdin = strings.NewReader("")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != int(control.ExitUsage) {
		t.Errorf("got %v", err)
	}
}
