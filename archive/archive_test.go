package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"switchboard/archive"
	"switchboard/fault"
	"switchboard/tables"
)

var key = archive.Random("0123456789abcdef0123456789abcdef")

// rows is a content in memory.
type rows map[string][][]any

var columns = []tables.Column{{Name: "k", Kind: tables.Text, Required: true}, {Name: "v", Kind: tables.Bytes}}

func (r rows) Tables() []tables.Table {
	return []tables.Table{{Name: "a", Columns: columns, Key: []string{"k"}}, {Name: "b", Columns: columns}}
}

func (r rows) Each(_ context.Context, do func(tables.Table, []any) error) error {
	for _, t := range r.Tables() {
		for _, row := range r[t.Name] {
			if err := do(t, row); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	number  = archive.Number{ID: "a_1", Name: "Ä", JID: "1@s", Desired: "running", Port: 3001, CreatedAt: time.UnixMilli(5).UTC()}
	content = rows{"b": {{"x", []byte{0}}, {"y", nil}, {strings.Repeat("long", 50_000), []byte{}}}}
)

type adding = func(archive.File, io.Reader) (bool, error)

// Three of the files that were announced can be read, one only begins, one is gone.
var ahead = archive.FilesAhead{Count: 5, Bytes: 10_000}

var large = bytes.Repeat([]byte("{\"file_end\":{}}\n\x00\xff"), 100)

func writeFiles(t *testing.T) func(adding) error {
	return func(add adding) error {
		for name, content := range map[string]struct {
			from  io.Reader
			size  int
			whole bool
		}{
			"large.mp4":  {bytes.NewReader(large), len(large), true},
			"empty":      {strings.NewReader(""), 0, true},
			"longer.txt": {strings.NewReader("hello, but no more"), 5, true},
			"torn.jpeg":  {io.MultiReader(strings.NewReader("to"), iotest.ErrReader(io.ErrNoProgress)), 5, false},
		} {
			whole, err := add(archive.File{Folder: "media", Name: name, Size: int64(content.size)}, content.from)
			if err != nil {
				return err
			}
			if whole != content.whole {
				t.Errorf("%s is whole: %v", name, whole)
			}
		}
		for _, f := range []archive.File{{Folder: "media", Name: "much", Size: 1 << 20}, {Folder: "media", Name: "../up"}, {Folder: "..", Name: "up"}, {Folder: "media", Name: ".part-x"}, {Folder: "media"}} {
			if _, err := add(f, strings.NewReader("")); err == nil {
				t.Errorf("%+v was written", f)
			}
		}
		return nil
	}
}

func write(t *testing.T, k archive.Key) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, k, archive.Header{Program: "v1", CreatedAt: time.UnixMilli(9).UTC(), Whole: true})
	for _, step := range []func() error{
		func() error { _, err := w.Database(t.Context(), archive.Control, 3, rows{}); return err },
		func() error { return w.Number(number) },
		func() error { _, err := w.Database(t.Context(), archive.Keys, 15, content); return err },
		func() error { return w.Files(ahead, writeFiles(t)) },
		func() error { return w.Number(archive.Number{ID: "b_1"}) },
		func() error { return w.Files(archive.FilesAhead{Without: true}, func(adding) error { return nil }) },
		func() error { return w.Close() },
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	r, err := archive.NewReader(bytes.NewReader(write(t, key)), key)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Header.Whole || r.Header.Program != "v1" || !r.Header.CreatedAt.Equal(time.UnixMilli(9)) {
		t.Errorf("header %+v", r.Header)
	}
	if s, err := r.Next(); err != nil || s.Database == nil || s.Database.Part != archive.Control || s.Database.Version != 3 {
		t.Fatalf("first %+v, %v", s, err)
	}
	if s, err := r.Next(); err != nil || !reflect.DeepEqual(*s.Number, number) {
		t.Fatalf("second %+v, %v", s, err)
	}
	s, err := r.Next()
	if err != nil || !reflect.DeepEqual(s.Database.Tables(), content.Tables()) {
		t.Fatalf("third %+v, %v", s, err)
	}
	got := rows{}
	if err := s.Database.Each(t.Context(), func(t tables.Table, row []any) error {
		got[t.Name] = append(got[t.Name], row)
		return nil
	}); err != nil || !reflect.DeepEqual(got, content) {
		t.Errorf("rows %+.100v, %v", got, err)
	}
	if err := s.Database.Each(t.Context(), nil); err == nil {
		t.Error("the rows were read twice")
	}
	s, err = r.Next()
	if err != nil || s.Files == nil || s.Files.FilesAhead != ahead {
		t.Fatalf("fourth %+v, %v", s, err)
	}
	files := map[string]string{}
	if err := s.Files.Each(t.Context(), func(f archive.File, content io.Reader) error {
		var got strings.Builder
		n, err := io.Copy(&got, content)
		if errors.Is(err, archive.ErrBroken) {
			files[f.Name] = "broken"
			return nil
		}
		if n != f.Size {
			t.Errorf("%s has %d bytes, want %d", f.Name, n, f.Size)
		}
		files[f.Name] = got.String()
		return err
	}); err != nil || !reflect.DeepEqual(files, map[string]string{"large.mp4": string(large), "empty": "", "longer.txt": "hello", "torn.jpeg": "broken"}) {
		t.Errorf("files %+.100v, %v", files, err)
	}
	if err := s.Files.Each(t.Context(), nil); err == nil {
		t.Error("the files were read twice")
	}
	if s, err := r.Next(); err != nil || s.Number.ID != "b_1" {
		t.Fatalf("fifth %+v, %v", s, err)
	}
	if s, err := r.Next(); err != nil || !s.Files.Without || s.Files.Count != 0 {
		t.Fatalf("sixth %+v, %v", s, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// What is not read of files is looked at all the same.
func TestFilesThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, read := range []func(archive.File, io.Reader) error{
		nil,
		func(archive.File, io.Reader) error { return nil },
		func(_ archive.File, content io.Reader) error { _, _ = content.Read(make([]byte, 3)); return nil },
	} {
		r, err := archive.NewReader(bytes.NewReader(write(t, key)), key)
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.Summary(func(s archive.Section) error {
			if s.Files == nil || read == nil {
				return nil
			}
			return s.Files.Each(t.Context(), read)
		})
		if err != nil || all.Files["a_1"] != ahead || len(all.Numbers) != 2 {
			t.Errorf("%+v, %v", all, err)
		}
	}
	r, err := archive.NewReader(bytes.NewReader(write(t, key)), key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = r.Summary(func(s archive.Section) error {
		if s.Files == nil {
			return nil
		}
		return s.Files.Each(ctx, func(archive.File, io.Reader) error { cancel(); return nil })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it goes on without whoever wanted it: %v", err)
	}
}

// A passphrase of a person is dear to guess, and the file says so itself.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	sealed := write(t, archive.Passphrase("correct horse"))
	if head := string(sealed[:80]); !strings.HasPrefix(head, "age-encryption.org/v1\n-> scrypt ") || !strings.Contains(head, " 18\n") {
		t.Errorf("it begins with %q", head)
	}
	r, err := archive.NewReader(bytes.NewReader(sealed), archive.Passphrase("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if all, err := r.Summary(nil); err != nil || len(all.Numbers) != 2 || !reflect.DeepEqual(all.Numbers[0], number) || all.Versions[archive.Keys] != 15 {
		t.Errorf("summary %+v, %v", all, err)
	}
	if _, err := archive.NewReader(bytes.NewReader(sealed), archive.Passphrase("wrong")); !errors.Is(err, archive.ErrPassphrase) || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := archive.NewWriter(io.Discard, archive.Passphrase(""), archive.Header{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no passphrase: %v", err)
	}
}

// Cuts and flipped bits are found, wherever they are.
func TestDamage(t *testing.T) {
	t.Parallel()
	whole := write(t, key)
	read := func(b []byte) error {
		r, err := archive.NewReader(bytes.NewReader(b), key)
		if err == nil {
			_, err = r.Summary(nil)
		}
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 7 {
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		if read(changed) == nil {
			t.Errorf("byte %d of %d was changed", i, len(whole))
		}
		if read(whole[:i]) == nil {
			t.Errorf("cut at %d of %d", i, len(whole))
		}
	}
	if err := read(append(bytes.Clone(whole), 0)); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("something behind the end: %v", err)
	}
}
