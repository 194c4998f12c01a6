package main

import (
	"context"
	"log/slog"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/store"
)

// reportUnknown logs databases of numbers that no record knows. They may be what is left of
// a number whose record was lost, so nothing removes them unasked.
func reportUnknown(ctx context.Context, s *store.Store, databases *isolation.Databases, log *slog.Logger) {
	list, err := s.Instances(ctx)
	if err != nil {
		log.Warn("databases were not compared with records", "error", err)
		return
	}
	known := make([]instances.ID, 0, len(list))
	for _, i := range list {
		known = append(known, i.ID)
	}
	left, err := databases.Unknown(ctx, known)
	if err != nil {
		log.Warn("databases were not compared with records", "error", err)
		return
	}
	for _, l := range left {
		log.Warn("databases of a number that is not known here", "instance", l.ID, "bytes", l.Bytes)
	}
}
