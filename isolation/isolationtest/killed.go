package isolationtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"switchboard/instances"
	"switchboard/isolation"
)

// The environment that makes a test binary do one operation and die in the middle of it.
const (
	envOperation = "SWITCHBOARD_TEST_OPERATION"
	envURI       = "SWITCHBOARD_TEST_URI"
	envStorage   = "SWITCHBOARD_TEST_STORAGE"
	envID        = "SWITCHBOARD_TEST_ID"
	envStep      = "SWITCHBOARD_TEST_STEP"
)

// Main runs the tests and then what is to be done after them, or, in a child that
// killedAtEveryStep started, that child's part.
func Main(m *testing.M, after func()) {
	operation := os.Getenv(envOperation)
	if operation == "" {
		code := m.Run()
		after()
		os.Exit(code)
	}
	if err := child(operation); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(operation string) error {
	step, err := strconv.Atoi(os.Getenv(envStep))
	if err != nil {
		return err
	}
	ctx := context.Background()
	d, end, err := open(ctx, Place{URI: os.Getenv(envURI), StorageDir: os.Getenv(envStorage)},
		isolation.WithLog(slog.New(&killer{left: step})))
	if err != nil {
		return err
	}
	defer end()
	id := instances.ID(os.Getenv(envID))
	switch operation {
	case "provision":
		_, err = d.Provision(ctx, id)
		return err
	case "drop":
		return d.Drop(ctx, id)
	}
	return fmt.Errorf("unknown operation %q", operation)
}

// killer is a log handler that kills its own process at a given record.
type killer struct {
	mu   sync.Mutex
	left int
}

func (k *killer) Enabled(context.Context, slog.Level) bool { return true }
func (k *killer) WithAttrs([]slog.Attr) slog.Handler       { return k }
func (k *killer) WithGroup(string) slog.Handler            { return k }

func (k *killer) Handle(context.Context, slog.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left == 0 {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}

// killedAtEveryStep kills a process at each step of each operation. Whatever is left, the
// number can afterwards be finished, or dropped, and be made anew.
func killedAtEveryStep(t *testing.T, newPlace func(t testing.TB) Place) {
	for operation, steps := range countSteps(t, newPlace(t)) {
		if steps < 3 {
			t.Errorf("%s tells of %d steps only", operation, steps)
		}
		for step := 1; step <= steps; step++ {
			t.Run(fmt.Sprintf("%s, step %d", operation, step), func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				d := Open(t, p)
				id := p.ids().first
				if operation == "drop" {
					put(t, openMain(t, provision(t, d, id)), "old")
				}
				runAndKill(t, p, operation, step)
				finish(t, d, id, operation)
			})
		}
	}
}

// countSteps does each operation once and counts the steps that it tells of.
func countSteps(t *testing.T, p Place) map[string]int {
	t.Helper()
	seen := &counter{}
	d := Open(t, p, isolation.WithLog(slog.New(seen)))
	provision(t, d, p.ids().first)
	provisioning := seen.n
	if err := d.Drop(t.Context(), p.ids().first); err != nil {
		t.Fatal(err)
	}
	return map[string]int{"provision": provisioning, "drop": seen.n - provisioning}
}

// counter is a log handler that counts records.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *counter) WithGroup(string) slog.Handler            { return c }
func (c *counter) Handle(context.Context, slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return nil
}

func finish(t *testing.T, d *isolation.Databases, id instances.ID, operation string) {
	t.Helper()
	if operation == "provision" {
		access := provision(t, d, id)
		put(t, openMain(t, access), "message")
		put(t, openKeys(t, access), "key")
	}
	if err := d.Drop(t.Context(), id); err != nil {
		t.Fatalf("drop: %v", err)
	}
	if left, err := d.Unknown(t.Context(), nil); err != nil || len(left) != 0 {
		t.Errorf("left after the drop: %v, %v", left, err)
	}
	put(t, openMain(t, provision(t, d, id)), "new")
}

// runAndKill has a child do the operation and die at the step.
func runAndKill(t *testing.T, p Place, operation string, step int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), envOperation+"="+operation, envURI+"="+p.URI,
		envStorage+"="+p.StorageDir, envID+"="+string(p.ids().first), envStep+"="+strconv.Itoa(step))
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
}
