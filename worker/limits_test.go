package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"switchboard/control"
	"switchboard/instances"
	"switchboard/settings"
)

// limited gives a worker limits, and waits until it says that it keeps to them.
func (r *running) limited(t *testing.T, revision int64, l instances.Limits) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	document, err := json.Marshal(settings.Settings{Revision: revision, Limits: l})
	must(t, err)
	must(t, r.client.Configure(ctx, document))
	var last instances.Report
	for last = range r.client.Reports(ctx) {
		if last.Settings == revision {
			break
		}
	}
	if last.Limits != l {
		t.Fatalf("it says that it keeps to %+v, want %+v", last.Limits, l)
	}
}

func (r *running) openFiles(t *testing.T) uint64 {
	t.Helper()
	var l unix.Rlimit
	must(t, unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &l))
	return l.Cur
}

// TestLimitsChange has a worker keep to other limits without a new start, until one of them is
// what it uses already.
func TestLimitsChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last instances.Limits
		want control.ExitCode
	}{
		"memory":     {instances.Limits{Memory: 1, Log: 8 << 20}, control.ExitMemoryLimit},
		"open files": {instances.Limits{OpenFiles: 8, Log: 8 << 20}, control.ExitFilesLimit},
		"disk":       {instances.Limits{Disk: 1, Log: 8 << 20}, control.ExitDiskLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(t)
			doc.Limits = instances.Limits{Memory: 256 << 20, OpenFiles: 64, Disk: 1 << 30}
			r := start(t, doc)
			if n := r.openFiles(t); n != 64 {
				t.Errorf("it may open %d files", n)
			}
			r.limited(t, 1, instances.Limits{Memory: 512 << 20, OpenFiles: 256, Disk: 2 << 30, Log: 8 << 20, CPU: 50})
			if n := r.openFiles(t); n != 256 {
				t.Errorf("it may now open %d files", n)
			}
			document, err := json.Marshal(settings.Settings{Revision: 2, Limits: c.last})
			must(t, err)
			_ = r.client.Configure(t.Context(), document) // it may end before it answers
			if code := r.ended(t); code != c.want {
				t.Errorf("ended with %d, want %d", code, c.want)
			}
		})
	}
}

// TestALogThatIsFlooded has a worker write more than its log may have.
func TestALogThatIsFlooded(t *testing.T) {
	t.Parallel()
	doc := document(t)
	// What earlier workers have written, the first one while it might have more.
	earlier := []string{"worker-2026-01-01T00-00-00.000.log", "worker-2026-01-01T00-00-01.000.log", "worker-2026-01-01T00-00-02.000.log", "worker-2026-01-01T00-00-03.000.log"}
	for i, name := range append(earlier, control.LogName) {
		must(t, os.WriteFile(filepath.Join(doc.Dir, name), bytes.Repeat([]byte("{}\n"), max(4-4*i, 1)<<18), 0o600))
	}
	const most = 4 << 20
	doc.Limits.Log = most
	r := start(t, doc)
	gone := func(name string) bool {
		_, err := os.Stat(filepath.Join(doc.Dir, name))
		return errors.Is(err, os.ErrNotExist)
	}
	if !gone(earlier[0]) {
		t.Error("a log that is too long was left as it was")
	}
	document, err := json.Marshal(settings.Settings{Limits: instances.Limits{Log: most}})
	must(t, err)
	for lines := 0; !gone(earlier[2]); lines += 500 {
		for range 500 {
			must(t, r.client.Configure(t.Context(), document))
		}
		names, err := filepath.Glob(filepath.Join(doc.Dir, "worker*.log"))
		must(t, err)
		var total int64
		for _, name := range names {
			if info, err := os.Stat(name); err == nil { // it may be removed just now
				total += info.Size()
			}
		}
		if total > most+most/4 { // the oldest file goes just after it has become one too many
			t.Fatalf("after %d lines the log has %d bytes in %d files", lines, total, len(names))
		}
	}
}
