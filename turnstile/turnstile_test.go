package turnstile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The environment that makes the test binary one of many processes at a turnstile.
const (
	envPlaces  = "SWITCHBOARD_TEST_PLACES"
	envCounter = "SWITCHBOARD_TEST_COUNTER"
)

func TestMain(m *testing.M) {
	if places := os.Getenv(envPlaces); places != "" {
		n, _ := strconv.Atoi(places)
		os.Exit(visit(Of(os.NewFile(3, "places"), n), os.Getenv(envCounter)))
	}
	os.Exit(m.Run())
}

// visit goes in often, with two at once. Inside, each has a file of its own in the folder.
func visit(t *Turnstile, dir string) int {
	var all sync.WaitGroup
	var failed atomic.Bool
	for i := range 2 {
		all.Go(func() {
			for n := range 20 {
				leave, err := t.Enter(context.Background())
				if err != nil {
					failed.Store(true)
					return
				}
				name := filepath.Join(dir, fmt.Sprint(os.Getpid(), "-", i, "-", n))
				_ = os.WriteFile(name, nil, 0o600)
				if entries, err := os.ReadDir(dir); err != nil || len(entries) > t.Places() {
					failed.Store(true)
				}
				_ = os.Remove(name)
				leave()
			}
		})
	}
	all.Wait()
	if failed.Load() {
		return 1
	}
	return 0
}

func newTurnstile(t *testing.T, places int) *Turnstile {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "places"), places)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func child(t *testing.T, s *Turnstile, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), envPlaces+"="+strconv.Itoa(s.Places()), envCounter+"="+dir)
	c.ExtraFiles = []*os.File{s.File()}
	return c
}

// Twelve processes with two visitors each never are more inside than there are places.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	s, dir := newTurnstile(t, 5), t.TempDir()
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if out, err := child(t, s, dir).CombinedOutput(); err != nil {
				t.Errorf("more were in than there are places, or one was not let in: %v\n%s", err, out)
			}
		})
	}
	all.Wait()
	if s.Waiting() {
		t.Error("somebody waits")
	}
}

// Within a process places are counted too, and given back once.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	s := newTurnstile(t, 2)
	first, err := s.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the third of two: %v", err)
	}
	first()
	first()
	third, err := s.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a place was given back twice: %v", err)
	}
	second()
	third()
}

// Who is in and waits for more is let in after a while, rather than that all stand still.
func TestNobodyStandsStill(t *testing.T) {
	t.Parallel()
	s := newTurnstile(t, 1)
	if _, err := s.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	leave, err := s.Enter(t.Context())
	if err != nil || time.Since(began) < longestHeld {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	leave()
}
