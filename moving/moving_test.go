package moving_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/messages"
	"switchboard/moving"
	"switchboard/settings"
)

var counter atomic.Int64

func sortedLine(named []string) string { slices.Sort(named); return strings.Join(named, ", ") }
func sortLines(lines []string)         { slices.Sort(lines) }

func backup(t testing.TB, in moving.Installation) []byte {
	t.Helper()
	var out bytes.Buffer
	shared, err := in.SharedSettings(t.Context())
	ok(t, err)
	w, err := archive.NewWriter(&out, random, archive.Header{Program: "test", CreatedAt: time.Now(), Whole: true, Settings: shared})
	ok(t, err)
	all, err := in.Backup(t.Context(), w, moving.BackupOptions{Told: quiet})
	ok(t, err)
	if len(all.Skipped) > 0 {
		t.Fatalf("skipped %v", all.Skipped)
	}
	ok(t, w.Close())
	return out.Bytes()
}

func opener(content []byte) func() (*archive.Reader, error) {
	return func() (*archive.Reader, error) { return archive.NewReader(bytes.NewReader(content), random) }
}

// What was backed up on one engine is the same on the other, and again on the first.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, way := range [][3]string{
		{engine.SQLite, engine.Postgres, engine.SQLite},
		{engine.Postgres, engine.SQLite, engine.Postgres},
	} {
		t.Run(strings.Join(way[:], " to "), func(t *testing.T) {
			t.Parallel()
			first := installation(t, way[0])
			owner, other := addPeople(t, first)
			ids := []instances.ID{idOf(t, "a"), idOf(t, "b")}
			addNumber(t, first, ids[0], 1, owner.ID)
			addNumber(t, first, ids[1], 2, other.ID)
			want := map[instances.ID]map[string][]string{}
			for _, id := range ids {
				want[id] = dump(t, first, id)
				for name, lines := range want[id] {
					if len(lines) == 0 && name != "contacts" {
						t.Errorf("the number has nothing in %s", name)
					}
				}
			}
			records, err := first.Store.Instances(t.Context())
			ok(t, err)
			content := backup(t, first)
			for _, name := range way[1:] {
				if name == way[0] {
					// One server knows each name once.
					for _, id := range ids {
						ok(t, first.Databases.Drop(t.Context(), id))
					}
				}
				next := installation(t, name)
				restored, err := next.Restore(t.Context(), opener(content), moving.RestoreOptions{}, quiet)
				ok(t, err)
				if len(restored) != 2 {
					t.Fatalf("restored %v", restored)
				}
				for _, id := range ids {
					if got := dump(t, next, id); !reflect.DeepEqual(got, want[id]) {
						different(t, got, want[id])
					}
					rewound(t, next, id)
				}
				compareRecords(t, next, records)
				if s, err := next.Settings.Get(t.Context(), settings.Shared); err != nil || s.Region != "of all" {
					t.Errorf("the settings for all are %+v, %v", s, err)
				}
				users, err := next.Store.Users(t.Context())
				ok(t, err)
				if len(users) != 2 || users[0].ID != owner.ID || users[0].Name != owner.Name {
					t.Errorf("people %+v", users)
				}
				content = backup(t, next)
			}
		})
	}
}

func compareRecords(t testing.TB, in moving.Installation, want []instances.Instance) {
	t.Helper()
	got, err := in.Store.Instances(t.Context())
	ok(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		w := want[i]
		w.Database, w.Since, got[i].Since = in.Databases.Names(w.ID), time.Time{}, time.Time{}
		if !reflect.DeepEqual(got[i], w) {
			t.Errorf("record\n%+v, want\n%+v", got[i], w)
		}
		// Each installation encrypts with a key of its own.
		if s, err := in.Settings.Get(t.Context(), w.ID); err != nil || s.Region != "of "+string(w.ID) || s.Limits.Memory != 64<<20 {
			t.Errorf("the settings of %s are %+v, %v", w.ID, s, err)
		}
	}
}

func different(t testing.TB, got, want map[string][]string) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
		t.Errorf("tables %v, want %v", g, w)
	}
	for name, lines := range want {
		if !slices.Equal(got[name], lines) {
			t.Errorf("%s: %d rows, want %d\n%.500q\n%.500q", name, len(got[name]), len(lines), got[name], lines)
		}
	}
}

// ids are unique in the cluster that all tests share.
func idOf(t testing.TB, name string) instances.ID {
	t.Helper()
	return instances.ID(fmt.Sprintf("%s_%d", name, counter.Add(1)))
}

// A backup shows one moment, whoever writes meanwhile, and does not stop the writer.
func TestBackupWhileAWriterWrites(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := installation(t, name)
			id := idOf(t, "busy")
			addNumber(t, in, id, 3, 0)
			access, err := in.Databases.Provision(t.Context(), id)
			ok(t, err)
			db, err := isolation.OpenMain(t.Context(), access)
			ok(t, err)
			defer func() { _ = db.Close() }()
			// It runs ahead of who listens, and not without bound.
			written, stop, ended := make(chan struct{}, 300), make(chan struct{}), make(chan error, 1)
			go func() {
				// Two messages go together, always.
				for n := 0; ; n++ {
					pair := []messages.Message{{Chat: "left", ID: fmt.Sprint(n)}, {Chat: "right", ID: fmt.Sprint(n)}}
					if err := messages.New(db).SaveAll(t.Context(), pair); err != nil {
						ended <- err
						return
					}
					select {
					case <-stop:
						ended <- nil
						return
					case written <- struct{}{}:
					}
				}
			}()
			restored := installation(t, other(name))
			for range 3 {
				content := backup(t, in)
				for range cap(written) { // it went on, or does so now
					<-written
				}
				_, err := restored.Restore(t.Context(), opener(content), moving.RestoreOptions{Replace: true}, quiet)
				ok(t, err)
				left, right := 0, 0
				for _, line := range dump(t, restored, id)["messages"] {
					left += strings.Count(line, `chat=string "left"`)
					right += strings.Count(line, `chat=string "right"`)
				}
				if left == 0 || left != right {
					t.Errorf("%d left, %d right", left, right)
				}
			}
			close(stop)
			ok(t, <-ended)
		})
	}
}

func other(name string) string {
	if name == engine.SQLite {
		return engine.Postgres
	}
	return engine.SQLite
}

// Whatever is wrong with a backup is found before anything is written.
func TestABrokenBackupChangesNothing(t *testing.T) {
	t.Parallel()
	from := installation(t, engine.SQLite)
	addPeople(t, from)
	addNumber(t, from, idOf(t, "a"), 1, 7)
	content := backup(t, from)
	in := installation(t, engine.SQLite)
	open := func(content []byte, key archive.Key) func() (*archive.Reader, error) {
		return func() (*archive.Reader, error) { return archive.NewReader(bytes.NewReader(content), key) }
	}
	cases := map[string]struct {
		open func() (*archive.Reader, error)
		want error
	}{
		"another key": {open(content, archive.Random("another")), archive.ErrPassphrase},
		"no backup":   {open([]byte("SQLite format 3\x00 and more"), random), archive.ErrForeign},
		"nothing":     {open(nil, random), archive.ErrForeign},
	}
	for n := 1; n <= 8; n++ {
		at := len(content) * n / 9
		changed := bytes.Clone(content)
		changed[at] ^= 0x10
		cases[fmt.Sprintf("altered at %d of 9", n)] = struct {
			open func() (*archive.Reader, error)
			want error
		}{open(changed, random), archive.ErrDamaged}
		cases[fmt.Sprintf("cut at %d of 9", n)] = struct {
			open func() (*archive.Reader, error)
			want error
		}{open(content[:at], random), archive.ErrDamaged}
	}
	for name, c := range cases {
		_, err := in.Restore(t.Context(), c.open, moving.RestoreOptions{Replace: true}, untouched(t, name))
		if !errors.Is(err, c.want) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	empty(t, in)
}

func empty(t testing.TB, in moving.Installation) {
	t.Helper()
	records, err := in.Store.Instances(t.Context())
	ok(t, err)
	users, err := in.Store.Users(t.Context())
	ok(t, err)
	folders, err := filepath.Glob(filepath.Join(in.Dir, "instances", "*"))
	ok(t, err)
	if len(records)+len(users)+len(folders) > 0 {
		t.Errorf("there are %v, %v, %v", records, users, folders)
	}
}

func TestWhatStandsAgainstRestoring(t *testing.T) {
	t.Parallel()
	in := installation(t, engine.SQLite)
	owner, _ := addPeople(t, in)
	id := idOf(t, "a")
	inst := addNumber(t, in, id, 1, owner.ID)
	content := backup(t, in)
	before := dump(t, in, id)
	restore := func(o moving.RestoreOptions) error {
		_, err := in.Restore(t.Context(), opener(content), o, quiet)
		return err
	}
	refused := func(err error, kind fault.Kind, word string) {
		t.Helper()
		if fault.KindOf(err) != kind || !strings.Contains(fault.MessageOf(err), word) {
			t.Errorf("got %v, want %q", err, word)
		}
		if got := dump(t, in, id); !reflect.DeepEqual(got, before) {
			t.Error("something was changed")
		}
	}
	refused(restore(moving.RestoreOptions{Only: "unknown"}), fault.NotFound, "not in this backup")
	refused(restore(moving.RestoreOptions{Only: id}), fault.Conflict, "--replace")
	refused(restore(moving.RestoreOptions{}), fault.Conflict, "--replace")
	release, err := isolation.Lock(filepath.Join(in.Dir, "instances", string(id)))
	ok(t, err)
	refused(restore(moving.RestoreOptions{Only: id, Replace: true}), fault.Conflict, "running")
	release()
	refused(restore(moving.RestoreOptions{Only: id, Replace: true, BeforeReplace: func(context.Context, instances.ID) error { return io.ErrShortWrite }}), fault.Internal, "")

	// Another number has its WhatsApp account.
	ok(t, in.Store.RemoveInstance(t.Context(), id))
	refused(restore(moving.RestoreOptions{Only: id}), fault.Conflict, "no record knows")
	twin := inst
	twin.ID, twin.Name, twin.JID = idOf(t, "twin"), "Twin", strings.Replace(inst.JID, ":1@", ":9@", 1)
	_, err = in.Store.AddInstance(t.Context(), twin, "")
	ok(t, err)
	refused(restore(moving.RestoreOptions{Only: id}), fault.Conflict, string(twin.ID))
	ok(t, in.Store.RemoveInstance(t.Context(), twin.ID))
	twin.JID, twin.Name = "", strings.ToUpper(inst.Name)
	_, err = in.Store.AddInstance(t.Context(), twin, "")
	ok(t, err)
	refused(restore(moving.RestoreOptions{Only: id}), fault.Conflict, "already a number called")

	// With another name, and the port of the other one taken, it comes back.
	ok(t, in.Databases.Drop(t.Context(), id))
	ok(t, restore(moving.RestoreOptions{Only: id, Name: "New name"}))
	if got := dump(t, in, id); !reflect.DeepEqual(got, before) {
		different(t, got, before)
	}
	records, err := in.Store.Instances(t.Context())
	ok(t, err)
	i := slices.IndexFunc(records, func(r instances.Instance) bool { return r.ID == id })
	if r := records[i]; r.Name != "New name" || r.Port != 3001 || r.Owner != owner.ID || r.Desired != instances.Running || r.Status != instances.Idle {
		t.Errorf("record %+v", r)
	}
}
