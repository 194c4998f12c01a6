// Package cgrouptest gives tests a part of the control groups that is handed over to them, as
// systemd hands one over to a unit.
package cgrouptest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	root   = "/sys/fs/cgroup"
	prefix = "switchboard-test-"
)

// Inside runs the test that calls it once more, in a process of its own in a group that is
// handed over to it, and reports there true. In the test itself it returns false when that
// has ended. Without root, or on a machine without control groups of version 2, the test is
// skipped.
func Inside(t *testing.T) bool {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(own), "/"+prefix) {
		return true
	}
	dir := handOver(t)
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	again.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	out, err := again.CombinedOutput()
	t.Logf("inside %s:\n%s", dir, out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// handOver makes a group with the mark that systemd leaves on what it hands over.
func handOver(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil || !strings.Contains(string(text), "memory") || os.Geteuid() != 0 {
		t.Skip("making control groups needs root, and version 2 of them with all controllers at " + root)
	}
	if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu +memory +pids"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(root, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, dir) })
	if err := unix.Setxattr(dir, "trusted.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	return dir
}

// remove ends whatever is left in a group and removes it with all groups below.
func remove(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0o600)
		var groups []string
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for i := len(groups) - 1; i >= 0; i-- {
			_ = os.Remove(groups[i])
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s is not removed", dir)
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}
