package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"switchboard/cgroups"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/sandbox"
	"switchboard/secrets"
	"switchboard/store"
	"switchboard/views"
)

// doctor looks at an installation, whether it runs or not, and changes nothing. Each finding
// is a line that begins with ok, warn or fail; with one that fails, the exit code is 1.
func doctor(ctx context.Context, env environment, args []string) error {
	d := &examination{out: env.stdout}
	c, err := loadConfig("doctor", args, env, nil)
	if refused, ok := errors.AsType[*refusal](err); ok {
		for _, line := range refused.faults {
			d.fail("configuration", "%s", line)
		}
		return d.verdict()
	}
	if err != nil {
		return err
	}
	d.configuration(c)
	d.machine(c)
	d.installation(ctx, c)
	return d.verdict()
}

// examination prints what is found and counts what fails.
type examination struct {
	out            io.Writer
	count, failing int
}

func (d *examination) line(mark, what, format string, args ...any) {
	d.count++
	fmt.Fprintf(d.out, "%-5s %-20s %s\n", mark, what, fmt.Sprintf(format, args...))
}

func (d *examination) ok(what, format string, args ...any)   { d.line("ok", what, format, args...) }
func (d *examination) warn(what, format string, args ...any) { d.line("warn", what, format, args...) }

func (d *examination) fail(what, format string, args ...any) {
	d.failing++
	d.line("fail", what, format, args...)
}

// failed prints err, as whoever reads a terminal may read it.
func (d *examination) failed(what string, err error) { d.fail(what, "%s", sentence(err)) }

func (d *examination) verdict() error {
	if d.failing == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, fmt.Sprintf("%d of %d checks failed.", d.failing, d.count))
}

// configuration says what stands in it that is right and may still surprise.
func (d *examination) configuration(c config) {
	d.ok("configuration", "every variable can be used; the control database is %s", withoutPassword(c.DBURI))
	if c.Simulator() != nil {
		d.warn("network", "simulated: no number reaches the real WhatsApp. Unset WHATSAPP_SIMULATOR_ADDR and WHATSAPP_SIMULATOR_ROOT_KEY for that")
	}
	ip := net.ParseIP(c.Host)
	local := c.Host == "localhost" || ip != nil && ip.IsLoopback()
	if !local && !c.speaksTLS() && (c.PublicURL == nil || c.PublicURL.Scheme != "https") {
		d.warn("encryption", "the panel listens on %s without HTTPS: passwords travel readable. Put a reverse proxy before it and set APP_URL", c.Host)
	}
}

// What a machine has to have left, at least, before it is worth a line.
const (
	scarceDisk  = 1 << 30
	scarceFiles = 4096
)

// machine looks at what the system gives.
func (d *examination) machine(c config) {
	switch abi := sandbox.Available(); {
	case abi == 0:
		d.warn("sandbox", "this kernel has no Landlock: the files of the user that runs Switchboard are open to every number's process. Use Linux 5.13 or later, with Landlock switched on")
	default:
		d.ok("sandbox", "Landlock %d keeps every number's process in its own folder", abi)
	}
	panel, runs := panelOf(c) // who asks is in another control group
	switch _, err := cgroups.FindOf(panel); {
	case err == nil:
		d.ok("control groups", "the kernel keeps every number within its limits")
	case !runs:
		d.ok("control groups", "none for what is started from here. A panel says in the first lines of its log whether it has some")
	case c.WorkerLimits.CPU > 0:
		d.warn("control groups", "%s WORKER_CPU_LIMIT has no effect", sentence(err))
	default:
		d.ok("control groups", "none: numbers keep watch on themselves, and limits of the processor have no effect. %s", sentence(err))
	}
	if limit, ok := memoryLimit(panel); ok {
		d.ok("memory", "all numbers together may use %s, by the control group that it runs in", views.Size(limit))
	} else {
		d.ok("memory", "no control group limits all numbers together; each keeps to WORKER_MEMORY_LIMIT. For a limit of all, set MemoryMax= of the unit")
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Max < scarceFiles {
		d.warn("open files", "a process may have %d; set LimitNOFILE=%d of the unit", files.Max, 16*scarceFiles)
	}
}

// memoryLimit returns what the control group of a process may use, if it is limited.
func memoryLimit(pid int) (bytes int64, ok bool) {
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		file := filepath.Join("/sys/fs/cgroup", parts[2], "memory.max")
		if parts[0] != "0" {
			file = filepath.Join("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
		if parts[0] != "0" && !strings.Contains(","+parts[1]+",", ",memory,") {
			continue
		}
		value, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64)
		if err == nil && limit < 1<<60 { // without a limit it says "max", or a number beyond everything
			return limit, true
		}
	}
	return 0, false
}

// installation looks at storage, database and numbers.
func (d *examination) installation(ctx context.Context, c config) {
	s, err := findStorage(c)
	if err != nil {
		d.failed("storage", err)
		return
	}
	d.storage(s)
	d.certificates(c, s.dir)
	running := d.running(c, s)
	looked, has, newest, err := store.Look(ctx, c.DBURI)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("control database", "there is none yet; the first start makes it")
		return
	case err != nil:
		d.failed("control database", err)
		return
	}
	defer looked.Close()
	s.store = looked
	switch {
	case has > newest:
		d.fail("control database", "it was written by a newer version of Switchboard (schema %d, this program knows %d); install that version or a later one", has, newest)
		return
	case has == 0:
		if err := looked.MayMakeTables(ctx); err != nil {
			d.failed("control database", err)
			return
		}
		d.ok("control database", "it can be reached, and is made ready by the first start")
		d.server(ctx, c, s, nil, has == 0)
		return
	case has < newest:
		d.warn("control database", "it is of schema %d; the next start brings it to %d. Its numbers can be looked at after that", has, newest)
		d.server(ctx, c, s, nil, has == 0)
		return
	}
	d.ok("control database", "it can be reached, and its schema is %d, which is this program's", has)
	all, err := looked.Instances(ctx)
	if err != nil {
		d.failed("control database", err)
		return
	}
	used, err := s.used(ctx)
	if err == nil && used && s.key == "" {
		d.fail("secret key", "the file %s is missing. Put it back from a backup; if it is lost, start once with --new-secret-key", filepath.Join(s.dir, secretKeyName))
	} else if under, err := s.under(ctx, s.key); err == nil && !under {
		d.failed("secret key", s.wrongKey())
	}
	if databases := d.server(ctx, c, s, all, false); databases != nil {
		d.numbers(ctx, s, databases, all)
		_ = databases.Close()
	}
	d.ports(c, all, running)
}

// storage looks at the folder and the key.
func (d *examination) storage(s *storage) {
	info, err := os.Stat(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		d.ok("storage", "the folder %s will be made by the first start", s.dir)
		return
	}
	if err != nil {
		d.failed("storage", err)
		return
	}
	var disk syscall.Statfs_t
	free := int64(-1)
	if syscall.Statfs(s.dir, &disk) == nil {
		free = int64(disk.Bavail) * disk.Bsize
	}
	switch {
	case info.Mode().Perm()&0o077 != 0:
		d.warn("storage", "other users of this machine may look into %s: chmod 700 %[1]s", s.dir)
	case free >= 0 && free < scarceDisk:
		d.warn("storage", "%s has %s left on its disk; make room before messages cannot be stored", s.dir, views.Size(free))
	default:
		d.ok("storage", "%s can be written, %s are free", s.dir, views.Size(free))
	}
	if s.key == "" {
		return // the first start makes it, or it is missing, which the control database tells
	}
	path := filepath.Join(s.dir, secretKeyName)
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		d.warn("secret key", "other users of this machine may read it: chmod 600 %s", path)
		return
	}
	d.ok("secret key", "it is there. Keep a copy of it apart from the backups")
}

// running says whether a panel works with this installation, and else whether one could.
func (d *examination) running(c config, s *storage) bool {
	release, err := flock(filepath.Join(s.dir, serveLockName), 0, "STORAGE_DIR", "storage folder")
	switch {
	case err == nil:
		release()
	case !errors.Is(err, fs.ErrNotExist):
		d.ok("panel", "it runs")
		return true
	}
	listener, err := listen(c)
	if err != nil {
		d.failed("panel", err)
		return false
	}
	_ = listener.Close()
	d.ok("panel", "it does not run; port %d of %s is free for it", c.Port, c.Host)
	return false
}

// server looks at where numbers' databases live, and opens it as it is; nil if it cannot be.
// fresh is an installation that was never started.
func (d *examination) server(ctx context.Context, c config, s *storage, all []instances.Instance, fresh bool) *isolation.Databases {
	box, err := secrets.New(s.key, passwordsPurpose)
	if err != nil {
		d.failed("databases", err)
		return nil
	}
	databases, err := isolation.Open(ctx, c.DBURI, s.dir, isolation.AsFound(), isolation.WithVault(s.store, box))
	if err != nil {
		d.failed("databases", err)
		return nil
	}
	found, err := databases.Server(ctx)
	if err != nil {
		d.failed("PostgreSQL", err)
		return databases
	}
	if found == nil {
		return databases // SQLite asks for no rights and no connections
	}
	for _, missing := range found.Missing {
		d.failed("PostgreSQL", missing)
	}
	switch {
	case found.Unclosed != nil && !fresh:
		d.failed("PostgreSQL", found.Unclosed)
	case found.Unclosed != nil: // nobody has started it yet
		d.warn("PostgreSQL", "%s", sentence(found.Unclosed))
	case len(found.Missing) == 0:
		d.ok("PostgreSQL", "%s, and this user may make databases and roles", found.Version)
	}
	for _, name := range found.Open {
		d.warn("PostgreSQL", "numbers' roles may enter the database %s, which is not theirs; let an administrator run: REVOKE CONNECT ON DATABASE \"%[1]s\" FROM PUBLIC;", name)
	}
	d.pooler(ctx, c)
	d.connections(ctx, c, databases, all)
	return databases
}

// pooler says what is between here and the server.
func (d *examination) pooler(ctx context.Context, c config) {
	switch mode, err := engine.Pooler(ctx, c.DBURI); {
	case err != nil:
		d.failed("PgBouncer", err)
	case mode == "session":
		d.warn("PgBouncer", "it is between, in session mode, where each connection of the panel and of numbers has one of the server's to itself: pages and numbers wait for each other unless the pool of the control database has %d, and those of numbers 4 each. Set pool_mode = transaction, or see docs/postgresql.md", 2*store.Connections)
	case mode != "":
		d.ok("PgBouncer", "it is between, in %s mode", mode)
	}
}

func (d *examination) connections(ctx context.Context, c config, databases *isolation.Databases, all []instances.Instance) {
	n, err := connections(ctx, databases)
	if err != nil {
		d.failed("connections", err)
		return
	}
	on := wanted(all)
	worst := n.Worst(on, n.Share(c.DBConnections))
	text := fmt.Sprintf("%s and the panel use %d at worst; the server allows %d, and %d are in use, %d of them numbers'",
		plural(on, "number"), worst, n.Allowed, n.InUse, n.OfNumbers)
	if worst > n.Allowed {
		d.warn("connections", "%s. Lower DB_CONNECTIONS or raise max_connections, unless PgBouncer is between (docs/postgresql.md)", text)
		return
	}
	d.ok("connections", "%s", text)
}

// wanted counts the numbers that should run.
func wanted(all []instances.Instance) (n int) {
	for _, inst := range all {
		if inst.Desired == instances.Running {
			n++
		}
	}
	return n
}

// numbers looks at the databases of each, and for those that belong to none.
func (d *examination) numbers(ctx context.Context, s *storage, databases *isolation.Databases, all []instances.Instance) {
	sound := 0
	for _, inst := range all {
		what := "number"
		err := error(nil)
		if inst.Status != instances.Provisioning && inst.Status != instances.Deleting {
			err = databases.Sound(ctx, inst.ID)
		}
		switch {
		case err != nil:
			d.fail(what, "%s: %s", inst.ID, sentence(err))
		case inst.Status == instances.Failed:
			d.warn(what, "%s: %s", inst.ID, instances.Explain(inst.Status, inst.Reason).Sentence)
		default:
			sound++
		}
	}
	if sound == len(all) {
		d.ok("numbers", "%s, with both databases there and sound", plural(sound, "number"))
	}
	left, err := unknownDatabases(ctx, s.store, databases)
	if err != nil {
		d.failed("unknown databases", err)
		return
	}
	for _, l := range left {
		d.warn("unknown databases", "%s, %s: of a number that no record knows. Nothing removes them unasked; bring its record back with a backup of the control database, or drop them yourself", l.ID, views.Size(l.Bytes))
	}
	if len(left) == 0 {
		d.ok("unknown databases", "none")
	}
}

// ports looks whether the port of each number is free for it, unless numbers may have theirs.
func (d *examination) ports(c config, all []instances.Instance, running bool) {
	if running {
		return
	}
	free := portFree(c.WorkerHost)
	taken := 0
	for _, inst := range all {
		if !free(inst.Port) {
			taken++
			d.warn("port", "%d of %s is in use: by the number itself if it was left running (--detach-workers), else stop the other program", inst.Port, inst.ID)
		}
	}
	if taken == 0 && len(all) > 0 {
		d.ok("ports", "those of all numbers are free")
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
