package pgtest

import (
	"syscall"
	"testing"
)

// Cluster is a server of a test's own, which it may stop.
type Cluster struct{ server *server }

// Own starts a cluster that ends with the test, with settings like "max_connections=40". It
// takes some seconds: a test that needs no more than a database calls New.
func Own(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short tests")
	}
	s, err := boot(settings...)
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	t.Cleanup(s.stop)
	if err := s.prepare(); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	return &Cluster{s}
}

// New makes a database in the cluster.
func (c *Cluster) New(t testing.TB) Database {
	t.Helper()
	return c.server.database(t)
}

// Stop ends the server as an administrator does, who does not wait for its clients: every
// connection is cut. What was committed stays.
func (c *Cluster) Stop() { c.server.end(syscall.SIGINT) }

// Start starts the server again, at the same address, and returns when it answers.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	if err := c.server.run(); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	if err := c.server.prepare(); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
}
