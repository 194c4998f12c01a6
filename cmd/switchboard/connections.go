package main

import (
	"context"
	"path/filepath"

	"switchboard/isolation"
	"switchboard/store"
	"switchboard/turnstile"
)

// countingName is the file in the storage folder in which numbers count their connections.
const countingName = "connections.lock"

// connections are those of the database server, the control database's among the panel's; nil
// without a server.
func connections(ctx context.Context, databases *isolation.Databases) (*isolation.Connections, error) {
	n, err := databases.Connections(ctx)
	if n != nil {
		n.Panel += store.Connections
	}
	return n, err
}

// shareConnections bounds what all numbers have together; nil without a server.
func shareConnections(ctx context.Context, c config, dir string, databases *isolation.Databases) (*turnstile.Turnstile, error) {
	n, err := connections(ctx, databases)
	if n == nil {
		return nil, err
	}
	places, err := turnstile.Open(filepath.Join(dir, countingName), n.Share(c.DBConnections))
	if err != nil {
		return nil, refuse("STORAGE_DIR cannot be used: %s.", reasonOf(err))
	}
	databases.Bound(places)
	return places, nil
}
