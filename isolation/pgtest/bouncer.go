package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/freeport"
)

// bouncerINI is the configuration of docs/postgresql.md.
const bouncerINI = `
[databases]
* = host=127.0.0.1 port=%d

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
pool_mode = %s
auth_type = scram-sha-256
auth_file = %s
auth_user = postgres
auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1
default_pool_size = 2
reserve_pool_size = 0
server_idle_timeout = 3
max_client_conn = 5000
ignore_startup_parameters = default_transaction_read_only
server_reset_query_always = 0
`

// Bouncer is BouncerOf in transaction mode.
func Bouncer(t testing.TB, d Database) Database {
	t.Helper()
	return BouncerOf(t, d, "transaction")
}

// BouncerOf starts PgBouncer in one of its modes before the cluster and returns the database's
// URI through it. It ends with the test.
func BouncerOf(t testing.TB, d Database, mode string) Database {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !executable(program) {
			t.Fatal("PgBouncer is missing; install it with: apt-get install pgbouncer")
		}
	}
	s, err := cluster()
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	dir, err := os.MkdirTemp("", "pgbouncer")
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
	users, ini := filepath.Join(dir, "users"), filepath.Join(dir, "ini")
	for path, text := range map[string]string{
		users: fmt.Sprintf("\"postgres\" \"%s\"\n", password),
		ini:   fmt.Sprintf(bouncerINI, s.port, port, mode, users),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, ini)
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = dir, as, log, log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	began := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		runtime.LockOSThread() // see server.run
		err := cmd.Start()
		began <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(ended)
	}()
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("PgBouncer wrote:\n%s", text)
		}
	})
	direct := fmt.Sprintf("127.0.0.1:%d/", s.port)
	through := fmt.Sprintf("127.0.0.1:%d/", port)
	d.URI = strings.Replace(d.URI, direct, through, 1)
	await(t, d.URI, ended)
	return d
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// await waits until a server answers.
func await(t testing.TB, uri string, ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for err = db.PingContext(ctx); err != nil; err = db.PingContext(ctx) {
		select {
		case <-ended:
			t.Fatal("PgBouncer ended")
		case <-ctx.Done():
			t.Fatalf("PgBouncer does not answer: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
