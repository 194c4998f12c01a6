// Package pgtest gives tests a real PostgreSQL server.
//
// The first test that asks starts a cluster of its own, in a temporary folder and without
// anything that only serves durability; Stop, called from TestMain, ends it. Each test gets a
// database and a login role of its own, so that tests run in parallel.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"switchboard/freeport"
)

const password = "test"

var (
	cluster  = sync.OnceValues(start)
	started  atomic.Pointer[server]
	counting atomic.Int64
)

// Database is an empty database with a role that owns it, may make databases and roles,
// and is no superuser.
type Database struct {
	URI string
	Tag string // names database and role, and nothing else in the cluster
	// SuperURI is the same database for the cluster's superuser.
	SuperURI string
}

// New makes a database. Without PostgreSQL's programs the test fails; with -short it is
// skipped.
func New(t testing.TB) Database {
	t.Helper()
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short tests")
	}
	s, err := cluster()
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	return s.database(t)
}

func (s *server) database(t testing.TB) Database {
	t.Helper()
	tag := fmt.Sprintf("t%d", counting.Add(1))
	db, err := sql.Open("pgx", s.uri("postgres", password, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		fmt.Sprintf(`CREATE ROLE %s LOGIN CREATEDB CREATEROLE PASSWORD '%s'`, tag, password),
		fmt.Sprintf(`CREATE DATABASE %s OWNER %s TEMPLATE template0`, tag, tag),
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return Database{URI: s.uri(tag, password, tag), Tag: tag, SuperURI: s.uri("postgres", password, tag)}
}

// Stop ends the cluster, if one was started, and removes it.
func Stop() {
	if s := started.Load(); s != nil {
		s.stop()
	}
}

type server struct {
	dir     string
	port    int
	program string
	as      *syscall.SysProcAttr
	// beside those that every cluster has
	settings []string

	// Of the process that runs now.
	ended chan struct{}
	cmd   *exec.Cmd
}

func (s *server) uri(role, secret, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", role, secret, s.port, database)
}

// start makes the cluster that all tests share.
func start() (*server, error) {
	s, err := boot()
	if err != nil {
		return nil, err
	}
	started.Store(s)
	return s, s.prepare()
}

// boot makes a cluster and starts it.
func boot(settings ...string) (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(memory(), "pgtest")
	if err != nil {
		return nil, err
	}
	as, err := identity(dir)
	if err != nil {
		return nil, err
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o644); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "scram-sha-256",
		"--pwfile="+secret, "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, as
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freeport.Take()
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, port: port, program: filepath.Join(bin, "postgres"), as: as, settings: settings}
	return s, s.run()
}

// run starts the server so that it ends with the test binary, however that ends: the
// kernel tells it when the thread that started it is gone.
func (s *server) run() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := []string{"-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "synchronous_commit=off",
		"-c", "full_page_writes=off", "-c", "logging_collector=off"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd, ended := exec.Command(s.program, args...), make(chan struct{})
	cmd.Dir, cmd.SysProcAttr = s.dir, s.as
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	cmd.Stdout, cmd.Stderr = log, log
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock
		err := cmd.Start()
		failed <- err
		if err == nil {
			_ = cmd.Wait()
			close(ended)
		}
	}()
	if err := <-failed; err != nil {
		return err
	}
	s.cmd, s.ended = cmd, ended
	return nil
}

// wait waits for the server.
func (s *server) wait() error {
	return s.await(func(context.Context, *sql.DB) error { return nil })
}

// prepare waits for the server and closes what every role may enter by default.
func (s *server) prepare() error {
	return s.await(func(ctx context.Context, db *sql.DB) error {
		for _, database := range []string{"postgres", "template1"} {
			if _, err := db.ExecContext(ctx, `REVOKE CONNECT ON DATABASE `+database+` FROM PUBLIC`); err != nil {
				return err
			}
		}
		return nil
	})
}

// await waits for the server and then does something with it.
func (s *server) await(then func(context.Context, *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", s.uri("postgres", password, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for err = db.PingContext(ctx); err != nil; err = db.PingContext(ctx) {
		select {
		case <-s.ended:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server ended: %s", log)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return then(ctx, db)
}

func (s *server) stop() {
	s.end(syscall.SIGQUIT) // at once
	_ = os.RemoveAll(s.dir)
}

func (s *server) end(with syscall.Signal) {
	_ = s.cmd.Process.Signal(with)
	<-s.ended
}

// memory returns a folder in memory, where making databases is ten times as fast, if there
// is one with room; else "".
func memory() string {
	const dir, room = "/dev/shm", 3 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || int64(fs.Bavail)*fs.Bsize < room {
		return ""
	}
	return dir
}

// programs finds the folder of PostgreSQL's newest server programs.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return "", errors.New("no server found; install it with: apt-get install postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

// identity gives the folder to the user as whom the server will run: PostgreSQL refuses to
// run as root.
func identity(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, err
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return &syscall.SysProcAttr{Credential: credential}, os.Chown(dir, uid, gid)
}
