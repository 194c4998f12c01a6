package worker

import (
	"cmp"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"switchboard/control"
)

const (
	logBackups = 3        // old files that are kept; with the present one they share what the log may have
	defaultLog = 20 << 20 // bytes
)

// logFile is the worker's own log: a file that is rotated, and older ones. What cannot be
// written is dropped, since a full disk is no reason to stop.
type logFile struct {
	mu   sync.Mutex
	file lumberjack.Logger
	most int64 // bytes of all files together
}

// newLogFile returns the log of the number whose folder is dir. It does no I/O.
func newLogFile(dir string) *logFile {
	return &logFile{file: lumberjack.Logger{Filename: filepath.Join(dir, control.LogName), MaxBackups: logBackups}}
}

// open returns what writes into the log at the level of a start document.
func (l *logFile) open(doc control.StartDocument) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(doc.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level})).With("instance", string(doc.ID))
}

func (l *logFile) close() { _ = l.file.Close() }

// Write adds a line.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(line)
}

// limit bounds the log to so many bytes from now on, in whole megabytes.
func (l *logFile) limit(most int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = most
	l.file.MaxSize = int(max(1, most>>20/(logBackups+1)))
}

// prune removes the oldest files of a log that was longer before its limit was lowered.
func (l *logFile) prune() {
	l.mu.Lock()
	defer l.mu.Unlock()
	dir, name := filepath.Split(l.file.Filename)
	ext := filepath.Ext(name)
	entries, _ := os.ReadDir(dir) // without them there is nothing to remove
	type old struct {
		path string
		size int64
	}
	var files []old
	var total int64
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && entry.Type().IsRegular() && strings.HasPrefix(entry.Name(), strings.TrimSuffix(name, ext)) && filepath.Ext(entry.Name()) == ext {
			files = append(files, old{filepath.Join(dir, entry.Name()), info.Size()})
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b old) int { return cmp.Compare(a.path, b.path) }) // the name has the time
	for _, f := range files {
		if total <= l.most {
			return
		}
		if f.path != l.file.Filename && os.Remove(f.path) == nil {
			total -= f.size
		}
	}
}
