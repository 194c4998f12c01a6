package main

import (
	"context"
	"log/slog"

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
