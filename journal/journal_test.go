package journal

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gopkg.in/natefinch/lumberjack.v2"
)

// written makes a log as a worker writes it, rotated after each of the parts.
func written(t *testing.T, parts ...func(*slog.Logger)) Log {
	t.Helper()
	l := Log{Dir: t.TempDir(), Name: "worker.log"}
	file := &lumberjack.Logger{Filename: filepath.Join(l.Dir, l.Name)}
	log := slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug})).With("instance", "support_1")
	for i, part := range parts {
		if i > 0 {
			if err := file.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		part(log)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

func messages(lines []Line) (all []string) {
	for _, l := range lines {
		all = append(all, l.Message)
	}
	return all
}

func (l Log) want(t *testing.T, q Query, want ...string) {
	t.Helper()
	lines, err := l.Lines(t.Context(), q)
	if err != nil || fmt.Sprint(messages(lines)) != fmt.Sprint(want) {
		t.Errorf("%+v: %q, %v, want %q", q, messages(lines), err, want)
	}
}

func TestNewestFirstAcrossRotatedFiles(t *testing.T) {
	t.Parallel()
	l := written(t,
		func(log *slog.Logger) { log.Info("one"); log.Debug("two", "tries", 3) },
		func(log *slog.Logger) { log.Error("three", "error", "the File is gone"); log.Warn("four") },
	)
	// An older one, since two rotations in one millisecond get the same name.
	if err := os.WriteFile(filepath.Join(l.Dir, "worker-2020-01-01T00-00-00.000.log"), []byte("{\"msg\":\"zero\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	every := Query{Level: slog.LevelDebug, Limit: 10}
	l.want(t, every, "four", "three", "two", "one", "zero")
	l.want(t, Query{Level: slog.LevelDebug, Limit: 3}, "four", "three", "two")
	l.want(t, Query{Level: slog.LevelWarn, Limit: 10}, "four", "three")
	l.want(t, Query{Level: slog.LevelDebug, Text: " file IS ", Limit: 10}, "three")
	l.want(t, Query{Level: slog.LevelDebug, Text: "tries=3", Limit: 10}, "two")
	l.want(t, Query{Level: slog.LevelDebug, Text: "nothing", Limit: 10})

	lines, _ := l.Lines(t.Context(), every)
	two := lines[2]
	if two.Level != slog.LevelDebug || two.Time.IsZero() || len(two.Facts) != 1 || two.Facts[0] != (Fact{"tries", "3"}) {
		t.Errorf("%+v", two)
	}
	var all bytes.Buffer
	if n, err := l.WriteTo(&all); err != nil || n != int64(all.Len()) {
		t.Errorf("%d of %d bytes, %v", n, all.Len(), err)
	}
	for i, text := range []string{"zero", "one", "two", "three", "four"} {
		if line := strings.Split(all.String(), "\n")[i]; !strings.Contains(line, `"msg":"`+text+`"`) {
			t.Errorf("line %d of all is %s", i, line)
		}
	}
}

func TestNeverRan(t *testing.T) {
	t.Parallel()
	l := Log{Dir: filepath.Join(t.TempDir(), "none"), Name: "worker.log"}
	l.want(t, Query{Limit: 5})
	if n, err := l.WriteTo(new(bytes.Buffer)); n != 0 || err != nil {
		t.Error(n, err)
	}
	if l.State() != "0" {
		t.Error(l.State())
	}
}

func TestStateTellsOfNewLinesAndOfANewFile(t *testing.T) {
	t.Parallel()
	l := written(t, func(log *slog.Logger) { log.Info("one") })
	path := filepath.Join(l.Dir, l.Name)
	before := l.State()
	if before != l.State() {
		t.Error("it changes by itself")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(l.Dir, "worker-old.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	rotated := l.State()
	if rotated == before {
		t.Error("a new file of the same size is not noticed")
	}
	if err := os.WriteFile(path, append(text, text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if l.State() == rotated {
		t.Error("a new line is not noticed")
	}
}

// Whatever a worker puts into its folder, nothing else is read, and reading ends.
func TestWhatIsNoLogIsNotRead(t *testing.T) {
	t.Parallel()
	l := written(t, func(log *slog.Logger) { log.Info("one") })
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(l.Dir, "worker-2026-01-01.log")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(l.Dir, "worker-2026-01-02.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.want(t, Query{Limit: 5}, "one")
	// Should it become one between the look at the folder and the opening.
	for _, path := range []string{filepath.Join(l.Dir, "worker-2026-01-01.log"), filepath.Join(l.Dir, "worker-2026-01-02.log")} {
		if f, _, err := open(path); err == nil {
			f.Close()
			t.Errorf("%s was opened", path)
		}
	}
}

func TestLinesThatNobodyExpects(t *testing.T) {
	t.Parallel()
	l := Log{Dir: t.TempDir(), Name: "worker.log"}
	long := strings.Repeat("x", 3*chunk)
	text := "\n" + long + "\nnot \x1b[31mJSON\xff\n{\"level\":\"LOUD\",\"time\":7}\n\n{\"msg\":\"un"
	if err := os.WriteFile(filepath.Join(l.Dir, l.Name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := l.Lines(t.Context(), Query{Limit: 10})
	if err != nil || len(lines) != 4 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if lines[0].Message != `{"msg":"un` || lines[1].Message != "" || lines[2].Message != "not  [31mJSON?" || len(lines[3].Message) > lineMost {
		t.Errorf("%.100q", messages(lines))
	}
}

// However much there is, one reading looks at no more than the bound.
func TestReadingIsBounded(t *testing.T) {
	t.Parallel()
	l := Log{Dir: t.TempDir(), Name: "worker.log"}
	f, err := os.Create(filepath.Join(l.Dir, l.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("needle\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil { // a hole takes no room
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("\nlast\n"), 1<<40); err != nil {
		t.Fatal(err)
	}
	lines, err := l.Lines(t.Context(), Query{Text: "needle", Limit: 1})
	if err != nil || len(lines) != 0 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	l.want(t, Query{Limit: 1}, "last")
}
