package isolation_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/isolationtest"
	"switchboard/isolation/pgtest"
)

// restarter is a log handler that restarts the server at a given record.
type restarter struct {
	t       *testing.T
	cluster *pgtest.Cluster

	mu   sync.Mutex
	left int
}

func (r *restarter) Enabled(context.Context, slog.Level) bool { return true }
func (r *restarter) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *restarter) WithGroup(string) slog.Handler            { return r }

func (r *restarter) Handle(context.Context, slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left--; r.left == 0 {
		r.cluster.Stop()
		r.cluster.Start(r.t)
	}
	return nil
}

// at sets the record, and reports whether the one before it was reached.
func (r *restarter) at(step int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.left <= 0
	r.left = step
	return was
}

// TestServerRestartedAtEveryStep restarts the server in the middle of making and of dropping
// databases. Either goes through, or the next time completes it.
func TestServerRestartedAtEveryStep(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	database := cluster.New(t)
	place := isolationtest.Place{URI: database.URI, StorageDir: t.TempDir(), Tag: "_" + database.Tag}
	r := &restarter{t: t, cluster: cluster}
	d := isolationtest.Open(t, place, isolation.WithLog(slog.New(r)))
	for name, do := range map[string]func(id instances.ID) error{
		"provision": func(id instances.ID) error { _, err := d.Provision(t.Context(), id); return err },
		"drop":      func(id instances.ID) error { return d.Drop(t.Context(), id) },
	} {
		step := 1
		for ; ; step++ {
			id := place.ID(fmt.Sprint(name, step))
			if name == "drop" {
				r.at(0)
				provisionAt(t, d, id)
			}
			r.at(step)
			err := do(id)
			reached := r.at(0)
			if err != nil {
				t.Logf("%s, step %d: %v", name, step, err)
				if err := do(id); err != nil {
					t.Fatalf("%s, after a restart at step %d: %v", name, step, err)
				}
			}
			if name == "provision" {
				access := provisionAt(t, d, id)
				for _, uri := range []string{access.Main, access.Keys} {
					if err := connect(t, uri); err != nil {
						t.Errorf("provision, step %d: %v", step, err)
					}
				}
				if err := d.Drop(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			if left, err := d.Unknown(t.Context(), nil); err != nil || len(left) > 0 {
				t.Fatalf("%s, step %d: %v is left, %v", name, step, left, err)
			}
			if !reached {
				break
			}
		}
		if step < 5 {
			t.Errorf("%s tells of %d steps only", name, step)
		}
	}
}
