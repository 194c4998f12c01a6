package pgtest

import (
	"database/sql"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"switchboard/freeport"
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

// Standby starts a second server that follows the cluster and may be read. From then on it has
// everything that the cluster commits, if that has synchronous_commit=on.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as, err := identity(dir)
	if err != nil {
		t.Fatal(err)
	}
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, port: port, program: c.server.program, as: as}
	bin, err := filepath.EvalSymlinks(s.program) // its own folder has all programs
	if err != nil {
		t.Fatal(err)
	}
	copying := exec.Command(filepath.Join(filepath.Dir(bin), "pg_basebackup"), "-R", "-c", "fast", "--no-sync",
		"-D", filepath.Join(dir, "data"), "-d", c.server.uri("postgres", password, "postgres"))
	copying.Dir, copying.SysProcAttr = dir, as
	if out, err := copying.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	if err := s.run(); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	t.Cleanup(func() { s.end(syscall.SIGQUIT) })
	if err := s.wait(); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	c.server.superuser(t, func(db *sql.DB) error {
		_, err := db.Exec(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
		if err == nil {
			_, err = db.Exec(`SELECT pg_reload_conf()`)
		}
		return err
	})
	return &Cluster{s}
}

// Promote makes a standby a server of its own, which may be written.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	c.server.superuser(t, func(db *sql.DB) error {
		var promoted bool
		err := db.QueryRow(`SELECT pg_promote()`).Scan(&promoted)
		if err == nil && !promoted {
			err = errors.New("it is still a standby")
		}
		return err
	})
}

func (s *server) superuser(t testing.TB, do func(*sql.DB) error) {
	t.Helper()
	db, err := sql.Open("pgx", s.uri("postgres", password, "postgres"))
	if err == nil {
		err = do(db)
		_ = db.Close()
	}
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
}

// Host is where the server listens.
func (c *Cluster) Host() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.server.port)) }
