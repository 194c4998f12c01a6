package whatsapp

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	waLog "go.mau.fi/whatsmeow/util/log"
)

// logger hands whatsmeow's log lines to slog. whatsmeow formats whole stanzas, addresses and
// codes into them, so only numbers, times and scrubbed error texts get through; everything
// else becomes "…".
type logger struct {
	to     *slog.Logger
	module string
}

// bridge returns a logger for whatsmeow.
func bridge(to *slog.Logger) waLog.Logger { return logger{to: to, module: "client"} }

func (l logger) Errorf(msg string, args ...any) { l.log(slog.LevelError, msg, args) }
func (l logger) Warnf(msg string, args ...any)  { l.log(slog.LevelWarn, msg, args) }
func (l logger) Infof(msg string, args ...any)  { l.log(slog.LevelInfo, msg, args) }
func (l logger) Debugf(msg string, args ...any) { l.log(slog.LevelDebug, msg, args) }

// Sub returns a logger for a part of whatsmeow. The parts that log nothing but the stanzas
// that come and go, and pairing codes, are silent.
func (l logger) Sub(module string) waLog.Logger {
	switch module {
	case "Recv", "Send", "QRChannel":
		return waLog.Noop
	}
	return logger{to: l.to, module: module}
}

func (l logger) log(level slog.Level, msg string, args []any) {
	ctx := context.Background()
	if !l.to.Enabled(ctx, level) {
		return
	}
	// fmt prints %p without asking the value, and an address says nothing to anybody.
	msg = strings.ReplaceAll(msg, "%p", "%v")
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = redact(a)
	}
	l.to.Log(ctx, level, "whatsmeow says", "module", l.module, "detail", fmt.Sprintf(msg, safe...))
}

func redact(a any) any {
	switch v := a.(type) {
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, time.Duration, time.Time:
		return v
	case error:
		return plain(scrub(v.Error()))
	default:
		return plain("…")
	}
}

// plain is a text that prints itself under every verb.
type plain string

func (p plain) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p)) }

// An error of whatsmeow's may quote a stanza, an address or a key.
var telling = regexp.MustCompile(`<[^>]*>?|[\w+/=-]*[0-9]{5}[\w+/=-]*|[A-F0-9]{12,}|[\w+/=-]{32,}`)

// scrub takes phone numbers, keys and stanzas out of the text of an error.
func scrub(text string) string { return telling.ReplaceAllString(text, "…") }
