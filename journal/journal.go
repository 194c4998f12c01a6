// Package journal reads the log that a worker has written, beside the worker: the newest
// lines, of a level and with a text, or all of it.
//
// The worker need not run. What it may have put in the place of its log is not believed: a
// link or a pipe is no log, and however much there is, no more than a bound of it is read.
package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	most     = 16 << 20 // bytes that one reading looks at
	chunk    = 64 << 10
	lineMost = 8 << 10 // bytes of one line
)

// Query says which lines are wanted. The zero value wants none.
type Query struct {
	Level slog.Level // this one and those above it
	Text  string     // which a line has somewhere, in whatever case; "" for any
	Limit int        // at most so many
}

// Line is one line of a log.
type Line struct {
	Time    time.Time // zero if the line has none
	Level   slog.Level
	Message string
	Facts   []Fact // by name
}

// Fact is what a line tells beside its message.
type Fact struct{ Name, Value string }

// Log is the log of one number: a file, and older ones that a date in their name tells apart.
type Log struct {
	Dir  string
	Name string // of the present file, "worker.log"
}

// State changes whenever lines are added, and costs next to nothing to ask for.
func (l Log) State() string {
	info, err := os.Lstat(filepath.Join(l.Dir, l.Name))
	if err != nil {
		return "0"
	}
	var inode uint64
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = s.Ino
	}
	return fmt.Sprintf("%x.%x", inode, info.Size())
}

// Lines returns the newest lines that q wants, the newest first. A number that has never run
// has none. How far back it looks is bounded.
func (l Log) Lines(ctx context.Context, q Query) ([]Line, error) {
	q.Text = strings.ToLower(strings.TrimSpace(q.Text))
	var found []Line
	left := int64(most)
	files, err := l.files()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if len(found) >= q.Limit || left <= 0 {
			break
		}
		err := backwards(ctx, file, &left, func(text []byte) bool {
			if line := parse(text); q.wants(line) {
				found = append(found, line)
			}
			return len(found) < q.Limit
		})
		if err != nil {
			return nil, err
		}
	}
	return found[:min(len(found), q.Limit)], nil
}

// WriteTo writes everything that there is, as it is, the oldest first.
func (l Log) WriteTo(w io.Writer) (total int64, err error) {
	files, err := l.files()
	if err != nil {
		return 0, err
	}
	for _, file := range slices.Backward(files) {
		n, err := copyFile(w, file)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// files are the paths of the log's files, the newest first.
func (l Log) files() ([]string, error) {
	entries, err := os.ReadDir(l.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read log: %w", err)
	}
	ext := filepath.Ext(l.Name)
	start := strings.TrimSuffix(l.Name, ext) + "-"
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		if name != l.Name && (!strings.HasPrefix(name, start) || !strings.HasSuffix(name, ext)) || !entry.Type().IsRegular() {
			continue
		}
		files = append(files, filepath.Join(l.Dir, name))
	}
	// "worker.log" comes behind every "worker-2026-….log", and later dates behind earlier ones.
	slices.Sort(files)
	slices.Reverse(files)
	return files, nil
}

// open opens a regular file and nothing else, and never waits for it.
func open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func copyFile(w io.Writer, path string) (int64, error) {
	f, size, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // rotated away meanwhile
	}
	if err != nil {
		return 0, fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	n, err := io.Copy(w, io.LimitReader(f, min(size, most)))
	if err != nil {
		return n, fmt.Errorf("copy log: %w", err)
	}
	return n, nil
}

// backwards calls each with the lines of a file, the last one first, until it returns false,
// the file begins, or left is used up.
func backwards(ctx context.Context, path string, left *int64, each func(line []byte) bool) error {
	f, at, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // rotated away meanwhile
	}
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	var rest []byte // the beginning of a line whose end is behind at
	buffer := make([]byte, chunk)
	for at > 0 && *left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(at, chunk, *left)
		at -= n
		*left -= n
		if _, err := f.ReadAt(buffer[:n], at); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read log: %w", err)
		}
		text := append(slices.Clone(buffer[:n]), rest...)
		for {
			cut := bytes.LastIndexByte(text, '\n')
			if cut < 0 {
				break
			}
			if line := text[cut+1:]; len(line) > 0 && !each(line) {
				return nil
			}
			text = text[:cut]
		}
		rest = text[:min(len(text), lineMost)]
	}
	if at == 0 && len(rest) > 0 {
		each(rest)
	}
	return nil
}

// parse reads a line that slog has written as JSON; any other is a message as it stands.
func parse(text []byte) Line {
	text = text[:min(len(text), lineMost)]
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&members) != nil {
		return Line{Message: clean(string(text))}
	}
	var line Line
	for name, value := range members {
		shown, isText := value.(string)
		if !isText {
			// What was just decoded can be encoded.
			data, _ := json.Marshal(value)
			shown = string(data)
		}
		switch name {
		case slog.TimeKey:
			line.Time, _ = time.Parse(time.RFC3339Nano, shown)
		case slog.LevelKey:
			_ = line.Level.UnmarshalText([]byte(shown)) // without one it is info
		case slog.MessageKey:
			line.Message = clean(shown)
		case "instance": // whose log it is says as much
		default:
			line.Facts = append(line.Facts, Fact{clean(name), clean(shown)})
		}
	}
	slices.SortFunc(line.Facts, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) })
	return line
}

// clean keeps what cannot be shown out of a text.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

func (q Query) wants(line Line) bool {
	if line.Level < q.Level {
		return false
	}
	return q.Text == "" || strings.Contains(strings.ToLower(line.String()), q.Text)
}

// String is the line as it is read: its level, its message and its facts.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString(l.Level.String())
	b.WriteByte(' ')
	b.WriteString(l.Message)
	for _, f := range l.Facts {
		b.WriteByte(' ')
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(f.Value)
	}
	return b.String()
}

// ParseLevel reads the name of a level; "" is every level.
func ParseLevel(name string) (level slog.Level, ok bool) {
	switch name {
	case "", "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	}
	return 0, false
}
