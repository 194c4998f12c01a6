package phone

import (
	"context"
	"fmt"
	"log/slog"

	waLog "go.mau.fi/whatsmeow/util/log"
)

// whatsmeowLog passes whatsmeow's log on, one level lower than it came, because a simulated
// phone loses its network for fun. Its debug lines hold whole messages and are left out.
type whatsmeowLog struct {
	log    *slog.Logger
	module string
}

func (l whatsmeowLog) Errorf(msg string, args ...any) { l.write(slog.LevelWarn, msg, args) }
func (l whatsmeowLog) Warnf(msg string, args ...any)  { l.write(slog.LevelDebug, msg, args) }
func (l whatsmeowLog) Infof(string, ...any)           {}
func (l whatsmeowLog) Debugf(string, ...any)          {}

func (l whatsmeowLog) Sub(module string) waLog.Logger {
	return whatsmeowLog{log: l.log, module: module}
}

func (l whatsmeowLog) write(level slog.Level, msg string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "whatsmeow", "module", l.module, "detail", fmt.Sprintf(msg, args...))
	}
}
