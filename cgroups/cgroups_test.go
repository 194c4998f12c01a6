package cgroups

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/cgroups/cgrouptest"
	"switchboard/fault"
)

// TestNothingIsHandedOver finds nothing where nobody has handed anything over, and changes
// nothing there.
func TestNothingIsHandedOver(t *testing.T) {
	t.Parallel()
	before := own(t)
	_, err := Find()
	if err == nil {
		t.Skip("this test runs in a group that was handed over")
	}
	if fault.KindOf(err) != fault.Unavailable || !strings.HasSuffix(fault.MessageOf(err), ".") {
		t.Errorf("%v is no sentence for a person", err)
	}
	if after := own(t); after != before {
		t.Errorf("this process was in %s and is now in %s", before, after)
	}
}

func TestGroups(t *testing.T) {
	if !cgrouptest.Inside(t) {
		return
	}
	tree, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if own(t) != "/"+filepath.Base(tree.dir) {
		t.Error("Find has moved this process")
	}
	must(t, tree.Enter())
	if !strings.HasSuffix(own(t), "/"+panelName) {
		t.Errorf("the panel is in %s", own(t))
	}

	group, sleeper := tree.Group("a_20240101120000"), sleep(t)
	must(t, group.Take(sleeper, Limits{Memory: 64 << 20, CPU: 50}))
	for file, want := range map[string]string{
		"memory.max": "67108864", "cpu.max": "50000 100000", "pids.max": "512", "cpu.weight": "100",
	} {
		if got := read(t, group, file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	if group.OverMemory() || group.OverTasks() {
		t.Error("a program that sleeps is over a limit")
	}

	// The next panel is started in the group of the one before, has other limits, and finds
	// both what runs and what has ended.
	must(t, tree.Group("ended_20240101120000").Take(sleep(t), Limits{}))
	must(t, write(tree.Group("ended_20240101120000").dir, "cgroup.kill", "1"))
	next, err := Find()
	if err != nil || next.dir != tree.dir {
		t.Fatalf("the next panel finds %v, %v", next, err)
	}
	if of, err := FindOf(os.Getpid()); err != nil || of.dir != tree.dir {
		t.Errorf("another process finds %v, %v", of, err)
	}
	poll(t, "the group that is empty is removed", func() bool {
		must(t, next.Enter())
		_, err := os.Stat(tree.Group("ended_20240101120000").dir)
		return os.IsNotExist(err)
	})
	group = next.Group("a_20240101120000")
	must(t, group.Take(sleeper, Limits{}))
	for file, want := range map[string]string{"memory.max": "max", "cpu.max": "max 100000"} {
		if got := read(t, group, file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	must(t, group.Limit(Limits{Memory: 32 << 20, CPU: 20}))
	for file, want := range map[string]string{"memory.max": "33554432", "cpu.max": "20000 100000"} {
		if got := read(t, group, file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	must(t, group.Remove())
	must(t, group.Remove())
	if err := group.Limit(Limits{}); err == nil {
		t.Error("a group that is gone was limited")
	}
	if _, err := os.Stat(group.dir); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}

func own(t *testing.T) string {
	t.Helper()
	path, err := pathOf(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	return path
}

// sleep starts a program that does nothing and returns its pid.
func sleep(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	must(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	return cmd.Process.Pid
}

func read(t *testing.T, g *Group, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	must(t, err)
	return strings.TrimSpace(string(text))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		if t.Context().Err() != nil {
			t.Fatal(what)
		}
	}
}
