package moving_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/archive"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/moving"
	"switchboard/tables"
)

// Single numbers go out of an installation and come back while its panel runs.
func TestLive(t *testing.T) {
	t.Parallel()
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			in := installation(t, name)
			var taken []instances.ID
			live := &moving.Live{
				In:   in,
				Kept: moving.Deleted{Dir: filepath.Join(in.Dir, "deleted"), Key: random, Program: "test", For: time.Hour},
				Take: func(_ context.Context, id instances.ID) error { taken = append(taken, id); return nil },
			}
			owner, _ := addPeople(t, in)
			a, b := idOf(t, "a"), idOf(t, "b")
			addNumber(t, in, a, 1, owner.ID)
			addNumber(t, in, b, 2, owner.ID)
			want := dump(t, in, a)
			var one bytes.Buffer
			others := 0
			ok(t, live.Backup(ctx, writing(func(p []byte) (int, error) {
				if one.Len() > 64<<10 && others == 0 { // it is being taken, perhaps slowly
					others++
					ok(t, live.Backup(ctx, io.Discard, b, random, true))
				}
				return one.Write(p)
			}), a, random, false))
			if others != 1 {
				t.Error("nobody else came")
			}
			all := backup(t, in)

			refused := func(what string, content []byte, key archive.Key, only instances.ID, kind fault.Kind, says string) {
				t.Helper()
				_, err := live.Restore(ctx, bytes.NewReader(content), key, only, "", false)
				if fault.KindOf(err) != kind || !strings.Contains(fault.MessageOf(err), says) {
					t.Errorf("%s: %v", what, err)
				}
			}
			refused("a number that is here", one.Bytes(), random, "", fault.Conflict, "is still here")
			gone := func() {
				t.Helper()
				path, err := live.Kept.Keep(ctx, in, a)
				ok(t, err)
				if path == "" {
					t.Fatal("no last backup")
				}
				ok(t, in.Databases.Drop(ctx, a))
				ok(t, in.Store.RemoveInstance(ctx, a))
			}
			gone()
			refused("another passphrase", one.Bytes(), archive.Random("another key, also long enough"), "", fault.Invalid, "not the passphrase")
			refused("a part of it", one.Bytes()[:one.Len()-100], random, "", fault.Invalid, "damaged or incomplete")
			refused("nothing", nil, random, "", fault.Invalid, "no backup")
			refused("several numbers", all, random, "", fault.Invalid, string(b))
			refused("none of them", all, random, "c_20240101120000", fault.NotFound, "is not in this backup")
			_, err := live.Restore(ctx, io.MultiReader(bytes.NewReader(one.Bytes()[:1000]), broken{}), random, "", "", false)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an upload that breaks off: %v", err)
			}
			if there, err := in.Databases.Exists(ctx, a); err != nil || there || len(taken) > 0 {
				t.Fatalf("something is left of a refused backup: %v, %v, taken %v", there, err, taken)
			}

			back := func(id instances.ID, err error) {
				t.Helper()
				ok(t, err)
				if id != a || len(taken) != 1 || taken[0] != a {
					t.Fatalf("%s came back, taken %v", id, taken)
				}
				taken = nil
				different(t, dump(t, in, a), want)
			}
			back(live.Restore(ctx, bytes.NewReader(one.Bytes()), random, "", "", false))
			gone()
			back(live.Restore(ctx, bytes.NewReader(all), random, a, "", false)) // of a whole backup, only the number
			gone()

			kept, err := live.Kept.List()
			ok(t, err)
			if was, err := live.Kept.Record(kept[0]); err != nil || was.Name != "Número "+string(a) || was.Linked == nil || !*was.Linked {
				t.Errorf("it was %+v, %v", was, err)
			}
			file := filepath.Base(kept[0].Path)
			back(live.BringBack(ctx, file, false))
			ok(t, live.Forget(file))
			for what, err := range map[string]error{
				"forgotten": live.Forget(file), "a path": live.Forget("../" + file), "nothing": live.Forget(""),
			} {
				if fault.KindOf(err) != fault.NotFound {
					t.Errorf("%s: %v", what, err)
				}
			}
			if left, err := filepath.Glob(filepath.Join(in.Dir, tables.ScratchPattern)); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

type writing func([]byte) (int, error)

func (w writing) Write(p []byte) (int, error) { return w(p) }

// broken is a connection that ends.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestNewKey(t *testing.T) {
	t.Parallel()
	if _, err := moving.NewKey("elevenbytes"); fault.FieldOf(err) != "passphrase" {
		t.Errorf("a short passphrase: %v", err)
	}
	if _, err := moving.NewKey("zwölf zeiche"); err != nil {
		t.Error(err)
	}
}
