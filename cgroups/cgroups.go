package cgroups

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostTasks is what a number may have of processes and threads: a worker has a dozen, a
	// program that converts a video some for each processor.
	mostTasks = 512
	// A group is removed once its last process is gone, for which the kernel takes a moment.
	patience  = 2 * time.Second
	lookAgain = 5 * time.Millisecond
)

// Enter moves this process into the panel's group and makes the groups ready for numbers.
// Groups that are left of numbers which have ended are removed; those with a process in them
// stay as they are.
func (t *Tree) Enter() error {
	panel, numbers := filepath.Join(t.dir, panelName), filepath.Join(t.dir, numbersName)
	for _, dir := range []string{panel, numbers} {
		if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make control group: %w", err)
		}
	}
	// In a container its first process is here as well.
	text, err := os.ReadFile(filepath.Join(t.dir, "cgroup.procs"))
	if err != nil {
		return fmt.Errorf("enter control group: %w", err)
	}
	for _, pid := range append(strings.Fields(string(text)), strconv.Itoa(os.Getpid())) {
		if err := write(panel, "cgroup.procs", pid); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("enter control group: %w", err)
		}
	}
	for _, dir := range []string{t.dir, numbers} {
		if err := write(dir, "cgroup.subtree_control", "+"+strings.Join(controllers, " +")); err != nil {
			return fmt.Errorf("set up control groups: %w", err)
		}
	}
	left, err := os.ReadDir(numbers)
	if err != nil {
		return fmt.Errorf("look for control groups: %w", err)
	}
	for _, entry := range left {
		if entry.IsDir() {
			_ = os.Remove(filepath.Join(numbers, entry.Name())) // refused if there is a process
		}
	}
	return nil
}

// Group is the control group of one number's worker.
type Group struct{ dir string }

// Group returns the group of a number, which need not exist.
func (t *Tree) Group(name string) *Group {
	return &Group{filepath.Join(t.dir, numbersName, name)}
}

// Take makes the group, if it is not there, brings its limits up to date and moves a process
// into it.
func (g *Group) Take(pid int, limits Limits) error {
	if err := os.Mkdir(g.dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make control group: %w", err)
	}
	if err := g.Limit(limits); err != nil {
		return err
	}
	if err := write(g.dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("move process %d into its control group: %w", pid, err)
	}
	return nil
}

// Limit sets what the processes of the group may use from now on. If they use more memory than
// they can give back, the kernel ends one of them.
func (g *Group) Limit(limits Limits) error {
	most, cpu := "max", "max"
	if n := limits.Memory; n > 0 {
		// Without memory.high, above which a worker that leaks would crawl for minutes instead
		// of being started again: at the limit the kernel takes caches back as well.
		most = strconv.FormatInt(n, 10)
	}
	if n := limits.CPU; n > 0 {
		cpu = strconv.FormatInt(n*1000, 10)
	}
	for _, limit := range []struct{ file, value string }{
		{"memory.max", most},
		{"memory.swap.max", most}, // or what does not fit would fill the swap
		{"cpu.max", cpu + " 100000"},
		{"pids.max", strconv.Itoa(mostTasks)},
	} {
		err := write(g.dir, limit.file, limit.value)
		if errors.Is(err, fs.ErrNotExist) && limit.file == "memory.swap.max" {
			continue // a kernel that does not count swap
		}
		if err != nil {
			return fmt.Errorf("limit control group: %w", err)
		}
	}
	return nil
}

// OverMemory says whether the kernel has ended a process of the group because there was
// more memory in use than the group may have.
func (g *Group) OverMemory() bool { return g.events("memory.events", "oom_kill") > 0 }

// OverTasks says whether the kernel has refused a process or thread because the group had as
// many as it may.
func (g *Group) OverTasks() bool { return g.events("pids.events", "max") > 0 }

// events reads how often something has happened in the group; 0 if it cannot be read.
func (g *Group) events(file, name string) int {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 2 && string(fields[0]) == name {
			n, _ := strconv.Atoi(string(fields[1]))
			return n
		}
	}
	return 0
}

// Remove ends whatever runs in the group and removes it. It waits until that is gone, for
// two seconds at most. A group that does not exist is no error.
func (g *Group) Remove() error {
	for deadline := time.Now().Add(patience); ; {
		err := os.Remove(g.dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove control group: %w", err)
		}
		_ = write(g.dir, "cgroup.kill", "1") // kernels before 5.14 have no such file
		<-time.After(lookAgain)
	}
}

// write sets a value of a group.
func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
