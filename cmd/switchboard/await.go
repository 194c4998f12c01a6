package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"switchboard/engine"
	"switchboard/handlers"
)

// awaitDatabase does what needs the database server. While that is away it is waited for, until
// ctx ends: a machine that was switched on may start it later. People are told once, and whoever
// comes to the panel's port.
func (p *panel) awaitDatabase(ctx context.Context, env environment, c config, do func() error) error {
	told, end := false, func() {}
	err := engine.Again(ctx, engine.Away, func() error {
		err := do()
		if engine.Away(err) && ctx.Err() == nil && !told {
			told = true
			p.log.Warn("database server is away and is waited for", "error", err)
			fmt.Fprintln(env.stdout, sentence(err), "Switchboard waits for it.")
			if c.TLS.Cert == "" && len(c.ACME.Domains) == 0 {
				end = answerMeanwhile(p.listener.(*net.TCPListener))
			}
		}
		return err
	})
	end()
	return err
}

// answerMeanwhile answers on l for a panel that cannot begin yet, until end is called.
func answerMeanwhile(l *net.TCPListener) (end func()) {
	server := &http.Server{Handler: handlers.Waiting(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(lent{l})
	}()
	return func() {
		_ = server.Close()
		<-ended
		_ = l.SetDeadline(time.Time{})
	}
}

// lent is a listener that is given back: closing it only calls off who accepts.
type lent struct{ *net.TCPListener }

func (l lent) Close() error { return l.SetDeadline(time.Now()) }
