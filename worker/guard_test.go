package worker_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"switchboard/control"
	"switchboard/instances"
)

// probeMemory takes more memory than the worker may have.
func probeMemory() {
	for hoard := [][]byte{}; ; {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		if hoard = append(hoard, block); len(hoard) == 128 {
			for { // what nobody uses any more would be given back
				hoard[len(hoard)-1][0]++
			}
		}
	}
}

// probeFiles opens as many files as the system lets it.
func probeFiles() {
	for files := []*os.File{}; ; {
		file, err := os.Open(os.DevNull)
		if err != nil {
			select {}
		}
		files = append(files, file)
	}
}

func TestAWorkerThatUsesTooMuch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits instances.Limits
		probe  string
		want   control.ExitCode
	}{
		"memory":            {instances.Limits{Memory: 64 << 20}, "memory", control.ExitMemoryLimit},
		"open files":        {instances.Limits{OpenFiles: 100}, "files", control.ExitFilesLimit},
		"memory from start": {instances.Limits{Memory: 1}, "", control.ExitMemoryLimit},
		"disk from start":   {instances.Limits{Disk: 1}, "", control.ExitDiskLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(t)
			doc.Limits = c.limits
			r := process(t, doc, func(cmd *exec.Cmd) {
				if c.probe != "" {
					cmd.Args = append(cmd.Args, c.probe)
				}
			})
			if code := r.ended(t); code != c.want {
				t.Fatalf("ended with %d, want %d", code, c.want)
			}
			if code, ok := control.NotedExit(doc.Dir, r.cmd.Process.Pid); !ok || code != c.want {
				t.Errorf("noted is %d, %v", code, ok)
			}
			// Its databases are as sound as they were, and it runs with a limit that it keeps to.
			doc.Limits = instances.Limits{Memory: 512 << 20, OpenFiles: 1024, Disk: 1 << 30}
			start(t, doc)
		})
	}
}

// TestNewNameServers replaces a file that a worker without network was given to read, as some
// programs do with /etc/resolv.conf: only a new worker may read the new one.
func TestNewNameServers(t *testing.T) {
	t.Parallel()
	if abi, err := ll.LandlockGetABIVersion(); err != nil || abi < 1 {
		t.Skip("this kernel has no Landlock")
	}
	roots := filepath.Join(t.TempDir(), "roots.pem")
	must(t, os.WriteFile(roots, nil, 0o600))
	doc := document(t)
	r := process(t, doc, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+roots) })
	r.reports(t)
	must(t, os.WriteFile(roots+".new", nil, 0o600))
	must(t, os.Rename(roots+".new", roots))
	if code := r.ended(t); code != control.ExitOutgrown {
		t.Errorf("ended with %d", code)
	}
}

// TestRoomIsMade sees a number run again once its folder is small enough.
func TestRoomIsMade(t *testing.T) {
	t.Parallel()
	doc := document(t)
	doc.Limits.Disk = 3 << 20
	big := filepath.Join(doc.Dir, "big")
	must(t, os.WriteFile(big, make([]byte, 4<<20), 0o600))
	if code := process(t, doc, nil).ended(t); code != control.ExitDiskLimit {
		t.Fatalf("ended with %d", code)
	}
	must(t, os.Remove(big))
	start(t, doc)
}
