package main

import (
	"context"
	"log/slog"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/store"
)

// unknownDatabases are those of numbers that no record knows. They may be what is left of a
// number whose record was lost, so nothing removes them unasked.
func unknownDatabases(ctx context.Context, s *store.Store, databases *isolation.Databases) ([]isolation.Leftover, error) {
	list, err := s.Instances(ctx)
	if err != nil {
		return nil, err
	}
	known := make([]instances.ID, 0, len(list))
	for _, i := range list {
		known = append(known, i.ID)
	}
	return databases.Unknown(ctx, known)
}

// reportUnknown logs them.
func reportUnknown(ctx context.Context, s *store.Store, databases *isolation.Databases, log *slog.Logger) {
	left, err := unknownDatabases(ctx, s, databases)
	if err != nil {
		log.Warn("databases were not compared with records", "error", err)
		return
	}
	for _, l := range left {
		log.Warn("databases of a number that is not known here", "instance", l.ID, "bytes", l.Bytes)
	}
}
