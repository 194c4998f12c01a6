// Package sandbox takes from a process everything that it does not need, for good.
//
// A confined process reads and writes one folder of its own and nothing else on the disk,
// but for what encryption, name lookup and time zones need, which it may read. It starts no
// program but those that it was given, gains no privileges, and has none of root's but for files and ports. Where the kernel can do it, it also sends signals to no
// process outside and reaches no abstract unix socket there. Most of that is Landlock's work,
// so it holds for root as well, and nothing in the process can undo any of it.
//
// TCP stays open on purpose: a number speaks with WhatsApp, with webhooks at any address,
// perhaps with a proxy and with PostgreSQL at any port, and Landlock knows ports but no
// hosts. A list of ports would keep out nobody who owns port 443 of some host.
package sandbox

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Rules say what a process needs of the disk beside what they all do.
type Rules struct {
	Own     string   // folder to read and write; has to exist
	Read    []string // files and folders to read; those that are missing are left out
	Sockets []string // folders of unix sockets to connect to; the same
	Start   []string // programs to start, which are confined in the same way; the same
}

// Effective is what the kernel enforces.
type Effective struct {
	// Landlock is the version of the kernel's interface, 0 without Landlock: then only new
	// privileges and those of root are kept from the process.
	Landlock int
	Signals  bool // processes outside get no signals

	files map[string]fs.FileInfo // those that may be read, as they were
}

// Outgrown reports whether a file that the process was given to read has been replaced by
// another one, which it cannot read: Landlock knows files, not names. A program that renews
// /etc/resolv.conf may do that. Only a process that is confined anew gets at the new file.
func (e Effective) Outgrown() bool {
	for path, was := range e.files {
		is, err := os.Stat(path)
		if err != nil || os.SameFile(was, is) {
			continue
		}
		file, err := os.Open(path)
		if err == nil {
			_ = file.Close()
		} else if errors.Is(err, fs.ErrPermission) {
			return true
		}
	}
	return false
}

// The first versions of Landlock that can keep a file from being moved between folders and
// a signal from being sent.
const (
	abiRefer  = 2
	abiScoped = 6
)

const (
	reading landlock.AccessFSSet = ll.AccessFSReadFile | ll.AccessFSReadDir
	writing landlock.AccessFSSet = ll.AccessFSWriteFile | ll.AccessFSTruncate |
		ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSMakeSock |
		ll.AccessFSRemoveFile | ll.AccessFSRemoveDir
)

// handled is everything on the disk that is refused unless a rule allows it: executing a
// program is among it.
var handled = landlock.Config{HandledAccessFS: landlock.V9.HandledAccessFS, Scoped: landlock.V9.Scoped}

// Available returns the version of Landlock that the kernel has, 0 without one.
func Available() int {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return max(abi, 0)
}

// Confine confines the process with all its threads, now and until it ends; what is open
// already stays open. A kernel that has no Landlock, or only an older one, enforces what it
// can, which is no error. After an error the process may be confined in part, and should end.
func Confine(r Rules) (Effective, error) {
	// Landlock asks for this anyway; it holds also where there is none.
	if err := ll.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return Effective{}, fmt.Errorf("renounce new privileges: %w", err)
	}
	if err := renounce(); err != nil {
		return Effective{}, err
	}
	abi := Available()
	if abi < 1 {
		return Effective{}, nil
	}
	own := reading | writing
	if abi >= abiRefer {
		own |= ll.AccessFSRefer
	}
	files, folders := kinds(slices.Concat(system(), r.Read))
	rules := []landlock.Rule{
		landlock.PathAccess(own, r.Own),
		landlock.PathAccess(reading, folders...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile, files...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSWriteFile, os.DevNull).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSResolveUnix, r.Sockets...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSExecute, startable(r.Start)...).IgnoreIfMissing(),
	}
	if err := handled.BestEffort().Restrict(rules...); err != nil {
		return Effective{}, fmt.Errorf("confine to %s: %w", r.Own, err)
	}
	e := Effective{Landlock: abi, Signals: abi >= abiScoped, files: map[string]fs.FileInfo{}}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil {
			e.files[path] = info
		}
	}
	return e, nil
}

// startable lists programs with what the kernel starts them through: the loader of those
// that are linked to libraries.
func startable(programs []string) []string {
	all := slices.Clone(programs)
	for _, path := range programs {
		file, err := elf.Open(path)
		if err != nil {
			continue // a script, or nothing
		}
		for _, part := range file.Progs {
			if part.Type == elf.PT_INTERP {
				name := make([]byte, part.Filesz)
				if _, err := part.ReadAt(name, 0); err == nil {
					all = append(all, strings.TrimRight(string(name), "\x00"))
				}
			}
		}
		_ = file.Close()
	}
	return all
}

// kinds separates files from folders, which Landlock gives different rights.
func kinds(paths []string) (files, folders []string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.IsDir():
			folders = append(folders, path)
		case info.Mode()&fs.ModeType == 0:
			files = append(files, path)
		}
	}
	return files, folders
}
