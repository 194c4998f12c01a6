package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"switchboard/auth"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/whatsapp/simulator/phone"
)

// demoEmail is the account that demo signs in.
const demoEmail = "demo@switchboard.example"

// The addresses that demo likes best; a free port is taken where one is in use.
const (
	demoPanel   = "127.0.0.1:3000"
	demoNetwork = "127.0.0.1:3900"
	demoPhones  = "127.0.0.1:3901"
)

// demo runs a simulated network with three phones, and the panel on it, until it is told
// to stop. It is configured by nothing, so that it works everywhere: no environment, no
// .env, everything on loopback and in a folder of its own.
func demo(ctx context.Context, env environment, args []string) error {
	flags := newFlags("demo")
	dir := flags.String("dir", filepath.Join("storages", "demo"), "`folder` for everything on disk")
	level := slog.LevelWarn
	flags.TextVar(&level, "log-level", slog.LevelWarn, "debug, info, warn or error")
	if err := parseFlags(flags, env, args); err != nil {
		return err
	}
	log := newLog(env.stderr, level)
	stopping := stopOnSignal(ctx, log)

	s, err := openSimulation(stopping.first, simulationOptions{
		listen: freeOr(demoNetwork), control: freeOr(demoPhones), dir: filepath.Join(*dir, "simulator"), log: log,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.addDemoPhones(stopping.first); err != nil {
		return err
	}
	c, err := demoConfig(*dir, s)
	if err != nil {
		return err
	}
	c.LogLevel = level
	p, err := openPanel(stopping.first, env, c, panelOptions{phoneURL: s.phoneURL(), log: log})
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.auth.AddUser(ctx, auth.NewUser{Email: demoEmail, Name: "Demo", Role: auth.Owner, LinkOnly: true})
	if err != nil && fault.KindOf(err) != fault.Conflict {
		return err
	}
	token, err := p.auth.SignInLink(ctx, demoEmail)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "The demo is running. Open this link:\n\n  %s\n\nPress Ctrl-C to stop it.\n", p.url.JoinPath("sign-in", token))
	return p.serve(stopping, false)
}

// demoConfig is the configuration of a panel on a simulated network, in dir.
func demoConfig(dir string, s *simulation) (config, error) {
	host, port, err := net.SplitHostPort(freeOr(demoPanel))
	if err != nil {
		return config{}, err
	}
	vars := map[string]string{
		"DB_URI":      engine.At(filepath.Join(dir, "whatsapp.db")).URI(),
		"STORAGE_DIR": dir,
		"APP_HOST":    host,
		"APP_PORT":    port,

		"WHATSAPP_SIMULATOR_ADDR":     s.addr(),
		"WHATSAPP_SIMULATOR_ROOT_KEY": s.rootKey(),
	}
	return readConfig([]source{{title: variableTitle, lookup: func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}}})
}

// addDemoPhones makes three phones that can be paired with; one of them answers by itself.
func (s *simulation) addDemoPhones(ctx context.Context) error {
	for _, p := range []struct {
		number, name string
		answers      bool
	}{
		{"491700000001", "Your phone", false},
		{"491700000002", "Second phone", false},
		{"491700000003", "Echo, who answers", true},
	} {
		added, err := s.fleet.AddPhone(ctx, p.number, p.name)
		if err != nil {
			return fmt.Errorf("add phone: %w", err)
		}
		if p.answers {
			if err := added.SetAnswer(ctx, phone.Answer{On: true, Prefix: "You said: ", Delay: time.Second}); err != nil {
				return fmt.Errorf("let a phone answer: %w", err)
			}
		}
	}
	return nil
}

// freeOr returns an address if nobody listens there, else the same one with port 0, for
// any free port.
func freeOr(address string) string {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		_ = listener.Close()
		return address
	}
	host, _, _ := net.SplitHostPort(address)
	return net.JoinHostPort(host, "0")
}
