package phone

import (
	"context"
	"fmt"
	"log/slog"

	waLog "go.mau.fi/whatsmeow/util/log"
)

// whatsmeowLog passes whatsmeow's warnings and errors on as debug lines: a simulated phone
// loses its network for fun, and what goes wrong for good is reported by the phone itself.
// whatsmeow's own debug lines hold whole messages and are left out.
type whatsmeowLog struct {
	log    *slog.Logger
	module string
}

func (l whatsmeowLog) Errorf(msg string, args ...any) { l.write(msg, args) }
func (l whatsmeowLog) Warnf(msg string, args ...any)  { l.write(msg, args) }
func (l whatsmeowLog) Infof(string, ...any)           {}
func (l whatsmeowLog) Debugf(string, ...any)          {}

func (l whatsmeowLog) Sub(module string) waLog.Logger {
	return whatsmeowLog{log: l.log, module: module}
}

func (l whatsmeowLog) write(msg string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("whatsmeow", "module", l.module, "detail", fmt.Sprintf(msg, args...))
	}
}
