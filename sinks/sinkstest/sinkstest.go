// Package sinkstest gives tests real brokers.
//
// Each is a process of a test's own, on loopback and with its data in a temporary folder. It
// ends with the test, and may be killed and started again before.
package sinkstest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"switchboard/freeport"
)

// process is a server that a test runs.
type process struct {
	t       testing.TB
	dir     string
	command func() *exec.Cmd

	cmd   *exec.Cmd
	ended chan struct{}
}

// start starts the server so that it ends with the test's process, however that ends.
func (p *process) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p.cmd, p.ended = p.command(), make(chan struct{})
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal comes when this thread ends
		err := p.cmd.Start()
		began <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
		close(p.ended)
	}()
	if err := <-began; err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends the server as a crash does.
func (p *process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Freeze stops the server without ending it: its connections stay, and nothing answers.
func (p *process) Freeze() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	// Its threads stop one by one, each when it has a turn.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !p.frozen() {
		select {
		case <-ctx.Done():
			p.t.Fatal("the server does not stop")
		case <-time.After(time.Millisecond):
		}
	}
}

func (p *process) frozen() bool {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, path := range all {
		stat, err := os.ReadFile(path)
		if _, state, _ := bytes.Cut(stat, []byte(") ")); err == nil && !bytes.HasPrefix(state, []byte("T")) {
			return false
		}
	}
	return len(all) > 0
}

// Thaw has a frozen server go on.
func (p *process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

func (p *process) log() string { return filepath.Join(p.dir, "log") }

// await waits until try succeeds.
func (p *process) await(try func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for err := try(); err != nil; err = try() {
		select {
		case <-p.ended:
			text, _ := os.ReadFile(p.log())
			p.t.Fatalf("the server ended: %s", text)
		case <-ctx.Done():
			p.t.Fatalf("the server does not answer: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// find finds a program of Debian's package.
func find(t testing.TB, name, elsewhere, pack string) string {
	t.Helper()
	if path, err := exec.LookPath(elsewhere); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; install it with: apt-get install %s", name, pack)
	}
	return path
}

func freePort(t testing.TB) string {
	t.Helper()
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
