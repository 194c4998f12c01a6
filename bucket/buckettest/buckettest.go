// Package buckettest gives tests a real S3-compatible store: the Versity gateway over a
// temporary folder, which checks signatures, hashes and rights as other stores do.
package buckettest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/freeport"
	"switchboard/settings"
)

const (
	accessKey = "switchboard"
	secretKey = "a-secret-that-no-log-has"
	region    = "eu-test-1"
)

// Store is a store that runs.
type Store struct {
	dir  string // a folder in it is a bucket, a file an object
	side string // what the store knows of them beside
	addr string
	t    testing.TB
	stop func()
}

// New starts a store with a bucket named "media". It ends with the test. With -short the test
// is skipped.
func New(t testing.TB) *Store {
	t.Helper()
	if testing.Short() {
		t.Skip("the S3 store is left out of short tests")
	}
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{dir: t.TempDir(), side: t.TempDir(), addr: fmt.Sprintf("127.0.0.1:%d", port), t: t}
	if err := os.Mkdir(filepath.Join(s.dir, "media"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Start()
	return s
}

// Bucket is the bucket of the store, with keys that fit.
func (s *Store) Bucket() settings.Bucket {
	return settings.Bucket{
		Endpoint: "http://" + s.addr, Region: region, Name: "media", Prefix: "numbers/shop", AccessKey: accessKey, SecretKey: secretKey, PathStyle: true,
	}
}

// Secret is what must be nowhere but in the settings.
func (s *Store) Secret() string { return secretKey }

// Object returns what lies in the bucket under the name of a file; nil if nothing does.
func (s *Store) Object(name string) []byte {
	data, err := os.ReadFile(filepath.Join(s.dir, "media", "numbers", "shop", name))
	if err != nil {
		return nil
	}
	return data
}

// Objects returns the names of the files in the bucket.
func (s *Store) Objects() []string {
	entries, _ := os.ReadDir(filepath.Join(s.dir, "media", "numbers", "shop"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Remove deletes a file from the bucket, as its owner may.
func (s *Store) Remove(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, "media", "numbers", "shop", name)); err != nil {
		s.t.Fatal(err)
	}
}

// Start starts a store that was stopped, at the same address.
func (s *Store) Start() {
	s.t.Helper()
	cmd := exec.Command(program(s.t), "--quiet", "--port", s.addr, "--region", region,
		"posix", "--sidecar", s.side, s.dir)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	began, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the thread's end would be taken for the parent's death
		err := cmd.Start()
		began <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(ended)
	}()
	if err := <-began; err != nil {
		s.t.Fatal(err)
	}
	s.stop = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	s.t.Cleanup(s.stop)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			s.t.Fatalf("the store ended: %s", output.String())
		case <-ctx.Done():
			s.t.Fatalf("the store does not answer: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the store as a crash does.
func (s *Store) Stop() { s.stop() }

// program finds the gateway, which scripts/tools.sh builds.
func program(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path
	}
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".tools", "versitygw")
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatal("The S3 store for tests is missing; build it with: scripts/tools.sh s3")
	return ""
}
