package worker

import (
	"log/slog"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"

	"switchboard/control"
)

// A log file is rotated at this size, and so many old ones are kept.
const (
	logMegabytes = 5
	logBackups   = 3
)

// openLog opens the worker's own log. It never fails: what cannot be written is dropped,
// since a full disk is no reason to stop.
func openLog(doc control.StartDocument) (*slog.Logger, func()) {
	file := &lumberjack.Logger{
		Filename: filepath.Join(doc.Dir, control.LogName), MaxSize: logMegabytes, MaxBackups: logBackups,
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(doc.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: level}))
	return log.With("instance", string(doc.ID)), func() { _ = file.Close() }
}
