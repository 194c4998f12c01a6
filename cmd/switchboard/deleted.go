package main

import (
	"context"
	"log/slog"
	"time"

	"switchboard/instances"
	"switchboard/moving"
)

// keeping makes last backups of numbers that are deleted.
type keeping struct {
	in   moving.Installation
	kept moving.Deleted
	log  *slog.Logger
}

// keep makes one.
func (k keeping) keep(ctx context.Context, id instances.ID) error {
	path, err := k.kept.Keep(ctx, k.in, id)
	if err == nil {
		k.log.InfoContext(ctx, "number is removed", "instance", id, "last_backup", path)
	}
	return err
}

// room tells whether there is room for one.
func (k keeping) room(ctx context.Context, id instances.ID) error {
	return k.kept.Room(ctx, k.in, id)
}

// pruneEvery is how often old backups of deleted numbers are looked for.
const pruneEvery = time.Hour

// prune removes old backups of deleted numbers until end is called.
func (k keeping) prune() (end func()) {
	return every(0, pruneEvery, func(context.Context) {
		if err := k.kept.Prune(); err != nil {
			k.log.Warn("old backups of deleted numbers were not removed", "error", err)
		}
	})
}
