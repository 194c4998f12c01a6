package main

import (
	"context"
	"log/slog"

	"switchboard/cgroups"
)

// limitsOfGroups are the limits that the kernel keeps numbers to, where they have control
// groups.
func (c config) limitsOfGroups() cgroups.Limits {
	return cgroups.Limits{Memory: c.WorkerLimits.Memory, CPU: c.WorkerCPU}
}

// controlGroups moves the panel into a control group of its own and returns where those of
// the numbers are, nil where none were handed over.
func controlGroups(c config, log *slog.Logger) *cgroups.Tree {
	tree, err := cgroups.Find(c.limitsOfGroups())
	if err == nil {
		err = tree.Enter()
	}
	if err == nil {
		log.Info("every number has a control group")
		return tree
	}
	level := slog.LevelInfo
	if c.WorkerCPU > 0 {
		level = slog.LevelWarn // nothing else keeps to that
	}
	log.Log(context.Background(), level, "numbers have no control groups, and keep watch on themselves", "error", err)
	return nil
}
