package main

import (
	"context"
	"flag"
	"fmt"
)

// serve runs the panel and all numbers until it is told to stop, or starts itself anew when
// it is told so.
func serve(ctx context.Context, env environment, args []string) error {
	reload, err := servePanel(ctx, env, args)
	if err == nil && reload {
		return startAnew()
	}
	return err
}

// servePanel tells whether it ended in order to be started anew. By then it has given
// everything back.
func servePanel(ctx context.Context, env environment, args []string) (reload bool, err error) {
	var detach, newKey bool
	c, err := loadConfig("serve", args, env, func(f *flag.FlagSet) {
		f.BoolVar(&detach, "detach-workers", false, "leave the numbers running when the panel stops; the next one adopts them")
		f.BoolVar(&newKey, "new-secret-key", false, "make a new secret key where the old one is lost")
	})
	if err != nil {
		return false, err
	}
	log := newLog(env.stderr, c.LogLevel)
	log.Debug("configuration", "config", c)
	stopping := stopOrReload(ctx, log)
	p, err := openPanel(stopping.first, env, c, panelOptions{newKey: newKey, log: log})
	if err != nil {
		if stopping.first.Err() != nil { // while it waited for the database
			return stopping.reload.Load(), nil
		}
		return false, err
	}
	defer p.Close()
	token, err := p.auth.SetupLink(ctx)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(env.stdout, "Switchboard is at %s\n", p.url)
	if token != "" {
		fmt.Fprintf(env.stdout, "Make your account with this link, which works once:\n%s\n", p.url.JoinPath("setup", token))
	}
	fmt.Fprintln(env.stdout, "Press Ctrl-C to stop it.")
	err = p.serve(stopping, detach)
	return stopping.reload.Load(), err
}
