package processes

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// identity tells one process from every other that ever ran on this machine, this pid's
// earlier and later owners included.
type identity struct {
	PID   int    `json:"pid"`
	Ticks uint64 `json:"start_ticks"` // since boot
	Boot  string `json:"boot_id"`
	// The program, by its file. The path would not do: an upgrade puts another file there.
	Device uint64 `json:"exe_device"`
	Inode  uint64 `json:"exe_inode"`
}

// errGone is the error for a process that ended, a zombie included.
var errGone = errors.New("the process has ended")

var bootID = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
})

func identify(pid int) (identity, error) {
	boot, err := bootID()
	if err != nil {
		return identity{}, err
	}
	s, err := readStat(pid)
	if err != nil {
		return identity{}, err
	}
	if s.dead() {
		return identity{}, errGone
	}
	var exe syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d/exe", pid), &exe); errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return identity{}, errGone
	} else if err != nil {
		return identity{}, fmt.Errorf("look at the program of process %d: %w", pid, err)
	}
	return identity{PID: pid, Ticks: s.ticks, Boot: boot, Device: exe.Dev, Inode: exe.Ino}, nil
}

// stat is the part of /proc/<pid>/stat that matters here.
type stat struct {
	state   byte
	group   int
	session int
	ticks   uint64
}

func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return stat{}, errGone
	} else if err != nil {
		return stat{}, err
	}
	// The second field is the program's name in brackets and may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	s := stat{state: fields[0][0]}
	var errs [3]error
	s.group, errs[0] = strconv.Atoi(string(fields[2]))
	s.session, errs[1] = strconv.Atoi(string(fields[3]))
	s.ticks, errs[2] = strconv.ParseUint(string(fields[19]), 10, 64)
	return s, errors.Join(errs[:]...)
}

// members returns the living processes of the session or group that pid led.
func members(pid int) []int {
	folders, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, f := range folders {
		p, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(p); err == nil && !s.dead() && (s.session == pid || s.group == pid) {
			found = append(found, p)
		}
	}
	return found
}

// pidfdFile makes a file of a pidfd, on which Go's poller can wait: no thread is blocked
// for a worker. The file owns fd.
func pidfdFile(fd int) (*os.File, error) {
	if fd < 0 {
		return nil, errors.New("this kernel has no pidfds; Linux 5.4 or later is needed")
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("prepare pidfd: %w", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}
