// Package worker is what a worker process does: it runs one number.
//
// A worker holds its number's connection to WhatsApp, stores what arrives, serves the
// number's REST API on a port of its own, and answers the panel on a control socket. It
// opens the two databases it is given and no other, and it goes on when the panel is gone.
package worker

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"switchboard/control"
	"switchboard/egress"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/ffmpeg"
	"switchboard/gowa"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/keys"
	"switchboard/lease"
	"switchboard/sending"
	"switchboard/webhooks"
	"switchboard/whatsapp"
)

// exitFailed is how a worker ends for a reason that may have passed when it is started again.
const exitFailed control.ExitCode = 1

// farewell is how long requests under way may take when the worker ends.
const farewell = 2 * time.Second

// Run runs the number that doc describes until ctx ends or the panel says stop, and returns
// how it ended. It confines the whole process to the number's folder, for good. The code is
// also noted in that folder, and why the worker could not run is written to standard error in
// one sentence. A panic is left to the runtime, which writes it to standard error too.
func Run(ctx context.Context, doc control.StartDocument, version string) control.ExitCode {
	private()
	boot := thisBoot()
	// The log, the socket and the note of the exit belong to whoever holds the lock.
	release, err := isolation.Lock(doc.Dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, fault.MessageOf(err))
		return exitCode(err)
	}
	defer release()
	guard, err := newGuard(doc)
	if err != nil {
		fmt.Fprintln(os.Stderr, "The worker's limits cannot be set:", err)
		return exitFailed
	}
	if guard.confined, err = confine(doc); err != nil {
		fmt.Fprintln(os.Stderr, "The worker cannot be confined to its folder:", err)
		return exitFailed
	}
	defer guard.log.close()
	log := guard.log.open(doc)
	log.Info("worker starts", "pid", os.Getpid(), "version", version, "launched_by", doc.Version)
	tellConfined(log, guard.confined)
	ctx = guard.watch(ctx)
	code, err := run(ctx, doc, version, boot, guard, log)
	if over, ok := errors.AsType[*ending](context.Cause(ctx)); ok {
		code, err = over.code, over
	}
	if err != nil {
		log.Error("worker cannot run", "code", int(code), "error", err)
		fmt.Fprintln(os.Stderr, fault.MessageOf(err))
	}
	log.Info("worker ends", "code", int(code))
	if err := control.NoteExit(doc.Dir, code); err != nil {
		log.Error("exit cannot be noted", "error", err)
	}
	return code
}

func run(ctx context.Context, doc control.StartDocument, version string, boot []byte, guard *guard, log *slog.Logger) (control.ExitCode, error) {
	port, err := listen(ctx, doc.Listen)
	if err != nil {
		return control.ExitPortTaken, err
	}
	defer port.Close()

	db, session, err := openSoon(ctx, doc, boot, guard, log)
	if err != nil {
		return exitCode(err), err
	}
	defer db.close()
	defer session.Close()

	socket, err := control.Listen(doc.Dir)
	if err != nil {
		return exitFailed, err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	taken := db.keepLease(ctx, end, log)
	go guard.renew(ctx, session)
	serve(ctx, doc, version, db, session, guard, port, socket, log)
	if err := taken(); err != nil {
		return exitCode(err), err
	}
	return control.ExitStopped, nil
}

// serve answers on both listeners until ctx ends, the panel says stop, or one of them fails.
func serve(ctx context.Context, doc control.StartDocument, version string, db handles, session *whatsapp.Session, guard *guard, port, socket net.Listener, log *slog.Logger) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sends := newQueue(doc, db, session, log)
	api := gowa.New(gowa.Options{ID: doc.ID, Version: version, Number: session, Egress: egress.New(doc.EgressAllow), FFmpeg: ffmpeg.New(doc.FFmpeg), Sends: sends, Log: log})
	door := openDoor(ctx, doc.ID, db.main, log)
	h := &handler{Session: session, guard: guard, hooks: db.hooks, api: api, door: door, sends: sends, stop: stop, log: log}
	if len(doc.Settings) > 0 {
		if err := h.Configure(ctx, doc.Settings); err != nil {
			log.Error("settings cannot be read", "error", err)
		}
	}
	public := &http.Server{
		Handler: guarded(door, api), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go sends.Run(ctx, api.Do)
	go trim(ctx, session.Forget)
	adaptCollector(ctx)
	var servers sync.WaitGroup
	// What the number tells last goes out before it ends, if somebody takes it.
	telling, silent := context.WithCancel(context.WithoutCancel(ctx))
	servers.Go(func() { db.hooks.Run(telling) })
	servers.Go(func() {
		defer silent()
		db.herald.run(ctx)
		last, cancel := context.WithTimeout(telling, farewell)
		defer cancel()
		db.hooks.Settle(last)
	})
	servers.Go(func() {
		defer stop()
		if err := control.Serve(ctx, socket, doc.Token, h); err != nil {
			log.Error("control socket failed", "error", err)
		}
	})
	servers.Go(func() {
		defer stop()
		if err := public.Serve(port); !errors.Is(err, http.ErrServerClosed) {
			log.Error("rest api failed", "error", err)
		}
	})
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if public.Shutdown(last) != nil {
		_ = public.Close()
	}
	servers.Wait()
}

// diagnose finds out whether an error of the WhatsApp library comes from a file of SQLite's
// that is damaged or cannot be used, and then says so.
func diagnose(a instances.Access, err error) error {
	if a.Engine != engine.SQLite {
		return err
	}
	file, invalid := engine.ParseFile(a.Keys)
	if invalid != nil {
		return err
	}
	return file.Fault(err)
}

func simulator(s *control.Simulator) (*whatsapp.Simulator, error) {
	if s == nil {
		return nil, nil
	}
	key, err := hex.DecodeString(s.RootKey)
	if err != nil || len(key) != 32 {
		return nil, fault.New(fault.Invalid, "WHATSAPP_SIMULATOR_ROOT_KEY has to be 32 bytes in hex.")
	}
	return &whatsapp.Simulator{Addr: s.Addr, RootKey: [32]byte(key)}, nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fault.Wrap(fault.Unavailable,
			fmt.Sprintf("Another program uses %s, the address of this number's API. Close that program, then start the number again.", addr), err)
	}
	return nil, fault.Wrap(fault.Unavailable,
		fmt.Sprintf("This number's API cannot listen on %s. Check WORKER_HOST and who may use that port.", addr), err)
}

// exitCode tells the panel whether starting again makes sense.
func exitCode(err error) control.ExitCode {
	switch {
	case errors.Is(err, isolation.ErrLocked), errors.Is(err, lease.ErrHeld), errors.Is(err, lease.ErrLost):
		return control.ExitLocked
	case errors.Is(err, isolation.ErrNewer), errors.Is(err, whatsapp.ErrNewer):
		return control.ExitDatabaseNewer
	case errors.Is(err, isolation.ErrDamaged):
		return control.ExitDatabaseDamaged
	case engine.Full(err):
		return control.ExitStorageFull
	case fault.KindOf(err) == fault.Invalid:
		return control.ExitUsage
	}
	return control.ExitDatabaseRefused
}

// handler is the worker as the panel sees it.
type handler struct {
	*whatsapp.Session
	guard *guard
	hooks *webhooks.Webhooks
	api   *gowa.API
	door  *keys.Door
	sends *sending.Queue
	stop  context.CancelFunc
	log   *slog.Logger

	configuring sync.Mutex
}

var _ control.Handler = (*handler)(nil)

// API is the REST API for whoever holds the control token.
func (h *handler) API() http.Handler { return h.api }

// SendText sends at the number's pace, as whatever programs send.
func (h *handler) SendText(ctx context.Context, to, text string) (instances.Sent, error) {
	return h.api.SendText(ctx, to, text)
}

// Report is the session's, with what the session does not know.
func (h *handler) Report() instances.Report {
	r := h.Session.Report()
	r.KeysUsed, r.Limits = h.door.Used(), h.guard.inForce()
	return r
}

// Configure takes the settings to work by from now on.
func (h *handler) Configure(_ context.Context, document json.RawMessage) error {
	h.configuring.Lock()
	defer h.configuring.Unlock()
	if err := configure(document, h.guard, h.hooks, h.door, h.sends, h.api, h.Session); err != nil {
		return err
	}
	h.log.Info("settings are in force", "revision", h.Session.Report().Settings, "limits", h.guard.inForce())
	return nil
}

// Outbox does something with the events of the number; see webhooks.Do.
func (h *handler) Outbox(ctx context.Context, what string, in json.RawMessage) (any, error) {
	return h.hooks.Do(ctx, what, in)
}

// Events tells the events of the number as they come; see webhooks.Follow.
func (h *handler) Events(ctx context.Context, after string, tell func(any) error) error {
	return h.hooks.Follow(ctx, after, func(e webhooks.Told) error { return tell(e) })
}

// Stop makes the worker end; it returns at once.
func (h *handler) Stop() { h.stop() }
