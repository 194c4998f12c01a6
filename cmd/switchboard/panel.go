package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/handlers"
	"switchboard/handlers/api"
	"switchboard/handlers/gateway"
	"switchboard/instances"
	"switchboard/keys"
	"switchboard/moving"
	"switchboard/resources"
	"switchboard/secrets"
	"switchboard/webhooks"
)

// How long the parts may take to stop.
const (
	requestGrace = 5 * time.Second  // for requests under way
	workerGrace  = 30 * time.Second // for all numbers together
)

// panel is the panel process put together: everything behind one listener.
type panel struct {
	*numbers
	url      *url.URL // where people reach it
	auth     *auth.Auth
	record   *audit.Log
	log      *slog.Logger
	listener net.Listener
	server   *http.Server
	metrics  *metricsServer // nil without METRICS_ADDR
}

// panelOptions is what serve and demo do differently.
type panelOptions struct {
	newKey   bool   // make a key where one is missing
	phoneURL string // page of the simulated phones, "" if there is none
	log      *slog.Logger
}

// openPanel puts the panel together, waiting for a database server that is away. Whatever can be
// wrong with the configuration is a refusal, and found before anything is made on disk. Close has to be called afterwards.
func openPanel(ctx context.Context, env environment, c config, o panelOptions) (_ *panel, err error) {
	listener, err := listen(c)
	if err != nil {
		return nil, err
	}
	p := &panel{listener: listener, log: o.log, url: c.BaseURL(listener.Addr().(*net.TCPAddr).Port)}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err := checkFree(c); err != nil {
		return nil, err
	}
	if err := p.awaitDatabase(ctx, env, c, func() error { return p.openNumbers(ctx, env, c, o) }); err != nil {
		return nil, err
	}
	p.linked.record = p.record
	p.undo.add(p.linked.adding.Wait)
	seeds, err := secrets.New(p.storage.key, auth.BoxPurpose)
	if err != nil {
		return nil, err
	}
	p.auth = auth.New(p.Store, auth.Options{BaseURL: p.url, Address: clientAddress(c.TrustedProxies), Log: o.log, Box: seeds, Provider: c.provider()})
	p.metrics, err = listenForMetrics(c.MetricsAddr, handlers.Options{
		Instances: p.supervisor, Usage: p.sampler, Reconnects: p.again.count, Version: version(), Log: o.log,
	})
	if err != nil {
		return nil, err
	}
	p.undo.add(p.metrics.close)
	closing := make(chan struct{})
	handler := p.handler(c, o.phoneURL, closing)
	if err := p.supervisor.Open(ctx); err != nil {
		return nil, fmt.Errorf("open supervisor: %w", err)
	}
	reportUnknown(ctx, p.Store, p.Databases, o.log)
	p.undo.add(sampleUsage(p.sampler, p.supervisor, p.Dir, o.log), p.last.prune(), pruneAudit(p.record, c.AuditKeep, o.log))
	ownTLS, endTLS, err := c.serverTLS(p.Dir, o.log)
	if err != nil {
		return nil, err
	}
	p.undo.add(endTLS)
	p.server = &http.Server{
		Handler:           handler,
		TLSConfig:         ownTLS,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
	}
	p.server.RegisterOnShutdown(func() { close(closing) })
	return p, nil
}

// openNumbers opens what is in the control database, or leaves nothing of it open.
func (p *panel) openNumbers(ctx context.Context, env environment, c config, o panelOptions) (err error) {
	if p.numbers, err = openNumbers(ctx, env, c, opening{alone: true, newKey: o.newKey, log: o.log}); err != nil {
		return err
	}
	if err = c.Webhooks.Set(ctx, p.Settings); err == nil {
		p.record, err = p.storage.audit(ctx, o.log)
	}
	if err != nil {
		p.release()
		p.numbers = nil
	}
	return err
}

// handler answers whatever comes to the panel's port. Streams end when closing is closed.
func (p *panel) handler(c config, phoneURL string, closing <-chan struct{}) http.Handler {
	var (
		base   = strings.TrimSuffix(p.url.String(), "/")
		gowa   = p.url.JoinPath("gowa").String()
		reader = messageReader{p.Databases}
		desk   = webhooks.Desk{Settings: p.Settings, Workers: p.supervisor, Read: deliveryReader(p.Databases)}
		ring   = keys.Ring{Settings: p.Settings}
		logs   = logsIn(p.Dir)
		check  = checkBucket(c)
		mail   handlers.Mailer
	)
	if c.Mail.Host != "" {
		mail = mailer{c.Mail}
	}
	return handlers.New(handlers.Options{
		Instances:  p.supervisor,
		Auth:       p.auth,
		Messages:   reader,
		Logs:       logs,
		Usage:      p.sampler,
		Reconnects: p.again.count,
		API: api.New(api.Options{
			Instances: p.supervisor, Auth: p.auth, People: p.auth, Audit: p.record, URL: base, Keys: ring, Settings: p.Settings, Bounds: p.bounds,
			Webhooks: desk, CheckBucket: check, MediaBacklog: reader.MediaBacklog, Closing: closing, Logs: logs, BasePath: c.BasePath, Log: p.log,
			Usage: func(id instances.ID, pid int) (resources.Usage, bool) { return p.sampler.Of(string(id), pid) },
		}),
		Gateway: gateway.New(gateway.Options{
			Instances: p.supervisor, Auth: p.auth, Settings: p.Settings, Base: gowa, Origins: c.AllowedOrigins, Version: version(), Log: p.log,
		}),
		Webhooks:       desk,
		GatewayURL:     gowa,
		Keys:           ring,
		Settings:       p.Settings,
		Bounds:         p.bounds,
		WorkerURL:      c.workerURL(p.url),
		Workers:        p.supervisor,
		Queue:          queueReader{p.Databases},
		Management:     api.Operations(),
		Ready:          p.Store.Ping,
		Simulated:      c.Simulator() != nil,
		PhoneURL:       phoneURL,
		Audit:          p.record,
		ThroughProxy:   throughProxy(c),
		CheckBucket:    check,
		System:         system{p.Store, p.Databases, p.supervisor, &moving.Live{In: p.Installation, Kept: p.last.kept, Take: p.supervisor.Take}, p.share},
		KeepDays:       int(c.KeepDeleted / (24 * time.Hour)),
		Mail:           mail,
		Secure:         p.url.Scheme == "https",
		URL:            base,
		BasePath:       c.BasePath,
		TrustedOrigins: c.origins(),
		Version:        version(),
		Log:            p.log,
	})
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
	if p.numbers != nil {
		p.release()
	}
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
