package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// stopping tells how urgently the program is to stop.
type stopping struct {
	first  context.Context // done at the first signal: finish what is under way
	second context.Context // done at the second: do not wait any longer
	reload *atomic.Bool    // the first was SIGUSR2: start anew
}

// stopOnSignal listens for SIGINT and SIGTERM until the program ends.
func stopOnSignal(ctx context.Context, log *slog.Logger) stopping {
	return listenForSignals(ctx, log, syscall.SIGINT, syscall.SIGTERM)
}

// stopOrReload listens for SIGUSR2 as well.
func stopOrReload(ctx context.Context, log *slog.Logger) stopping {
	return listenForSignals(ctx, log, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR2)
}

func listenForSignals(ctx context.Context, log *slog.Logger, which ...os.Signal) stopping {
	s := stopping{reload: new(atomic.Bool)}
	var stop, force context.CancelFunc
	s.first, stop = context.WithCancel(ctx)
	s.second, force = context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, which...)
	go func() {
		for <-signals == syscall.SIGUSR2 {
			if err := tryProgram(ctx); err != nil {
				log.Error("program that is there now does not run, so this one goes on", "error", err)
				continue
			}
			log.Info("starting anew, the numbers run on")
			s.reload.Store(true)
			break
		}
		if !s.reload.Load() {
			log.Info("stopping, a second signal stops without waiting")
		}
		stop()
		<-signals
		log.Warn("stopping without waiting")
		force()
		signal.Reset(which...) // a third one ends the process as usual
	}()
	return s
}

// tryProgram makes sure that the file of the program can be executed, before this process
// gives everything up for it.
func tryProgram(ctx context.Context) error {
	program, err := os.Executable() // its name, not the file that this process came from
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, program, "version").Run()
}

// startAnew makes this process execute the program's file as it is now, with the same
// arguments and the same environment. It returns only if that fails.
func startAnew() error {
	program, err := os.Executable()
	if err == nil {
		err = syscall.Exec(program, os.Args, os.Environ())
	}
	return fmt.Errorf("start anew: %w", err)
}
