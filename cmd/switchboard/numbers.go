package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"switchboard/instances"
	"switchboard/processes"
	"switchboard/resources"
	"switchboard/settings"
	"switchboard/whatsapp/legacy"
)

// numbers is an installation whose numbers can run.
type numbers struct {
	*installation
	supervisor *instances.Supervisor
	last       keeping
	sampler    *resources.Sampler
	again      *reconnects
	linked     *linked
	bounds     settings.Bounds
	share      int // connections that numbers have together
}

// openNumbers puts together what runs the numbers of an installation. None runs before the
// supervisor is opened. release has to be called afterwards.
func openNumbers(ctx context.Context, env environment, c config, o opening) (_ *numbers, err error) {
	in, err := openInstallation(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			in.release()
		}
	}()
	n := &numbers{installation: in, sampler: new(resources.Sampler), again: new(reconnects), linked: new(linked)}
	places, err := shareConnections(ctx, c, in.Dir, in.Databases)
	if err != nil {
		return nil, err
	}
	var counting *os.File
	if places != nil {
		in.undo.add(func() { _ = places.Close() })
		n.share, counting = places.Places(), places.File()
	}
	importer, err := legacy.Open(c.DBURI, in.Dir, in.Store)
	if err != nil {
		return nil, refuseFor(err)
	}
	kept, err := deletedNumbers(in.storage, c.KeepDeleted)
	if err != nil {
		return nil, err
	}
	if err := in.Settings.LimitAll(ctx, c.WorkerLimits); err != nil {
		o.log.Warn("numbers that run are not told of other limits", "error", err)
	}
	n.last = keeping{in.Installation, kept, o.log}
	if err := errors.Join(in.Sweep(), kept.Sweep()); err != nil {
		return nil, err
	}
	groups := controlGroups(c, o.log)
	n.bounds = settings.Bounds{All: c.WorkerLimits, Groups: groups != nil, Folder: folderSize(in.Dir)}
	n.supervisor = instances.NewSupervisor(instances.Options{
		OnChange: func(before, after instances.Instance) {
			n.again.changed(before, after)
			n.linked.changed(before, after)
		},
		Store:     in.Store,
		Databases: in.Databases,
		Keep:      n.last.keep,
		Room:      n.last.room,
		Launcher: processes.New(processes.Options{
			Dir:         filepath.Join(in.Dir, "instances"),
			Executable:  "/proc/self/exe", // and not what an upgrade has put in its place
			Env:         workerEnvironment(env),
			ListenHost:  c.WorkerHost,
			Simulator:   c.Simulator(),
			Limits:      in.Settings.Limits,
			Groups:      groups,
			EgressAllow: c.EgressAllow,
			FFmpeg:      installed("ffmpeg"),
			Connections: n.share,
			Counting:    counting,
			Version:     version(),
			LogLevel:    c.level(),
			Log:         o.log,
		}),
		Settings:  in.Settings,
		Importer:  importer,
		Log:       o.log,
		Version:   version(),
		PortStart: in.PortStart,
		PortFree:  in.PortFree,
	})
	in.Settings.OnChange(n.supervisor.Configure)
	return n, nil
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
