package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// stopping tells how urgently the program is to stop.
type stopping struct {
	first  context.Context // done at the first SIGINT or SIGTERM: finish what is under way
	second context.Context // done at the second: do not wait any longer
}

// stopOnSignal listens for the signals until the program ends.
func stopOnSignal(ctx context.Context, log *slog.Logger) stopping {
	first, stop := context.WithCancel(ctx)
	second, force := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		log.Info("stopping, a second signal stops without waiting")
		stop()
		<-signals
		log.Warn("stopping without waiting")
		force()
		signal.Reset(syscall.SIGINT, syscall.SIGTERM) // a third one ends the process as usual
	}()
	return stopping{first: first, second: second}
}
