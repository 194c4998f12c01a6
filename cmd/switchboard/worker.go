package main

import (
	"context"
	"fmt"
	"os/signal"
	"runtime/debug"
	"syscall"

	"switchboard/control"
	"switchboard/worker"
)

// workerExit is a worker's exit code on its way through run.
type workerExit control.ExitCode

func (w workerExit) Error() string { return fmt.Sprintf("worker ended with code %d", int(w)) }

// runWorker runs one number until it is told to stop over its control socket or by
// SIGTERM. It is told everything by the start document on its standard input.
func runWorker(ctx context.Context, env environment, args []string) error {
	if err := parseFlags(newFlags("worker"), env, args); err != nil {
		return err
	}
	doc, err := control.ReadStartDocument(env.stdin)
	if err != nil {
		return refuse("%s", sentence(err))
	}
	debug.FreeOSMemory()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if code := worker.Run(ctx, doc, version()); code != control.ExitStopped {
		return workerExit(code)
	}
	return nil
}
