package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"switchboard/auth"
	"switchboard/handlers"
	"switchboard/handlers/api"
	"switchboard/handlers/gateway"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/keys"
	"switchboard/moving"
	"switchboard/processes"
	"switchboard/resources"
	"switchboard/secrets"
	"switchboard/settings"
	"switchboard/webhooks"
	"switchboard/whatsapp/legacy"
)

// How long the parts may take to stop.
const (
	requestGrace = 5 * time.Second  // for requests under way
	workerGrace  = 30 * time.Second // for all numbers together
)

// panel is the panel process put together: everything behind one listener.
type panel struct {
	url        *url.URL // where people reach it
	auth       *auth.Auth
	log        *slog.Logger
	listener   net.Listener
	server     *http.Server
	metrics    *metricsServer // nil without METRICS_ADDR
	supervisor *instances.Supervisor
	release    func() // gives back the lock and the database
}

// panelOptions is what serve and demo do differently.
type panelOptions struct {
	newKey   bool   // make a key where one is missing
	phoneURL string // page of the simulated phones, "" if there is none
	log      *slog.Logger
}

// openPanel puts the panel together. Whatever can be wrong with the configuration is a
// refusal, and found before anything is made on disk. Close has to be called afterwards.
func openPanel(ctx context.Context, env environment, c config, o panelOptions) (_ *panel, err error) {
	listener, err := listen(c)
	if err != nil {
		return nil, err
	}
	var undo []func()
	release := func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	defer func() {
		if err != nil {
			_ = listener.Close()
			release()
		}
	}()

	if err := checkFree(c); err != nil {
		return nil, err
	}
	s, err := openStorage(ctx, c, o.newKey)
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = s.Close() })
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	undo = append(undo, unlock)
	box, err := secrets.New(s.key, passwordsPurpose)
	if err != nil {
		return nil, err
	}
	databases, err := isolation.Open(ctx, c.DBURI, s.dir, isolation.WithLog(o.log), isolation.WithVault(s.store, box))
	if err != nil {
		return nil, &refusal{faults: []string{sentence(err)}}
	}
	undo = append(undo, func() { _ = databases.Close() })
	places, err := shareConnections(ctx, c, s.dir, databases)
	if err != nil {
		return nil, err
	}
	var share int
	var counting *os.File
	if places != nil {
		undo = append(undo, func() { _ = places.Close() })
		share, counting = places.Places(), places.File()
	}
	importer, err := legacy.Open(c.DBURI, s.dir, s.store)
	if err != nil {
		return nil, &refusal{faults: []string{sentence(err)}}
	}
	kept, err := deletedNumbers(s, c.KeepDeleted)
	if err != nil {
		return nil, err
	}
	keeper, err := settingsKeeper(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := keeper.LimitAll(ctx, c.WorkerLimits); err != nil {
		o.log.Warn("numbers that run are not told of other limits", "error", err)
	}
	last := keeping{moving.Installation{
		Store: s.store, Databases: databases, Settings: keeper, Dir: s.dir, PortStart: c.WorkerPortStart, PortFree: portFree(c.WorkerHost), DiskLimit: c.WorkerLimits.Disk,
	}, kept, o.log}
	if err := errors.Join(last.in.Sweep(), last.kept.Sweep()); err != nil {
		return nil, err
	}

	sampler, again := new(resources.Sampler), new(reconnects)
	groups := controlGroups(c, o.log)
	bounds := settings.Bounds{All: c.WorkerLimits, Groups: groups != nil, Folder: folderSize(s.dir)}
	supervisor := instances.NewSupervisor(instances.Options{
		OnChange:  again.changed,
		Store:     s.store,
		Databases: databases,
		Keep:      last.keep,
		Room:      last.room,
		Launcher: processes.New(processes.Options{
			Dir:         filepath.Join(s.dir, "instances"),
			Executable:  "/proc/self/exe", // and not what an upgrade has put in its place
			Env:         workerEnvironment(env),
			ListenHost:  c.WorkerHost,
			Simulator:   c.Simulator(),
			Limits:      keeper.Limits,
			Groups:      groups,
			EgressAllow: c.EgressAllow,
			FFmpeg:      installed("ffmpeg"),
			Connections: share,
			Counting:    counting,
			Version:     version(),
			LogLevel:    c.level(),
			Log:         o.log,
		}),
		Settings:  keeper,
		Importer:  importer,
		Log:       o.log,
		Version:   version(),
		PortStart: c.WorkerPortStart,
		PortFree:  portFree(c.WorkerHost),
	})
	keeper.OnChange(supervisor.Configure)
	if err := c.Webhooks.Set(ctx, keeper); err != nil {
		return nil, err
	}
	desk := webhooks.Desk{Settings: keeper, Workers: supervisor, Read: deliveryReader(databases)}
	closing := make(chan struct{})
	base := c.BaseURL(listener.Addr().(*net.TCPAddr).Port)
	record, err := s.audit(ctx, o.log)
	if err != nil {
		return nil, err
	}
	seeds, err := secrets.New(s.key, auth.BoxPurpose)
	if err != nil {
		return nil, err
	}
	people := auth.New(s.store, auth.Options{BaseURL: base, Address: clientAddress(c.TrustedProxies), Log: o.log, Box: seeds, Provider: c.provider()})
	var mail handlers.Mailer
	if c.Mail.Host != "" {
		mail = mailer{c.Mail}
	}
	metrics, err := listenForMetrics(c.MetricsAddr, handlers.Options{
		Instances: supervisor, Usage: sampler, Reconnects: again.count, Version: version(), Log: o.log,
	})
	if err != nil {
		return nil, err
	}
	undo = append(undo, metrics.close)
	handler := handlers.New(handlers.Options{
		Instances: supervisor,
		Auth:      people,
		Messages:  messageReader{databases},
		Logs:      logsIn(s.dir),
		Usage:     sampler, Reconnects: again.count,
		API: api.New(api.Options{
			Instances: supervisor, Auth: people, People: people, Audit: record, URL: strings.TrimSuffix(base.String(), "/"), Keys: keys.Ring{Settings: keeper}, Settings: keeper, Bounds: bounds, Webhooks: desk, CheckBucket: checkBucket(c), MediaBacklog: messageReader{databases}.MediaBacklog, Closing: closing, Usage: func(id instances.ID, pid int) (resources.Usage, bool) {
				return sampler.Of(string(id), pid)
			}, Logs: logsIn(s.dir), BasePath: c.BasePath, Log: o.log,
		}),
		Gateway: gateway.New(gateway.Options{
			Instances: supervisor, Auth: people, Settings: keeper, Base: base.JoinPath("gowa").String(), Origins: c.AllowedOrigins, Version: version(), Log: o.log,
		}),
		Webhooks:       desk,
		GatewayURL:     base.JoinPath("gowa").String(),
		Keys:           keys.Ring{Settings: keeper},
		Settings:       keeper,
		Bounds:         bounds,
		WorkerURL:      c.workerURL(base),
		Workers:        supervisor,
		Queue:          queueReader{databases},
		Management:     api.Operations(),
		Ready:          s.store.Ping,
		Simulated:      c.Simulator() != nil,
		PhoneURL:       o.phoneURL,
		Audit:          record,
		ThroughProxy:   throughProxy(c),
		CheckBucket:    checkBucket(c),
		System:         system{s.store, databases, supervisor, &moving.Live{In: last.in, Kept: kept, Take: supervisor.Take}, share},
		KeepDays:       int(c.KeepDeleted / (24 * time.Hour)),
		Mail:           mail,
		Secure:         base.Scheme == "https",
		URL:            strings.TrimSuffix(base.String(), "/"),
		BasePath:       c.BasePath,
		TrustedOrigins: c.origins(),
		Version:        version(),
		Log:            o.log,
	})
	if err := supervisor.Open(ctx); err != nil {
		return nil, fmt.Errorf("open supervisor: %w", err)
	}
	reportUnknown(ctx, s.store, databases, o.log)
	undo = append(undo, sampleUsage(sampler, supervisor, s.dir, o.log), last.prune(), pruneAudit(record, c.AuditKeep, o.log))
	ownTLS, endTLS, err := c.serverTLS(s.dir, o.log)
	if err != nil {
		return nil, err
	}
	undo = append(undo, endTLS)
	p := &panel{
		url: base, auth: people, log: o.log, listener: listener, supervisor: supervisor, release: release, metrics: metrics,
		server: &http.Server{
			Handler:           handler,
			TLSConfig:         ownTLS,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
			WriteTimeout:      2 * time.Minute,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
		},
	}
	p.server.RegisterOnShutdown(func() { close(closing) })
	return p, nil
}

// serve answers requests until stop, then ends requests, numbers (unless detached) and
// database, in this order.
func (p *panel) serve(stop stopping, detach bool) error {
	p.log.Info("panel is listening", "address", p.listener.Addr().String())
	p.metrics.serve(p.log)
	ended := make(chan error, 1)
	go func() {
		if p.server.TLSConfig != nil {
			ended <- p.server.ServeTLS(p.listener, "", "")
			return
		}
		ended <- p.server.Serve(p.listener)
	}()
	var err error
	select {
	case err = <-ended:
		err = fmt.Errorf("serve: %w", err)
	case <-stop.first.Done():
	}
	detach = detach || stop.reload.Load()

	quick, cancel := context.WithTimeout(stop.second, requestGrace)
	defer cancel()
	if p.server.Shutdown(quick) != nil {
		_ = p.server.Close()
	}
	patient, cancel := context.WithTimeout(stop.second, workerGrace)
	defer cancel()
	if closing := p.supervisor.Close(patient, detach); closing != nil {
		err = errors.Join(err, fmt.Errorf("stop numbers: %w", closing))
	}
	p.log.Info("stopped", "detached", detach)
	return err
}

// Close gives back what openPanel took. The supervisor is closed by serve.
func (p *panel) Close() {
	_ = p.listener.Close()
	p.release()
}

// listen takes the panel's port.
func listen(c config) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, refuse("Port %d on %s is in use by another program. Stop that one, or set APP_PORT to a free port.", c.Port, c.Host)
	case errors.Is(err, syscall.EACCES):
		return nil, refuse("Port %d may not be used by this user. Set APP_PORT to a port above 1023.", c.Port)
	case err != nil:
		return nil, refuse("APP_HOST is %q, where nothing can listen on this machine. Use 127.0.0.1, or 0.0.0.0 for every address.", c.Host)
	}
	return listener, nil
}

// portFree returns a function that says whether no program listens on a port of host.
func portFree(host string) func(port int) bool {
	return func(port int) bool {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		return listener.Close() == nil
	}
}

// workerEnvironment picks what a worker may know of the environment: the time zone and
// where certificates are. Everything else goes through the start document. It also keeps a
// worker small from its first instruction on; docs/benchmarks.md has what each is worth.
func workerEnvironment(env environment) []string {
	vars := []string{
		"GOMAXPROCS=1",             // one number computes on one processor at a time, and keeps caches for no more
		"GOGC=25",                  // garbage is at most a quarter of what is in use
		"GODEBUG=memprofilerate=0", // no profile is ever asked for
		"MALLOC_ARENA_MAX=1",       // one heap for C, not one for each thread
		// No places of C's heap set aside for each thread, which keep a page each from going back. What is free
		// at its end goes back once a minute, and not with each transaction, which would have to get it again.
		"GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.trim_threshold=1048576",
	}
	for _, name := range []string{"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := env.lookup(name); ok {
			vars = append(vars, name+"="+value)
		}
	}
	return vars
}

// installed returns the absolute path of an installed program, "" if there is none.
func installed(name string) string {
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err == nil {
		path, err = filepath.EvalSymlinks(path) // the sandbox knows files, not names
	}
	if err != nil {
		return ""
	}
	return path
}
