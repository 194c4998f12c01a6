package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/cgroups"
	"switchboard/instances"
)

// recordName is the file in an instance's folder that tells where its worker runs.
const recordName = "worker.json"

// record is what a later panel needs to find a worker. The token makes it a secret.
type record struct {
	identity
	Token     string    `json:"token"`
	Version   string    `json:"version"`
	Port      int       `json:"port"`
	StartedAt time.Time `json:"started_at"`
}

// write puts the record into dir, whole or not at all.
func (r record) write(dir string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	draft := filepath.Join(dir, recordName+".new")
	if err := os.WriteFile(draft, text, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, filepath.Join(dir, recordName))
}

// Find returns the running worker of an instance; see instances.Launcher. It is enough
// that the process lives: one that does not answer is found too, so that it can be ended.
func (l *Launcher) Find(ctx context.Context, id instances.ID) (instances.Worker, error) {
	l.mu.Lock()
	w := l.runs[id]
	l.mu.Unlock()
	if w != nil {
		return w, nil
	}
	dir, err := l.folder(id)
	if err != nil {
		return nil, err
	}
	w, err = find(dir, l.group(id))
	if err != nil {
		return nil, fmt.Errorf("find worker of %s: %w", id, err)
	}
	if w == nil {
		return nil, nil
	}
	if version := w.facts.Version; version != l.o.Version {
		if err := l.programs.keep(version, fmt.Sprintf("/proc/%d/exe", w.facts.PID)); err != nil {
			l.o.Log.Warn("program of a worker of another version is not kept", "instance", id, "error", err)
		}
	}
	limits, err := l.limits(ctx, id)
	if err != nil { // it keeps to those that it has
		l.o.Log.Warn("limits of a worker are not known", "instance", id, "error", err)
	} else {
		l.take(id, w.group, w.facts.PID, limits)
	}
	l.keep(id, w)
	l.o.Log.Info("worker adopted", "instance", id, "pid", w.facts.PID, "port", w.facts.Port, "version", w.facts.Version)
	return w, nil
}

func find(dir string, group *cgroups.Group) (*worker, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var note record
	if err := json.Unmarshal(text, &note); err != nil {
		return nil, fmt.Errorf("read %s: %w", recordName, err)
	}
	fd, err := unix.PidfdOpen(note.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil // no such process; EINVAL: the number is a thread's by now
	} else if err != nil {
		return nil, fmt.Errorf("open pidfd: %w", err)
	}
	handle, err := pidfdFile(fd)
	if err != nil {
		return nil, err
	}
	// Only now: from here on the pid cannot change hands unnoticed.
	if found, err := identify(note.PID); err != nil || found != note.identity {
		handle.Close()
		if err != nil && !errors.Is(err, errGone) {
			return nil, err
		}
		return nil, nil
	}
	return newWorker(dir, note, handle, nil, group), nil
}
