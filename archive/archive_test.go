package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
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

func write(t *testing.T, k archive.Key) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, k, archive.Header{Program: "v1", CreatedAt: time.UnixMilli(9).UTC(), Whole: true})
	for _, step := range []func() error{
		func() error { _, err := w.Database(t.Context(), archive.Control, 3, rows{}); return err },
		func() error { return w.Number(number) },
		func() error { _, err := w.Database(t.Context(), archive.Keys, 15, content); return err },
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
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
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
	if all, err := r.Summary(); err != nil || len(all.Numbers) != 1 || !reflect.DeepEqual(all.Numbers[0], number) || all.Versions[archive.Keys] != 15 {
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
			_, err = r.Summary()
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
