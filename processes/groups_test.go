package processes

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"switchboard/cgroups"
	"switchboard/cgroups/cgrouptest"
	"switchboard/instances"
)

// TestControlGroups has the kernel end workers that use too much, and nothing else.
func TestControlGroups(t *testing.T) {
	if !cgrouptest.Inside(t) {
		return
	}
	tree, err := cgroups.Find()
	if err == nil {
		err = tree.Enter()
	}
	if err != nil {
		t.Fatal(err)
	}
	l := newLauncher(t)
	l.o.Groups = tree
	limits := instances.Limits{Memory: 64 << 20, CPU: 50}
	l.o.Limits = func(context.Context, instances.ID) (instances.Limits, error) { return limits, nil }
	const neighbourID = "b_20240101120000"
	neighbour, err := l.Launch(t.Context(), spec(neighbourID, "well"))
	if err != nil {
		t.Fatal(err)
	}
	ready(t, neighbour)
	if group := groupOf(t, neighbour); !strings.HasSuffix(group, "/numbers/"+neighbourID) {
		t.Errorf("the worker is in %s", group)
	}

	for order, want := range map[string]instances.Reason{"hoard": instances.MemoryLimit, "threads": instances.TasksLimit} {
		w := launch(t, l, "well")
		ready(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		context.AfterFunc(w.life, cancel)
		_, _ = w.SendText(ctx, order, "")
		<-w.Exited()
		if got := w.Exit(); got.Reason != want || got.Asked || got.Final {
			t.Errorf("%s: %+v, want %s", order, got, want)
		}
		if _, err := os.Stat(strings.Replace("/sys/fs/cgroup"+groupOf(t, neighbour), neighbourID, string(testID), 1)); !os.IsNotExist(err) {
			t.Errorf("%s: the group of the worker that ended is still there: %v", order, err)
		}
	}
	select {
	case <-neighbour.Exited():
		t.Errorf("the neighbour has ended as well: %+v", neighbour.Exit())
	default:
	}

	// What ended it before says nothing about the next one.
	w := launch(t, l, "well")
	ready(t, w)
	_, _ = w.SendText(t.Context(), "spin", "")
	throttled := "/sys/fs/cgroup" + groupOf(t, w) + "/cpu.stat"
	for !strings.Contains(readFile(t, throttled), "nr_throttled ") || strings.Contains(readFile(t, throttled), "nr_throttled 0\n") {
		if t.Context().Err() != nil {
			t.Fatal("a worker that computes without a pause was not slowed down")
		}
	}
	// Its limits change while it runs.
	limits = instances.Limits{Memory: 80 << 20, CPU: 200}
	if err := w.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"memory.max": "83886080\n", "cpu.max": "200000 100000\n"} {
		if got := readFile(t, "/sys/fs/cgroup"+groupOf(t, w)+"/"+file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	w.signal(9)
	<-w.Exited()
	if got := w.Exit().Reason; got != instances.WorkerKilled {
		t.Errorf("a worker that somebody has killed ended because of %s", got)
	}
}

// TestAdoptedIntoAGroup finds a worker that an earlier panel has started without a group.
func TestAdoptedIntoAGroup(t *testing.T) {
	if !cgrouptest.Inside(t) {
		return
	}
	l := newLauncher(t)
	w := launch(t, l, "well")
	ready(t, w)
	o := l.o
	var err error
	o.Limits = func(context.Context, instances.ID) (instances.Limits, error) {
		return instances.Limits{Memory: 64 << 20}, nil
	}
	if o.Groups, err = cgroups.Find(); err == nil {
		err = o.Groups.Enter()
	}
	if err != nil {
		t.Fatal(err)
	}
	found, err := New(o).Find(t.Context(), testID)
	if err != nil || found == nil {
		t.Fatalf("found %v, %v", found, err)
	}
	if group := groupOf(t, found); !strings.HasSuffix(group, "/numbers/"+string(testID)) {
		t.Errorf("the worker is in %s", group)
	}
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(w.life, cancel)
	_, _ = found.SendText(ctx, "hoard", "")
	<-found.Exited()
	if got := found.Exit().Reason; got != instances.MemoryLimit {
		t.Errorf("it ended because of %s", got)
	}
}

// groupOf returns the control group of a worker.
func groupOf(t *testing.T, w instances.Worker) string {
	t.Helper()
	text := readFile(t, fmt.Sprintf("/proc/%d/cgroup", w.Facts().PID))
	_, path, _ := strings.Cut(text, "0::")
	return strings.TrimSpace(path)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
