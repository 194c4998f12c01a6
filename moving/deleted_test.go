package moving_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/moving"
)

func TestDeleted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := installation(t, name)
			kept := moving.Deleted{Dir: filepath.Join(in.Dir, "deleted"), Key: random, Program: "test", For: time.Hour}
			count := func() int {
				t.Helper()
				all, err := kept.List()
				ok(t, err)
				return len(all)
			}
			id := idOf(t, "a")
			inst := addNumber(t, in, id, 1, 0)
			want := dump(t, in, id)
			keep := func(kept moving.Deleted, id instances.ID, want bool) {
				t.Helper()
				path, err := kept.Keep(t.Context(), in, id)
				if _, stat := os.Stat(path); err != nil || (stat == nil) != want {
					t.Errorf("kept %q, %v", path, err)
				}
			}
			keep(kept, id, true)
			keep(kept, "unknown", false)
			none := kept
			none.For = 0
			keep(none, id, false)
			if n := count(); n != 1 {
				t.Fatalf("%d are kept", n)
			}
			ok(t, in.Databases.Drop(t.Context(), id))
			keep(kept, id, false) // the deletion goes on after a crash
			ok(t, in.Store.RemoveInstance(t.Context(), id))

			all, err := kept.List()
			ok(t, err)
			if len(all) != 1 || all[0].ID != id || all[0].Until.Sub(all[0].At) != time.Hour || time.Since(all[0].At) > time.Minute || all[0].Bytes == 0 {
				t.Fatalf("kept %+v", all)
			}
			for path, mode := range map[string]os.FileMode{kept.Dir: os.ModeDir | 0o700, all[0].Path: 0o600} {
				if info, err := os.Stat(path); err != nil || info.Mode() != mode {
					t.Errorf("%v, %v", info, err)
				}
			}
			_, err = in.Restore(t.Context(), func() (*archive.Reader, error) {
				file, err := os.Open(all[0].Path)
				ok(t, err)
				t.Cleanup(func() { _ = file.Close() })
				return archive.NewReader(file, kept.Key)
			}, moving.RestoreOptions{}, quiet)
			ok(t, err)
			if got := dump(t, in, id); !reflect.DeepEqual(got, want) {
				different(t, got, want)
			}

			// A number without a phone has nothing to keep.
			inst.JID = ""
			ok(t, in.Store.SaveInstance(t.Context(), inst))
			keep(kept, id, false)
			if n := count(); n != 1 {
				t.Errorf("%d are kept", n)
			}

			ok(t, os.WriteFile(filepath.Join(kept.Dir, "notes.txt"), nil, 0o600))
			ok(t, os.WriteFile(filepath.Join(kept.Dir, ".backup-half"), nil, 0o600))
			ok(t, kept.Sweep())
			if left, err := os.ReadDir(kept.Dir); err != nil || len(left) != 2 {
				t.Errorf("left %v, %v", left, err)
			}
			ok(t, kept.Prune())
			if n := count(); n != 1 {
				t.Errorf("after pruning early, %d are kept", n)
			}
			kept.For = time.Nanosecond
			ok(t, kept.Prune())
			if n := count(); n != 0 {
				t.Errorf("after pruning, %d are kept", n)
			}
		})
	}
}

// A damaged number can be deleted; one that cannot be read for another reason cannot, yet.
func TestKeepingWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	in := installation(t, engine.SQLite)
	id := idOf(t, "a")
	addNumber(t, in, id, 1, 0)
	kept := moving.Deleted{Dir: filepath.Join(in.Dir, "deleted"), Key: random, For: time.Hour}
	ok(t, os.WriteFile(kept.Dir, nil, 0o600))
	if _, err := kept.Keep(t.Context(), in, id); err == nil {
		t.Error("kept in a file")
	}
	ok(t, os.Remove(kept.Dir))
	path := filepath.Join(in.Dir, "instances", string(id), "keys_"+string(id))
	for _, damage := range []func(*os.File) error{
		func(f *os.File) error { return f.Truncate(8 * 4096) }, // found while it is read
		func(f *os.File) error { _, err := f.WriteString("this was a database once"); return err },
		func(f *os.File) error { return f.Truncate(0) },
	} {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		ok(t, err)
		ok(t, damage(file))
		ok(t, file.Close())
		if made, err := kept.Keep(t.Context(), in, id); err != nil || made != "" {
			t.Errorf("made %q, %v", made, err)
		}
	}
	if all, err := kept.List(); err != nil || len(all) != 0 {
		t.Errorf("kept %v, %v", all, err)
	}
}

// A last backup says whether the number will have to be paired again.
func TestLastBackupSaysWhetherItIsLinked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		in := installation(t, name)
		kept := moving.Deleted{Dir: filepath.Join(in.Dir, "deleted"), Key: random, For: time.Hour}
		for i, statement := range []string{``, `DELETE FROM "whatsmeow_device"`} {
			id := idOf(t, "a")
			addNumber(t, in, id, i+1, 0)
			access, err := in.Databases.Access(t.Context(), id)
			ok(t, err)
			db, _, err := isolation.OpenKeys(t.Context(), access)
			ok(t, err)
			_, err = db.ExecContext(t.Context(), statement)
			ok(t, err)
			ok(t, db.Close())
			path, err := kept.Keep(t.Context(), in, id)
			ok(t, err)
			was, err := kept.Record(moving.Kept{Path: path})
			if err != nil || was.Linked == nil || *was.Linked != (statement == "") {
				t.Errorf("%s after %q: %v, %v", name, statement, was.Linked, err)
			}
		}
	}
}
