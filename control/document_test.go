package control

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"switchboard/fault"
	"switchboard/instances"
)

func whole() StartDocument {
	return StartDocument{
		ID: "a_20240101120000", Name: "A", Version: "1", Dir: "/srv/a", Listen: "127.0.0.1:3001", Token: token,
		Database:  instances.Access{Engine: "sqlite", Main: "file:secret-main", Keys: "file:secret-keys"},
		Simulator: &Simulator{Addr: "127.0.0.1:9", RootKey: strings.Repeat("ab", 32)}, LogLevel: "debug",
	}
}

func TestReadStartDocument(t *testing.T) {
	t.Parallel()
	text, _ := json.Marshal(whole())
	got, err := ReadStartDocument(strings.NewReader(strings.Replace(string(text), "{", `{"of_a_later_version":1,`, 1)))
	if err != nil || !reflect.DeepEqual(got, whole()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadStartDocumentFaults(t *testing.T) {
	t.Parallel()
	change := func(edit func(*StartDocument)) io.Reader {
		doc := whole()
		edit(&doc)
		text, _ := json.Marshal(doc)
		return strings.NewReader(string(text))
	}
	for name, c := range map[string]struct {
		in   io.Reader
		want []string
	}{
		"nothing":   {strings.NewReader(""), []string{"no start document"}},
		"unread":    {iotest.ErrReader(errors.New("broken")), []string{"cannot be read"}},
		"cut":       {strings.NewReader(`{"id":"a_2024`), []string{"not the JSON object"}},
		"two":       {strings.NewReader(`{} {}`), []string{"not the JSON object"}},
		"array":     {strings.NewReader(`[]`), []string{"not the JSON object"}},
		"huge":      {strings.NewReader(strings.Repeat(" ", 1<<20+1)), []string{"1 MiB"}},
		"empty":     {strings.NewReader(`{}`), []string{"id is", "dir is", "listen is", "token is", "database.engine", "database.main", "database.keys"}},
		"id":        {change(func(d *StartDocument) { d.ID = "../x" }), []string{"id is"}},
		"dir":       {change(func(d *StartDocument) { d.Dir = "a" }), []string{"dir is"}},
		"simulator": {change(func(d *StartDocument) { d.Simulator = &Simulator{"x", "ab"} }), []string{"simulator.addr", "simulator.root_key"}},
		"log level": {change(func(d *StartDocument) { d.LogLevel = "loud" }), []string{"log_level"}},
	} {
		doc, err := ReadStartDocument(c.in)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range c.want {
			if !strings.Contains(fault.MessageOf(err), part) {
				t.Errorf("%s: %q does not say %q", name, fault.MessageOf(err), part)
			}
		}
		if err != nil && strings.Contains(err.Error(), "secret") || !reflect.DeepEqual(doc, StartDocument{}) {
			t.Errorf("%s: a value leaks: %v, %+v", name, err, doc)
		}
	}
}

func TestNoteExit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, ok := NotedExit(dir, os.Getpid()); ok {
		t.Error("a code from an empty folder")
	}
	if err := NoteExit(dir, ExitLocked); err != nil {
		t.Fatal(err)
	}
	if code, ok := NotedExit(dir, os.Getpid()); !ok || code != ExitLocked {
		t.Errorf("got %d, %v", code, ok)
	}
	if _, ok := NotedExit(dir, os.Getppid()); ok {
		t.Error("the code of another process")
	}
}
