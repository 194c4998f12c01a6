package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// simulate runs a simulated WhatsApp network and its phones until it is told to stop.
func simulate(ctx context.Context, env environment, args []string) error {
	var o simulationOptions
	flags := newFlags("simulator")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:3900", "`address` that WhatsApp clients connect to, port 0 for any free one")
	flags.StringVar(&o.control, "control", "127.0.0.1:3901", "`address` of the phones' page and of the control API, port 0 for any free one")
	flags.StringVar(&o.dir, "dir", filepath.Join("storages", "simulator"), "`folder` that keeps accounts, keys and chats")
	level := logLevelFlag(flags)
	if err := parseFlags(flags, env, args); err != nil {
		return err
	}
	o.log = newLog(env.stderr, *level)
	stopping := stopOnSignal(ctx, o.log)
	s, err := openSimulation(stopping.first, o)
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Fprintln(env.stdout, "A simulated WhatsApp network is running. Give these two lines to switchboard serve:")
	fmt.Fprintf(env.stdout, "WHATSAPP_SIMULATOR_ADDR=%s\nWHATSAPP_SIMULATOR_ROOT_KEY=%s\n", s.addr(), s.rootKey())
	fmt.Fprintf(env.stdout, "Its phones are at %s\n", s.phoneURL())
	<-stopping.first.Done()
	return nil
}

// logLevelFlag adds --log-level to a command that does not use the table of variables.
func logLevelFlag(flags *flag.FlagSet) *slog.Level {
	level := slog.LevelInfo
	flags.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	return &level
}

// simulationOptions is what a simulated network is started with.
type simulationOptions struct {
	listen  string // for WhatsApp clients
	control string // for the phones' page and the control API
	dir     string
	log     *slog.Logger
}

// simulation is a simulated network, its phones, and their page.
type simulation struct {
	network *simulator.Network
	fleet   *phone.Fleet
	control net.Listener
	server  *http.Server
}

// openSimulation starts a simulated network. Both addresses are tried before anything is
// made on disk.
func openSimulation(ctx context.Context, o simulationOptions) (_ *simulation, err error) {
	control, err := net.Listen("tcp", o.control)
	if err != nil {
		return nil, refuse("--control %s cannot be used: %s. Name another address, or port 0 for any free one.", o.control, listenReason(err))
	}
	s := &simulation{control: control}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := checkWritable("--dir", absolute(o.dir)); err != nil {
		return nil, err
	}
	s.network, err = simulator.Open(ctx, simulator.Options{Dir: o.dir, Listen: o.listen, Log: o.log})
	if opError := (*net.OpError)(nil); errors.As(err, &opError) {
		return nil, refuse("--listen %s cannot be used: %s. Name another address, or port 0 for any free one.", o.listen, listenReason(err))
	}
	if err != nil {
		return nil, fmt.Errorf("open simulated network: %w", err)
	}
	s.fleet, err = phone.Open(ctx, phone.Options{Network: s.network, Dir: o.dir, Log: o.log})
	if err != nil {
		return nil, fmt.Errorf("open simulated phones: %w", err)
	}
	s.server = &http.Server{
		Handler:           web.New(web.Options{Network: s.network, Fleet: s.fleet, Log: o.log}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := s.server.Serve(control); !errors.Is(err, http.ErrServerClosed) {
			o.log.Error("phones' page ended", "error", err)
		}
	}()
	return s, nil
}

func (s *simulation) addr() string { return s.network.Addr() }

func (s *simulation) rootKey() string {
	key := s.network.RootKey()
	return hex.EncodeToString(key[:])
}

func (s *simulation) phoneURL() string { return "http://" + s.control.Addr().String() + "/" }

// Close stops whatever of the simulation was started.
func (s *simulation) Close() {
	if s.server != nil {
		_ = s.server.Close()
	}
	_ = s.control.Close()
	if s.fleet != nil {
		_ = s.fleet.Close()
	}
	if s.network != nil {
		_ = s.network.Close()
	}
}

// listenReason is the short form of an error of net.Listen.
func listenReason(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
