package processes

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"switchboard/instances"
)

// After an upgrade has put another program in the place of the old one, a number can still
// go back to the version in which its worker was found.
func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, "switchboard")
	if err := exec.Command("cp", os.Args[0], old).Run(); err != nil {
		t.Fatal(err)
	}
	o := options(filepath.Join(dir, "instances"), newLauncher(t).o.Log)
	o.Executable, o.Version = old, "1.0"
	before := launch(t, New(o), "well")
	was, err := identify(before.Facts().PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}

	o.Executable, o.Version = os.Args[0], "2.0"
	l := New(o)
	found, err := l.Find(t.Context(), testID)
	if err != nil || found == nil || found.Facts().Version != "1.0" {
		t.Fatalf("found %+v, %v", found, err)
	}
	for _, c := range []struct {
		version, want string
		inode         bool // the old program's
	}{{"", "2.0", false}, {"1.0", "1.0", true}, {"0.9", "2.0", false}} {
		if err := found.Stop(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		<-before.Exited() // its record is the next one's to write
		s := spec(testID, "well")
		s.Version = c.version
		if found, err = l.Launch(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		ready(t, found)
		is, err := identify(found.Facts().PID)
		if err != nil {
			t.Fatal(err)
		}
		if v := found.Facts().Version; v != c.want || (is.Inode == was.Inode) != c.inode {
			t.Errorf("asked for %q: version %s, program %d, the old one was %d", c.version, v, is.Inode, was.Inode)
		}
	}
	if err := found.Stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
}

// A process that executes a new program keeps its children, and has to bury those that it
// finds.
func TestAFoundChildIsBuried(t *testing.T) {
	t.Parallel()
	l := newLauncher(t)
	first := launch(t, l, "well")
	second := New(l.o) // what the launcher of the next program would be
	found, err := second.Find(t.Context(), testID)
	if err != nil || found == nil {
		t.Fatalf("found %v, %v", found, err)
	}
	first.mu.Lock() // the first must not be quicker, as it will not exist
	_ = syscall.Kill(first.Facts().PID, syscall.SIGKILL)
	<-found.Exited()
	if e := found.Exit(); e.Reason != instances.WorkerKilled {
		t.Errorf("exit %+v", e)
	}
	if err := syscall.Kill(first.Facts().PID, 0); err != syscall.ESRCH {
		t.Errorf("the process is still there: %v", err)
	}
	first.mu.Unlock()
}
