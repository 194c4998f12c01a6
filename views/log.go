package views

import (
	"log/slog"
	"time"

	"switchboard/instances"
)

// LogFilter is what of a log is shown.
type LogFilter struct {
	Level string // "", "debug", "info", "warn" or "error"
	Text  string
}

// LogPace is how often a log is looked at: calmly where no process writes it.
func LogPace(inst instances.Instance) string {
	if inst.PID == 0 {
		return "10s"
	}
	return "2s"
}

// levelClass is the colour of a line's level.
func levelClass(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "text-bad"
	case l >= slog.LevelWarn:
		return "text-tone-warning"
	}
	return "text-soft"
}

// second is a moment to the second, for where no script runs.
func second(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05 UTC") }
