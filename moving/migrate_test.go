package moving_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/lease"
	"switchboard/moving"
)

// The child moves an installation, or restores a backup, and kills itself at a step.
const childTask = "MOVING_TEST_TASK"

func child() int {
	task := strings.Split(os.Getenv(childTask), "\n")
	ctx := context.Background()
	kill := func(s moving.Step) {
		if stepName(s) == task[4] {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	to, _, err := place{task[2], task[3]}.open(ctx)
	if err == nil && task[0] == "restore" {
		_, err = to.Restore(ctx, func() (*archive.Reader, error) {
			file, err := os.Open(task[1])
			if err != nil {
				return nil, err
			}
			return archive.NewReader(file, random)
		}, moving.RestoreOptions{}, kill)
	} else if err == nil {
		var from moving.Installation
		if from, _, err = (place{task[0], task[1]}).open(ctx); err == nil {
			err = moving.Migrate(ctx, from, to, kill)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func stepName(s moving.Step) string { return string(s.Number) + " " + s.Name }

// killedAt has a child do something to the target until a step.
func killedAt(t testing.TB, step, what, from string, target place) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+strings.Join([]string{what, from, target.uri, target.dir, step}, "\n"))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("killed at %q: %v\n%s", step, err, out)
	}
}

func opened(t testing.TB, p place) moving.Installation {
	t.Helper()
	in, closing, err := p.open(t.Context())
	ok(t, err)
	t.Cleanup(closing)
	return in
}

// Killed at every step, a move goes on, and in the end everything is there; the source is as
// it was.
func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, way := range [][2]string{{engine.SQLite, engine.Postgres}, {engine.Postgres, engine.SQLite}} {
		t.Run(strings.Join(way[:], " to "), func(t *testing.T) {
			t.Parallel()
			source := newPlace(t, way[0])
			from := opened(t, source)
			owner, other := addPeople(t, from)
			ids := []instances.ID{idOf(t, "a"), idOf(t, "b")}
			addNumber(t, from, ids[0], 1, owner.ID)
			addNumber(t, from, ids[1], 2, other.ID)
			fresh := idOf(t, "fresh")
			_, err := from.Store.AddInstance(t.Context(), instances.Instance{
				ID: fresh, Name: "Fresh", Desired: instances.Running, Status: instances.Provisioning, Port: 5000, Database: from.Databases.Names(fresh),
			}, "")
			ok(t, err)
			set(t, from, fresh)
			before := map[instances.ID]map[string][]string{}
			for _, id := range ids {
				before[id] = dump(t, from, id)
			}
			records, err := from.Store.Instances(t.Context())
			ok(t, err)

			target := newPlace(t, way[1])
			target.dir = source.dir // as most people will have it
			if way[1] == engine.SQLite {
				target.uri = engine.At(filepath.Join(source.dir, "moved.db")).URI()
			}
			steps := []string{" " + moving.PeopleCopied}
			for _, id := range ids {
				for _, name := range []string{moving.RecordMade, moving.RoomMade, moving.KeysCopied, moving.MainCopied, moving.NumberDone} {
					steps = append(steps, string(id)+" "+name)
				}
			}
			for _, step := range steps {
				killedAt(t, step, source.uri, source.dir, target)
				if half := opened(t, target); strings.HasSuffix(step, moving.MainCopied) {
					all, err := half.Store.Instances(t.Context())
					ok(t, err)
					if last := all[len(all)-1]; last.Status != instances.Deleting || last.Reason != instances.HalfMoved {
						t.Errorf("killed at %q, what is there is %s, %s", step, last.Status, last.Reason)
					}
				}
			}
			to := opened(t, target)
			var seen []string
			for range 2 { // again, when all is done
				ok(t, moving.Migrate(t.Context(), from, to, func(s moving.Step) { seen = append(seen, stepName(s)) }))
			}
			if slices.Contains(seen, string(ids[1])+" "+moving.KeysCopied) {
				t.Error("what was there was copied again")
			}
			for _, in := range []moving.Installation{from, to} {
				for _, id := range ids {
					if got := dump(t, in, id); !reflect.DeepEqual(got, before[id]) {
						different(t, got, before[id])
					}
				}
				compareRecords(t, in, records)
			}
			session, user, err := to.Store.SessionByHash(t.Context(), "hash", records[0].CreatedAt)
			if err != nil || session.ID != "s1" || user.ID != other.ID {
				t.Errorf("the session is %+v of %+v, %v", session, user, err)
			}
			if left, err := filepath.Glob(filepath.Join(source.dir, ".moving-*")); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func TestWhatStandsAgainstMigrating(t *testing.T) {
	t.Parallel()
	from, to := installation(t, engine.SQLite), installation(t, engine.Postgres)
	owner, _ := addPeople(t, from)
	id := idOf(t, "a")
	addNumber(t, from, id, 1, owner.ID)
	refused := func(word string) {
		t.Helper()
		if err := moving.Migrate(t.Context(), from, to, quiet); fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), word) {
			t.Errorf("got %v, want %q", err, word)
		}
	}
	release, err := isolation.Lock(filepath.Join(from.Dir, "instances", string(id)))
	ok(t, err)
	refused("is running")
	release()
	_, err = to.Databases.Provision(t.Context(), id)
	ok(t, err)
	refused("no record knows")
	ok(t, to.Databases.Drop(t.Context(), id))
	ok(t, moving.Migrate(t.Context(), from, to, quiet))

	// The number runs on another host, or was used in its new place.
	back := installation(t, engine.SQLite)
	access, err := to.Databases.Access(t.Context(), id)
	ok(t, err)
	main, err := isolation.OpenMain(t.Context(), access)
	ok(t, err)
	taken, err := lease.Take(t.Context(), main, "another host")
	ok(t, err)
	if err := moving.Migrate(t.Context(), to, back, quiet); !errors.Is(err, lease.ErrHeld) || fault.KindOf(err) != fault.Conflict {
		t.Errorf("got %v, want %v", err, lease.ErrHeld)
	}
	ok(t, taken.Release(t.Context()))
	ok(t, main.Close())
	ok(t, moving.Migrate(t.Context(), to, back, quiet))
	db, _, err := isolation.OpenKeys(t.Context(), access)
	ok(t, err)
	_, err = db.ExecContext(t.Context(), `UPDATE whatsmeow_device SET push_name = 'used'`)
	ok(t, err)
	ok(t, db.Close())
	refused("used since")
	ok(t, to.Store.SetPasswordHash(t.Context(), owner.ID, "another", owner.CreatedAt))
	refused("people of its own")
}
