package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"switchboard/cgroups"
)

// controlGroups moves the panel into a control group of its own and returns where those of
// the numbers are, nil where none were handed over.
func controlGroups(c config, log *slog.Logger) *cgroups.Tree {
	tree, err := cgroups.Find()
	if err == nil {
		err = tree.Enter()
	}
	if err == nil {
		log.Info("every number has a control group")
		return tree
	}
	level := slog.LevelInfo
	if c.WorkerLimits.CPU > 0 {
		level = slog.LevelWarn // nothing else keeps to that
	}
	log.Log(context.Background(), level, "numbers have no control groups, and keep watch on themselves", "error", err)
	return nil
}

// panelOf returns the pid of the panel that works with the storage folder, or if none does
// that of this process and false.
func panelOf(c config) (pid int, runs bool) {
	path := filepath.Join(c.StorageDir, serveLockName)
	if release, err := flock(path, 0, "STORAGE_DIR", "storage folder"); err == nil {
		release()
		return os.Getpid(), false
	}
	text, err := os.ReadFile(path)
	if pid, wrong := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && wrong == nil {
		return pid, true
	}
	return os.Getpid(), false
}
