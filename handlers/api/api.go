// Package api is the management API: JSON over HTTP under /api/v1, for programs that
// create, pair, watch and remove numbers.
//
// A request carries "Authorization: Bearer" and an API token, and acts as the person the
// token belongs to: what that person may not see does not exist. Cookies are never looked
// at, so no web page can make a signed-in browser act here. Errors are problem documents
// (RFC 9457). What exists is written down in openapi.json, and a test compares the two.
package api

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/instances"
	"switchboard/journal"
	"switchboard/messages"
	"switchboard/resources"
	"switchboard/settings"
)

// Numbers is the part of the supervisor that keeps the list.
type Numbers interface {
	List(v instances.Viewer) []instances.Instance
	Get(v instances.Viewer, id instances.ID) (instances.Instance, error)
	Create(ctx context.Context, v instances.Viewer, in instances.New) (instances.Instance, error)
	Rename(ctx context.Context, v instances.Viewer, id instances.ID, name string) error
	Delete(ctx context.Context, v instances.Viewer, id instances.ID) error
	DeleteForGood(ctx context.Context, v instances.Viewer, id instances.ID) error
}

// Switches is the part of the supervisor that turns numbers on and off.
type Switches interface {
	Start(ctx context.Context, v instances.Viewer, id instances.ID) error
	Stop(ctx context.Context, v instances.Viewer, id instances.ID) error
	Restart(ctx context.Context, v instances.Viewer, id instances.ID) error
	Reconnect(ctx context.Context, v instances.Viewer, id instances.ID) error
}

// Link is the part of the supervisor that links numbers to phones and reaches their own API.
type Link interface {
	Pair(ctx context.Context, v instances.Viewer, id instances.ID) error
	PairPhone(ctx context.Context, v instances.Viewer, id instances.ID, phone string) (instances.PhoneCode, error)
	Logout(ctx context.Context, v instances.Viewer, id instances.ID) error
	API(v instances.Viewer, id instances.ID) (http.RoundTripper, error)
}

// Fleet is the part of the supervisor that knows of all numbers together.
type Fleet interface {
	Boot() instances.Boot
	Rollout() instances.Rollout
}

// Supervisor is what the API works on; *instances.Supervisor is one.
type Supervisor interface {
	Numbers
	Switches
	Link
	Fleet
	Events
}

// Door says who a token belongs to; *auth.Auth is one.
type Door interface {
	ByToken(ctx context.Context, secret string) (auth.User, auth.Token, error)
}

// Options is what the API works with. All but BasePath are needed.
type Options struct {
	Instances Supervisor
	Auth      Door
	// People are managed here, and Audit is read; both may be nil where that is not needed.
	People *auth.Auth
	Audit  *audit.Log
	// URL is how browsers reach the panel, without a slash at the end.
	URL      string
	Keys     Keys
	Settings Settings
	// Bounds are what the limits of a number are seen against.
	Bounds settings.Bounds
	// CheckBucket tries whether media can be kept in a bucket; a fault says why they cannot.
	CheckBucket func(ctx context.Context, b settings.Bucket) error
	// MediaBacklog is what waits to be put into a number's bucket.
	MediaBacklog func(ctx context.Context, id instances.ID) (messages.Backlog, error)
	Webhooks     Webhooks
	// Usage is what the process of a number uses; false when that is not known.
	Usage func(id instances.ID, pid int) (resources.Usage, bool)
	// Logs is where the process of a number writes its log.
	Logs func(id instances.ID) journal.Log
	// BasePath is the panel's sub-path behind a reverse proxy, "" or "/panel". The API
	// itself is below it, at /api/v1.
	BasePath string
	// Closing is closed when the panel ends: streams end with it. It may be nil.
	Closing <-chan struct{}
	Log     *slog.Logger
}

type server struct {
	Options
	mux     *chi.Mux
	streams chan struct{} // one for each that is open
}

//go:embed openapi.json
var openAPI []byte

// New returns the API's handler, to be mounted at /api/v1.
func New(o Options) http.Handler { return newServer(o).mux }

func newServer(o Options) *server {
	s := &server{Options: o, mux: chi.NewMux(), streams: make(chan struct{}, mostStreams)}
	s.mux.Use(s.headers, middleware.GetHead, s.authenticate)
	s.mux.NotFound(s.answer(noSuchRoute))
	s.mux.MethodNotAllowed(s.methodNotAllowed)

	s.mux.Get("/openapi.json", s.answer(showOpenAPI))
	s.mux.Get("/stats", s.answer(s.showStats))

	s.mux.Get("/users", s.answer(s.listPeople))
	s.mux.Post("/users", s.answer(s.invitePerson))
	s.mux.Get("/users/{user}", s.answer(s.showPerson))
	s.mux.Patch("/users/{user}", s.answer(s.changePerson))
	s.mux.Delete("/users/{user}", s.answer(s.removePerson))
	s.mux.Post("/users/{user}/link", s.answer(s.makePasswordLink))
	s.mux.Get("/second-step", s.answer(s.showSecondStep))
	s.mux.Put("/second-step", s.answer(s.requireSecondStep))
	s.mux.Get("/groups", s.answer(s.listGroups))
	s.mux.Post("/groups", s.answer(s.saveGroup))
	s.mux.Put("/groups/{group}", s.answer(s.saveGroup))
	s.mux.Delete("/groups/{group}", s.answer(s.removeGroup))
	s.mux.Get("/tokens", s.answer(s.listTokens))
	s.mux.Post("/tokens", s.answer(s.addToken))
	s.mux.Delete("/tokens/{token}", s.answer(s.revokeToken))
	s.mux.Get("/audit", s.answer(s.showAudit))
	s.mux.Get("/events", s.answer(s.streamEvents))

	s.mux.Get("/instances", s.answer(s.listInstances))
	s.mux.Post("/instances", s.answer(s.createInstance))
	s.mux.Get("/instances/{id}", s.answer(s.showInstance))
	s.mux.Patch("/instances/{id}", s.answer(s.changeInstance))
	s.mux.Delete("/instances/{id}", s.answer(s.deleteInstance))

	s.mux.Post("/instances/{id}/start", s.command(s.start))
	s.mux.Post("/instances/{id}/stop", s.command(s.Instances.Stop))
	s.mux.Post("/instances/{id}/restart", s.command(s.Instances.Restart))
	s.mux.Post("/instances/{id}/reconnect", s.command(s.Instances.Reconnect))
	s.mux.Post("/instances/{id}/logout", s.command(s.Instances.Logout))
	s.mux.Post("/instances/{id}/pair", s.command(s.Instances.Pair))

	s.mux.Get("/instances/{id}/qr", s.answer(s.showQR))
	s.mux.Post("/instances/{id}/pair-code", s.answer(s.pairByCode))

	s.mux.Get("/instances/{id}/keys", s.answer(s.listKeys))
	s.mux.Post("/instances/{id}/keys", s.answer(s.createKey))
	s.mux.Delete("/instances/{id}/keys/{key}", s.answer(s.revokeKey))

	s.mux.Get("/instances/{id}/settings", s.answer(s.showHabits))
	s.mux.Patch("/instances/{id}/settings", s.answer(s.changeHabits))
	s.mux.Get("/instances/{id}/limits", s.answer(s.showLimits))
	s.mux.Patch("/instances/{id}/limits", s.answer(s.changeLimits))
	s.mux.Get("/instances/{id}/bucket", s.answer(s.showBucket))
	s.mux.Post("/instances/{id}/bucket/check", s.answer(s.checkBucket))

	for _, below := range []string{"", "/instances/{id}"} { // for all numbers, for one
		s.mux.Get(below+"/webhooks", s.within(s.listWebhooks))
		s.mux.Post(below+"/webhooks", s.within(s.createWebhook))
		s.mux.Get(below+"/webhooks/{webhook}", s.within(s.oneWebhook))
		s.mux.Patch(below+"/webhooks/{webhook}", s.within(s.changeWebhook))
		s.mux.Delete(below+"/webhooks/{webhook}", s.within(s.deleteWebhook))
		s.mux.Post(below+"/webhooks/{webhook}/reveal", s.within(s.revealSecret))
		s.mux.Post(below+"/webhooks/{webhook}/rotate", s.within(s.rotateSecret))
	}
	s.mux.Post("/instances/{id}/webhooks/{webhook}/test", s.within(s.testWebhook))
	s.mux.Post("/instances/{id}/webhooks/{webhook}/resume", s.within(s.resumeWebhook))
	s.mux.Get("/instances/{id}/deliveries", s.within(s.listDeliveries))
	s.mux.Post("/instances/{id}/deliveries/resend", s.within(s.resendDeliveries))
	s.mux.Get("/instances/{id}/deliveries/{delivery}", s.within(s.oneDelivery))
	s.mux.Post("/instances/{id}/deliveries/{delivery}/resend", s.within(s.resendDelivery))

	s.mux.Post("/instances/{id}/messages", s.answer(s.sendMessage))
	s.mux.Get("/instances/{id}/messages/{message}", s.answer(s.showMessage))
	s.mux.Get("/instances/{id}/queue", s.answer(s.listQueue))
	s.mux.Delete("/instances/{id}/queue/{send}", s.answer(s.cancelMessage))

	s.mux.Get("/instances/{id}/logs", s.answer(s.showLog))

	for _, p := range passed {
		s.mux.Method(p.method, "/instances/{id}"+p.path, s.answer(s.pass))
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		s.mux.Method(method, "/instances/{id}/api", s.answer(s.forward))
		s.mux.Method(method, "/instances/{id}/api/*", s.answer(s.forward))
	}
	return s
}

func showOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // an error means that the client has gone
	return nil
}
