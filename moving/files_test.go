package moving_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/messages"
	"switchboard/moving"
)

// mediaStates returns what the database of a number says of its media, by their files.
func mediaStates(t testing.TB, in moving.Installation, id instances.ID) map[string]string {
	t.Helper()
	db, err := in.Databases.ReadMain(t.Context(), id)
	ok(t, err)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT "file", "state", "place" FROM "media"`)
	ok(t, err)
	defer func() { _ = rows.Close() }()
	all := map[string]string{}
	for rows.Next() {
		var file, state, place string
		ok(t, rows.Scan(&file, &state, &place))
		all[file] = strings.TrimSpace(state + " " + place)
	}
	ok(t, rows.Err())
	return all
}

// backupOf writes one number.
func backupOf(t testing.TB, in moving.Installation, id instances.ID, o moving.BackupOptions) ([]byte, moving.Count) {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, random, archive.Header{Program: "test", CreatedAt: time.Now()})
	ok(t, err)
	if o.Told == nil {
		o.Told = quiet
	}
	all, err := in.BackupNumber(t.Context(), w, id, o)
	ok(t, err)
	ok(t, w.Close())
	return out.Bytes(), all.Files
}

// Killed at every step, a restore leaves nothing that counts, and the next one brings all of it.
func TestRestoreIsKilled(t *testing.T) {
	t.Parallel()
	for _, way := range [][2]string{{engine.SQLite, engine.Postgres}, {engine.Postgres, engine.SQLite}} {
		t.Run(strings.Join(way[:], " to "), func(t *testing.T) {
			t.Parallel()
			from := installation(t, way[0])
			id := idOf(t, "a")
			addNumber(t, from, id, 1, 0)
			want := dump(t, from, id)
			file := filepath.Join(t.TempDir(), "one.backup")
			content, _ := backupOf(t, from, id, moving.BackupOptions{})
			ok(t, os.WriteFile(file, content, 0o600))
			target := newPlace(t, way[1])
			in := opened(t, target)
			for _, step := range []string{moving.RecordMade, moving.RoomMade, moving.KeysCopied, moving.MainCopied, moving.FileCopied} {
				killedAt(t, string(id)+" "+step, "restore", file, target)
				records, err := in.Store.Instances(t.Context())
				ok(t, err)
				if len(records) != 1 || records[0].Status != instances.Deleting {
					t.Fatalf("killed at %q: %+v", step, records)
				}
				// Of what is half there, no last backup is made.
				kept := moving.Deleted{Dir: filepath.Join(in.Dir, "deleted"), Key: random, For: time.Hour}
				if path, err := kept.Keep(t.Context(), in, id); err != nil || path != "" {
					t.Errorf("killed at %q: kept %q, %v", step, path, err)
				}
			}
			if len(filesOf(t, in, id)) == 0 {
				t.Error("it was killed before there was a file")
			}
			_, err := in.Restore(t.Context(), opener(content), moving.RestoreOptions{}, quiet)
			ok(t, err)
			different(t, dump(t, in, id), want)
		})
	}
}

// What a database lists and is not there, or is something else, is left out of a backup, and
// the number that is restored knows it.
func TestFilesThatAreGone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := installation(t, name)
			id := idOf(t, "a")
			addNumber(t, in, id, 1, 0)
			media := filepath.Join(in.Dir, "instances", string(id), "media")
			secret := filepath.Join(in.Dir, "secret")
			ok(t, os.WriteFile(secret, noise[:1000], 0o600))
			small := filepath.Join(media, "1700000002-small.jpeg")
			ok(t, os.Remove(small))
			ok(t, os.Symlink(secret, small))
			ok(t, os.WriteFile(filepath.Join(media, ".part-1700000005-half.mp4"), noise[:5], 0o600))
			ok(t, os.WriteFile(filepath.Join(media, "of-no-message.png"), noise[:5], 0o600))
			// One goes while those before it are written.
			content, count := backupOf(t, in, id, moving.BackupOptions{Told: func(s moving.Step) {
				if s.Name == moving.FileCopied {
					_ = os.Remove(filepath.Join(media, "1700000003-empty.txt"))
				}
			}})
			if want := (moving.Count{Files: 2, Bytes: int64(len(noise) + 9), Gone: 2}); count != want {
				t.Errorf("the backup has %+v, want %+v", count, want)
			}
			if bytes.Contains(content, []byte("of-no-message")) {
				t.Error("a name can be read")
			}
			to := installation(t, other(name))
			_, err := to.Restore(t.Context(), opener(content), moving.RestoreOptions{}, quiet)
			ok(t, err)
			want := map[string]string{
				"1700000001-large.mp4": "stored", "1700000002-small.jpeg": "left", "1700000003-empty.txt": "left",
				"1700000004-elsewhere.png": "stored https://s3.example.com/media/shop", "made-here.png": "removed",
			}
			if got := mediaStates(t, to, id); !reflect.DeepEqual(got, want) {
				t.Errorf("the database says %v, want %v", got, want)
			}
			if got := filesOf(t, to, id); len(got) != 2 || !strings.HasPrefix(got[0], "media/1700000001-large.mp4 -rw------- ") || !strings.HasPrefix(got[1], "queue/s1.image -rw------- ") {
				t.Errorf("there are %q", got)
			}
		})
	}
}

// Media can be left out of a backup, and in it. What waits to be sent is never.
func TestWithoutMedia(t *testing.T) {
	t.Parallel()
	in := installation(t, engine.SQLite)
	id := idOf(t, "a")
	addNumber(t, in, id, 1, 0)
	with, _ := backupOf(t, in, id, moving.BackupOptions{})
	without, count := backupOf(t, in, id, moving.BackupOptions{WithoutMedia: true})
	if count.Files != 1 || count.Gone != 0 || len(without) > len(with)-len(noise) {
		t.Errorf("%+v in %d bytes, with media %d", count, len(without), len(with))
	}
	check := func(in moving.Installation, files int) {
		t.Helper()
		if got := filesOf(t, in, id); len(got) != files || !strings.HasPrefix(got[len(got)-1], "queue/s1.image") {
			t.Errorf("there are %q", got)
		}
		left := 0
		for _, state := range mediaStates(t, in, id) {
			if state == "left" {
				left++
			}
		}
		if left != 4-files {
			t.Errorf("%d are left with WhatsApp", left)
		}
	}
	for _, c := range []struct {
		content []byte
		o       moving.RestoreOptions
	}{{without, moving.RestoreOptions{}}, {with, moving.RestoreOptions{WithoutMedia: true}}} {
		to := installation(t, engine.SQLite)
		_, err := to.Restore(t.Context(), opener(c.content), c.o, quiet)
		ok(t, err)
		check(to, 1)
	}
	// In the place of the number itself, they are there already; what it got since goes.
	media := filepath.Join(in.Dir, "instances", string(id), "media")
	ok(t, os.WriteFile(filepath.Join(media, "1700000009-later.png"), noise[:5], 0o600))
	ok(t, os.Remove(filepath.Join(media, "1700000001-large.mp4")))
	_, err := in.Restore(t.Context(), opener(without), moving.RestoreOptions{Replace: true}, quiet)
	ok(t, err)
	check(in, 3)
	_, err = in.Restore(t.Context(), opener(with), moving.RestoreOptions{Replace: true}, quiet)
	ok(t, err)
	check(in, 4)
}

// changed writes a backup once more, with other files.
func changed(t testing.TB, content []byte, ahead archive.FilesAhead, more func(add func(archive.File, io.Reader) (bool, error)) error) []byte {
	t.Helper()
	r, err := opener(content)()
	ok(t, err)
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, random, r.Header)
	ok(t, err)
	for {
		s, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			ok(t, w.Close())
			return out.Bytes()
		case err != nil:
			t.Fatal(err)
		case s.Number != nil:
			ok(t, w.Number(*s.Number))
		case s.Database != nil:
			_, err := w.Database(t.Context(), s.Database.Part, s.Database.Version, s.Database)
			ok(t, err)
		default:
			ok(t, w.Files(ahead, more))
		}
	}
}

// untouched is told of no step.
func untouched(t testing.TB, what string) func(moving.Step) {
	return func(s moving.Step) { t.Errorf("%s: something was written: %s", what, s.Name) }
}

// What cannot be right, and what there is no room for, is found before anything is written.
func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	from := installation(t, engine.SQLite)
	id := idOf(t, "a")
	addNumber(t, from, id, 1, 0)
	content, _ := backupOf(t, from, id, moving.BackupOptions{})
	in := installation(t, engine.SQLite)
	one := func(names ...string) []byte {
		return changed(t, content, archive.FilesAhead{Count: len(names), Bytes: 10}, func(add func(archive.File, io.Reader) (bool, error)) error {
			for _, name := range names {
				folder, file, _ := strings.Cut(name, "/")
				if _, err := add(archive.File{Folder: folder, Name: file, Size: 1}, strings.NewReader("x")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	huge := changed(t, content, archive.FilesAhead{Count: 1, Bytes: 1 << 60}, func(add func(archive.File, io.Reader) (bool, error)) error { return nil })
	small := in
	small.DiskLimit = 3 << 20
	for what, c := range map[string]struct {
		in      moving.Installation
		content []byte
		o       moving.RestoreOptions
		kind    fault.Kind
		says    string
	}{
		"a file of no message":  {in, one("media/unknown.png"), moving.RestoreOptions{}, fault.Invalid, "no message in it knows"},
		"another folder":        {in, one("keys/1700000001-large.mp4"), moving.RestoreOptions{}, fault.Invalid, "no message in it knows"},
		"the number's database": {in, one("media/keys_" + string(id)), moving.RestoreOptions{}, fault.Invalid, "no message in it knows"},
		"one twice":             {in, one("media/1700000001-large.mp4", "media/1700000001-large.mp4"), moving.RestoreOptions{}, fault.Invalid, "no message in it knows"},
		"in a bucket":           {in, one("media/1700000004-elsewhere.png"), moving.RestoreOptions{}, fault.Invalid, "no message in it knows"},
		"no room on the disk":   {in, huge, moving.RestoreOptions{}, fault.Unavailable, "There is no room for this backup"},
		"no room in the folder": {small, content, moving.RestoreOptions{}, fault.Unavailable, "may have 3 MiB here. Raise WORKER_DISK_LIMIT"},
	} {
		_, err := c.in.Restore(t.Context(), opener(c.content), c.o, untouched(t, what))
		if fault.KindOf(err) != c.kind || !strings.Contains(fault.MessageOf(err), c.says) {
			t.Errorf("%s: %v", what, err)
		}
		empty(t, in)
	}
	// Neither is it what they say it is that counts where they are left out, or not wanted.
	_, err := small.Restore(t.Context(), opener(huge), moving.RestoreOptions{WithoutMedia: true}, quiet)
	ok(t, err)
	_, err = in.Restore(t.Context(), opener(one("media/1700000001-large.mp4")), moving.RestoreOptions{Replace: true}, quiet)
	ok(t, err)
	if got := filesOf(t, in, id); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

// The last backup of a number has its files, is made once, and not where it would fill the disk.
func TestLastBackupHasFiles(t *testing.T) {
	t.Parallel()
	in := installation(t, engine.SQLite)
	id := idOf(t, "a")
	inst := addNumber(t, in, id, 1, 0)
	want := dump(t, in, id)
	live := &moving.Live{
		In:   in,
		Kept: moving.Deleted{Dir: filepath.Join(in.Dir, "deleted"), Key: random, For: time.Hour},
		Take: func(context.Context, instances.ID) error { return nil },
	}
	ok(t, live.Kept.Room(t.Context(), in, id))
	more := func(size int64) {
		t.Helper()
		access, err := in.Databases.Access(t.Context(), id)
		ok(t, err)
		db, err := isolation.OpenMain(t.Context(), access)
		ok(t, err)
		f, err := messages.New(db).MediaNamed(t.Context(), "1700000001-large.mp4")
		ok(t, err)
		f.Size = size
		_, err = messages.New(db).SetMedia(t.Context(), f)
		ok(t, err)
		ok(t, db.Close())
	}
	more(1 << 60)
	if err := live.Kept.Room(t.Context(), in, id); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "There is no room for a last backup") {
		t.Errorf("with more than any disk has: %v", err)
	}
	more(int64(len(noise)))
	inst.Status, inst.Since = instances.Deleting, time.Now().Add(-time.Second).Truncate(time.Millisecond)
	ok(t, in.Store.SaveInstance(t.Context(), inst))
	path, err := live.Kept.Keep(t.Context(), in, id)
	ok(t, err)
	if info, err := os.Stat(path); err != nil || info.Size() < int64(len(noise)) {
		t.Fatalf("%v, %v", info, err)
	}
	// The removal was killed, and goes on.
	if again, err := live.Kept.Keep(t.Context(), in, id); err != nil || again != path {
		t.Errorf("another backup is made: %q, %v", again, err)
	}
	ok(t, in.Databases.Drop(t.Context(), id))
	ok(t, os.RemoveAll(filepath.Join(in.Dir, "instances", string(id))))
	ok(t, in.Store.RemoveInstance(t.Context(), id))
	_, err = live.BringBack(t.Context(), filepath.Base(path), false)
	ok(t, err)
	different(t, dump(t, in, id), want)
	// Deleted once more, it is another backup that it leaves.
	inst.Since = time.Now().Add(time.Hour)
	ok(t, in.Store.SaveInstance(t.Context(), inst))
	if again, err := live.Kept.Keep(t.Context(), in, id); err != nil || again == path {
		t.Errorf("it has no backup of its own: %q, %v", again, err)
	}
}

// To another storage folder, files go along; the old folder stays as it was.
func TestMigrateToAnotherFolder(t *testing.T) {
	t.Parallel()
	from, to := installation(t, engine.SQLite), installation(t, engine.Postgres)
	id := idOf(t, "a")
	addNumber(t, from, id, 1, 0)
	want := dump(t, from, id)
	ok(t, moving.Migrate(t.Context(), from, to, quiet))
	for _, in := range []moving.Installation{from, to} {
		different(t, dump(t, in, id), want)
	}
	if got := filesOf(t, to, id); len(got) != len(files) || !slices.IsSorted(got) {
		t.Errorf("there are %q", got)
	}
}

// A backup of format 1 has no files, and its number asks for them.
func TestFormatOne(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/format1.backup")
	ok(t, err)
	in := installation(t, engine.Postgres)
	restored, err := in.Restore(t.Context(), opener(content), moving.RestoreOptions{}, quiet)
	ok(t, err)
	if len(restored) != 1 || restored[0].Name != "Shop" {
		t.Fatalf("restored %+v", restored)
	}
	if got := mediaStates(t, in, restored[0].ID)["1700000001-picture.jpeg"]; got != string(messages.Left) {
		t.Errorf("the picture is %q", got)
	}
}
