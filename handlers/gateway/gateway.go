// Package gateway serves all numbers behind one address, in the words of
// go-whatsapp-web-multidevice: what its clients call a device is a number here.
//
// A client signs in with a user's token, as the password of Basic authentication or as a
// Bearer token, and sees that user's numbers and no others. Devices are answered here, from
// what the supervisor knows; everything else goes to the worker of the number that the
// request names.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/fault"
	"switchboard/handlers/relay"
	"switchboard/instances"
	"switchboard/keys"
)

// patience is how long a request may take to arrive, and its answer to be written: uploads
// are large, and lines slow.
const patience = 10 * time.Minute

// Numbers is the part of the supervisor that keeps the list.
type Numbers interface {
	List(v instances.Viewer) []instances.Instance
	Create(ctx context.Context, v instances.Viewer, in instances.New) (instances.Instance, error)
	Delete(ctx context.Context, v instances.Viewer, id instances.ID) error
	// Changed is closed at the next change of that number, and nil without one.
	Changed(v instances.Viewer, id instances.ID) <-chan struct{}
}

// Link is the part of the supervisor that links numbers to phones and reaches their own API.
type Link interface {
	Start(ctx context.Context, v instances.Viewer, id instances.ID) error
	Reconnect(ctx context.Context, v instances.Viewer, id instances.ID) error
	Logout(ctx context.Context, v instances.Viewer, id instances.ID) error
	API(v instances.Viewer, id instances.ID) (http.RoundTripper, error)
}

// Supervisor is what the gateway works on; *instances.Supervisor is one.
type Supervisor interface {
	Numbers
	Link
}

// Door says who a token belongs to; *auth.Auth is one.
type Door interface {
	ByToken(ctx context.Context, secret string) (auth.User, auth.Token, error)
}

// Options is what the gateway works with.
type Options struct {
	Instances Supervisor
	Auth      Door
	Settings  Settings
	// Base is the address at which clients reach the gateway, without a slash at its end.
	Base string
	// Origins are those whose pages may use the gateway, "*" for all; none means none.
	Origins []string
	Version string
	Log     *slog.Logger
}

type server struct {
	Options
	mux  *chi.Mux
	news newsroom
}

// health answers everybody, and says no more than that the program runs.
const health = "/health"

// New returns the gateway's handler, to be mounted at /gowa.
func New(o Options) http.Handler {
	s := &server{Options: o, mux: chi.NewMux()}
	s.mux.Use(plain)
	if len(o.Origins) > 0 { // cors takes an empty list for everybody
		s.mux.Use(cors.Handler(cors.Options{
			AllowedOrigins: o.Origins,
			AllowedMethods: []string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE"},
			AllowedHeaders: []string{"Origin", "Content-Type", "Accept", "Authorization", "X-Device-Id", "Idempotency-Key"},
			MaxAge:         600,
		}))
	}
	s.mux.Use(middleware.GetHead, s.authenticate, s.orderly)
	s.mux.NotFound(s.answer(s.forward))
	s.mux.MethodNotAllowed(s.answer(func(http.ResponseWriter, *http.Request) error {
		return &refusal{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "This address does not know that method.", nil}
	}))

	s.mux.Get(health, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("OK"))
	})
	s.mux.Get("/", s.answer(s.banner))
	s.mux.Get("/app/info", s.answer(s.info))
	s.mux.Get("/app/devices", s.answer(s.appDevices))
	s.mux.Get("/ws", s.answer(s.socket))

	s.mux.Get("/devices", s.answer(s.listDevices))
	s.mux.Post("/devices", s.answer(s.addDevice))
	s.mux.Get("/devices/{device}", s.device(s.showDevice))
	s.mux.Delete("/devices/{device}", s.device(s.removeDevice))
	s.mux.Get("/devices/{device}/status", s.device(s.deviceStatus))
	s.mux.Get("/devices/{device}/login", s.device(s.login))
	s.mux.Post("/devices/{device}/login/code", s.device(s.loginWithCode))
	s.mux.Post("/devices/{device}/logout", s.device(s.logout))
	s.mux.Post("/devices/{device}/reconnect", s.device(s.reconnect))
	s.mux.Get("/devices/{device}/webhook", s.device(s.deviceWebhook))
	s.mux.Patch("/devices/{device}/webhook", s.device(s.setDeviceWebhook))
	return s.mux
}

// plain makes one slash of several at the beginning of the path, since people put addresses
// with a slash at their end into clients, and keeps answers out of caches.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := chi.RouteContext(r.Context()); c != nil {
			c.RoutePath = "/" + strings.TrimLeft(c.RoutePath, "/")
		}
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// orderly refuses a query that cannot be read, rather than to do what is left of it.
func (s *server) orderly(next http.Handler) http.Handler {
	return s.answer(func(w http.ResponseWriter, r *http.Request) error {
		if text, err := url.QueryUnescape(r.URL.RawQuery); err != nil || !utf8.ValidString(text) {
			return fault.New(fault.Invalid, "The query of the address is malformed.")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// forward passes a request on to the number that it names.
func (s *server) forward(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.named(r)
	if err != nil {
		return err
	}
	path := below(r.URL.EscapedPath())
	if _, err := s.Instances.API(viewer(r), inst.ID); err != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		switch path { // what the panel can do for a number that does not run
		case "/app/status":
			return s.appStatus(w, inst)
		case "/app/reconnect":
			return s.appReconnect(w, r, inst)
		}
	}
	return s.pass(w, r, inst, path)
}

// below cuts off of a path where the gateway is mounted.
func below(path string) string {
	path, _ = strings.CutPrefix(path, "/gowa")
	return "/" + strings.TrimLeft(path, "/")
}

// pass sends a request to a number's own API, at the escaped path.
func (s *server) pass(w http.ResponseWriter, r *http.Request, inst instances.Instance, path string) error {
	audit.Of(r.Context()).Instance = string(inst.ID)
	worker, err := s.Instances.API(viewer(r), inst.ID)
	if err != nil {
		return err
	}
	limit := time.Now().Add(patience)
	rc := http.NewResponseController(w)
	_, _ = rc.SetReadDeadline(limit), rc.SetWriteDeadline(limit) // what cannot be prolonged ends sooner
	relay.Relay{Worker: worker, Path: path, Base: s.Base, Fail: s.fail}.ServeHTTP(w, r)
	return nil
}

func (s *server) banner(w http.ResponseWriter, _ *http.Request) error {
	return write(w, "Switchboard, in the words of go-whatsapp-web-multidevice", map[string]string{"version": s.Version})
}

// The sizes of media, in bytes, that clients find announced. Workers hold to them.
const (
	maxImage = 20_000_000
	maxFile  = 50_000_000
	maxVideo = 100_000_000
)

func (s *server) info(w http.ResponseWriter, _ *http.Request) error {
	base, err := url.Parse(s.Base)
	if err != nil {
		return err
	}
	return write(w, "Fetch app info success", map[string]any{
		"version": s.Version, "os": "Switchboard", "base_path": base.Path,
		"max_file_size": maxFile, "max_video_size": maxVideo, "max_image_size": maxImage,
		"chatwoot_enabled": false,
	})
}

// needs says what a request does.
func needs(r *http.Request) keys.Scope {
	path := below(r.URL.Path)
	first, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if first == "devices" {
		if _, what, _ := strings.Cut(rest, "/"); (r.Method == http.MethodGet || r.Method == http.MethodHead) && what != "login" && what != "webhook" {
			return keys.Read
		}
		return keys.Manage
	}
	if first == "ws" {
		return keys.Read
	}
	return keys.ScopeOf(r.Method, path, r.URL.Query())
}
