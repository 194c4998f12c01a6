// Package cgroups gives every worker a control group of its own, so that the kernel itself
// keeps it within its memory, its share of the processors and its number of programs, and
// shares the processors evenly between numbers.
//
// It works in the part of the hierarchy of control groups (version 2) that was handed to
// Switchboard, by systemd or by a container. There the panel has the group "panel" and each
// worker one below "numbers":
//
//	switchboard.service
//	├── panel
//	└── numbers
//	    ├── business_01_20240101120000
//	    └── …
//
// A group of the kernel's has either processes or groups in it, which is why the panel needs
// one as well. Where nothing was handed over, nothing is made, and Find says why.
package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"switchboard/fault"
)

// Names of the two groups in the part that is ours. The first one is also what the unit for
// systemd calls it (DelegateSubgroup=), so that a new panel can be started beside workers.
const (
	panelName   = "panel"
	numbersName = "numbers"
)

// controllers are what a worker's limits need.
var controllers = []string{"cpu", "memory", "pids"}

// Limits of one number's group.
type Limits struct {
	Memory int64 // bytes, 0 for no limit
	CPU    int64 // percent of one processor, 0 for no limit
}

// Tree is the part of the hierarchy that is ours. It may be used by several goroutines at
// once, for different numbers.
type Tree struct {
	dir string
}

// Find looks for the part of the hierarchy that was handed to this process, and changes
// nothing. If there is none, the error is a fault that says why.
func Find() (*Tree, error) { return FindOf(os.Getpid()) }

// FindOf looks for the part that was handed to another process of this user's: a panel that runs.
func FindOf(pid int) (*Tree, error) {
	mount, root, err := mounted()
	if err != nil {
		return nil, err
	}
	own, err := pathOf(pid)
	if err != nil {
		return nil, err
	}
	below, err := filepath.Rel(root, own)
	if err != nil || strings.HasPrefix(below, "..") {
		return nil, fault.New(fault.Unavailable, fmt.Sprintf("The control group of process %d is not in what is mounted at ", pid)+mount+".")
	}
	t := &Tree{dir: filepath.Join(mount, below)}
	inPanel := filepath.Base(t.dir) == panelName && below != "."
	if inPanel {
		t.dir = filepath.Dir(t.dir)
	}
	if err := t.usable(below == "."); err != nil {
		return nil, err
	}
	if !inPanel && strings.HasSuffix(t.dir, ".service") {
		// systemd puts the next panel where this one was, which the kernel refuses as long as
		// there are groups: with numbers that go on, the panel could not be started again.
		return nil, fault.New(fault.Unavailable, "The unit has Delegate=yes and not DelegateSubgroup="+panelName+", which systemd knows from version 254 on.")
	}
	return t, nil
}

// usable says why the part cannot be used. outermost is true for the uppermost group that
// this process can see, which a container hands over whole.
func (t *Tree) usable(outermost bool) error {
	// The machine's own uppermost group has no type, and belongs to the system.
	_, err := os.Stat(filepath.Join(t.dir, "cgroup.type"))
	if machine := err != nil; machine || !outermost && !handedOver(t.dir) {
		return fault.New(fault.Unavailable, "No part of the control groups was handed over to Switchboard. With systemd, set Delegate=yes and DelegateSubgroup="+panelName+" of the unit.")
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if unix.Access(filepath.Join(t.dir, name), unix.W_OK) != nil {
			return fault.New(fault.Unavailable, "The control groups at "+t.dir+" cannot be changed by this user.")
		}
	}
	text, err := os.ReadFile(filepath.Join(t.dir, "cgroup.controllers"))
	if err != nil {
		return fault.Wrap(fault.Unavailable, "The control groups at "+t.dir+" cannot be read.", err)
	}
	for _, name := range controllers {
		if !slices.Contains(strings.Fields(string(text)), name) {
			return fault.New(fault.Unavailable, "The control groups at "+t.dir+" cannot limit everything: "+name+" is missing.")
		}
	}
	return nil
}

// handedOver reads the mark that systemd leaves on what it hands over.
func handedOver(dir string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// mounted returns where control groups of version 2 are mounted, and which of them is there.
func mounted() (dir, root string, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", fmt.Errorf("look for control groups: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		// See proc(5): id, parent, device, root, place, options, …, "-", type, …
		place, kind, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(place); strings.HasPrefix(kind, "cgroup2 ") && len(fields) > 4 {
			return fields[4], fields[3], nil
		}
	}
	return "", "", fault.New(fault.Unavailable, "This system has no control groups of version 2.")
}

// pathOf is the group that a process is in.
func pathOf(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", fmt.Errorf("look for the control group of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path, nil
		}
	}
	return "", fault.New(fault.Unavailable, "This system has no control groups of version 2.")
}
