package isolationtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"switchboard/isolation"
)

// The environment that makes a test binary do one operation and die in the middle of it.
const (
	envOperation = "SWITCHBOARD_TEST_OPERATION"
	envURI       = "SWITCHBOARD_TEST_URI"
	envStorage   = "SWITCHBOARD_TEST_STORAGE"
	envStep      = "SWITCHBOARD_TEST_STEP"
)

// Main runs the tests, or, in a child that killedAtEveryStep started, that child's part.
func Main(m *testing.M) {
	operation := os.Getenv(envOperation)
	if operation == "" {
		os.Exit(m.Run())
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
	d, err := isolation.Open(ctx, os.Getenv(envURI), os.Getenv(envStorage), isolation.WithLog(slog.New(&killer{left: step})))
	if err != nil {
		return err
	}
	switch operation {
	case "provision":
		_, err = d.Provision(ctx, first)
		return err
	case "drop":
		return d.Drop(ctx, first)
	}
	return fmt.Errorf("unknown operation %q", operation)
}

// killer is a log handler that kills its own process at a given record.
type killer struct{ left int }

func (k *killer) Enabled(context.Context, slog.Level) bool { return true }
func (k *killer) WithAttrs([]slog.Attr) slog.Handler       { return k }
func (k *killer) WithGroup(string) slog.Handler            { return k }

func (k *killer) Handle(context.Context, slog.Record) error {
	if k.left--; k.left == 0 {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}

// killedAtEveryStep kills a process at each step of each operation. Whatever is left, the
// number can afterwards be finished, or dropped, and be made anew.
func killedAtEveryStep(t *testing.T, newPlace func(t *testing.T) Place) {
	for _, operation := range []string{"provision", "drop"} {
		steps := 0
		for killed := true; killed; {
			step := steps + 1
			t.Run(fmt.Sprintf("%s, step %d", operation, step), func(t *testing.T) {
				p := newPlace(t)
				d := Open(t, p)
				if operation == "drop" {
					put(t, openMain(t, provision(t, d, first)), "old")
				}
				if killed = runChild(t, p, operation, step); killed {
					steps++
				}
				finish(t, d, operation)
			})
			if t.Failed() {
				return
			}
		}
		if steps < 3 {
			t.Errorf("%s was killed at %d steps only", operation, steps)
		}
	}
}

func finish(t *testing.T, d *isolation.Databases, operation string) {
	t.Helper()
	if operation == "provision" {
		access := provision(t, d, first)
		put(t, openMain(t, access), "message")
		put(t, openKeys(t, access), "key")
	}
	if err := d.Drop(t.Context(), first); err != nil {
		t.Fatalf("drop: %v", err)
	}
	if left, err := d.Unknown(t.Context(), nil); err != nil || len(left) != 0 {
		t.Errorf("left after the drop: %v, %v", left, err)
	}
	put(t, openMain(t, provision(t, d, first)), "new")
}

// runChild tells whether the child was killed; if not, it has done all there was to do.
func runChild(t *testing.T, p Place, operation string, step int) (killed bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), envOperation+"="+operation, envURI+"="+p.URI,
		envStorage+"="+p.StorageDir, envStep+"="+strconv.Itoa(step))
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	t.Fatalf("child: %v\n%s", err, out)
	return false
}
