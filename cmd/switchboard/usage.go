package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"switchboard/instances"
	"switchboard/resources"
)

// usageName is the file in the storage folder with what numbers used during the last day. Who
// loses it loses charts.
const usageName = "usage"

const saveUsageEvery = 15 * time.Minute

// sampleUsage measures the processes of all numbers until the returned function is called.
// What it knows outlives the panel.
func sampleUsage(sampler *resources.Sampler, supervisor *instances.Supervisor, dir string, log *slog.Logger) (end func()) {
	path := filepath.Join(dir, usageName)
	if err := sampler.Load(path); err != nil {
		log.Warn("charts begin anew", "error", err)
	}
	save := func() {
		if err := sampler.Save(path); err != nil {
			log.Warn("charts cannot be saved", "error", err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		sampler.Run(ctx, func() map[string]int {
			running := map[string]int{}
			for _, inst := range supervisor.List(instances.Viewer{All: true}) {
				running[string(inst.ID)] = inst.PID
			}
			return running
		})
	})
	endSaving := every(saveUsageEvery, saveUsageEvery, func(context.Context) { save() })
	return func() {
		stop()
		working.Wait()
		endSaving()
		save()
	}
}

// reconnects counts how often each number was connected anew.
type reconnects struct {
	mu sync.Mutex
	of map[instances.ID]int
}

// changed is told every change of status.
func (r *reconnects) changed(before, after instances.Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case after.ID == "":
		delete(r.of, before.ID)
	case before.Status == instances.Reconnecting && after.Status == instances.Connected:
		if r.of == nil {
			r.of = map[instances.ID]int{}
		}
		r.of[after.ID]++
	}
}

func (r *reconnects) count(id instances.ID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[id]
}
