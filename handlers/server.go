// Package handlers is the panel as the browser sees it: routes, middleware, one file per
// resource, and the one place where errors become answers.
//
// Handlers parse a request, ask the core and render a view. They return errors; the adapter
// answers them. Every page works without JavaScript: forms post and are redirected. With
// htmx the same addresses send the piece of the page that changed.
package handlers

import (
	"context"
	"log/slog"
	"net/http"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/journal"
	"switchboard/messages"
	"switchboard/reference"
	"switchboard/resources"
	"switchboard/settings"
	"switchboard/webhooks"
)

// Numbers is what the panel asks of the supervisor.
type Numbers interface {
	List(v instances.Viewer) []instances.Instance
	Get(v instances.Viewer, id instances.ID) (instances.Instance, error)
	Create(ctx context.Context, v instances.Viewer, in instances.New) (instances.Instance, error)
	Rename(ctx context.Context, v instances.Viewer, id instances.ID, name string) error
	Delete(ctx context.Context, v instances.Viewer, id instances.ID) error
	DeleteForGood(ctx context.Context, v instances.Viewer, id instances.ID) error
	Lifecycle
	Pairing
	Imports
	Fleet
	// Changed is closed at the next change of that number.
	Changed(v instances.Viewer, id instances.ID) <-chan struct{}
	SendText(ctx context.Context, v instances.Viewer, id instances.ID, to, text string) (instances.Sent, error)
}

// Lifecycle starts and stops a number.
type Lifecycle interface {
	Start(ctx context.Context, v instances.Viewer, id instances.ID) error
	Stop(ctx context.Context, v instances.Viewer, id instances.ID) error
	Restart(ctx context.Context, v instances.Viewer, id instances.ID) error
	Reconnect(ctx context.Context, v instances.Viewer, id instances.ID) error
}

// Pairing links a number to its phone and unlinks it.
type Pairing interface {
	Pair(ctx context.Context, v instances.Viewer, id instances.ID) error
	PairPhone(ctx context.Context, v instances.Viewer, id instances.ID, phone string) (instances.PhoneCode, error)
	AnswerPasskey(ctx context.Context, v instances.Viewer, id instances.ID, credential []byte) error
	ConfirmPasskey(ctx context.Context, v instances.Viewer, id instances.ID) error
	Logout(ctx context.Context, v instances.Viewer, id instances.ID) error
}

// Imports takes over numbers that another program has paired.
type Imports interface {
	Found(ctx context.Context) ([]instances.Paired, error)
	Import(ctx context.Context, v instances.Viewer, jid string) (instances.Instance, error)
}

// Fleet tells what goes on with all numbers together.
type Fleet interface {
	Boot() instances.Boot
	Rollout() instances.Rollout
}

// Messages reads the messages of a number, the newest first. It is asked only after the
// supervisor has said that the person may see the number.
type Messages interface {
	Latest(ctx context.Context, id instances.ID, limit int) ([]messages.Message, error)
	Search(ctx context.Context, id instances.ID, query string, limit int) ([]messages.Message, error)
	MediaBacklog(ctx context.Context, id instances.ID) (messages.Backlog, error)
}

// Options of the panel.
type Options struct {
	Instances Numbers
	Auth      *auth.Auth
	Messages  Messages
	// Logs is where the process of a number writes its log.
	Logs func(id instances.ID) journal.Log
	// Usage knows what the processes of numbers use. Reconnects, which may be nil, counts how
	// often one was connected anew.
	Usage      *resources.Sampler
	Reconnects func(id instances.ID) int
	// API is the management API, mounted at /api/v1; it does its own authentication. It
	// may be nil.
	API http.Handler
	// Gateway serves all numbers to programs written for go-whatsapp-web-multidevice, mounted
	// at /gowa; it does its own authentication. It may be nil.
	Gateway http.Handler
	// GatewayURL is the gateway's address, for people.
	GatewayURL string
	// Webhooks is what is done with webhooks and deliveries.
	Webhooks webhooks.Desk
	// Keys are those of the numbers' own APIs.
	Keys Keys
	// Workers reaches the numbers' own APIs.
	Workers Workers
	// Queue is what numbers are to send.
	Queue Queue
	// Management is what the management API has, for the page that shows it.
	Management []reference.Operation
	// Settings are what a person set for each number.
	Settings Settings
	// Bounds are what the limits of a number are seen against.
	Bounds settings.Bounds
	// WorkerURL is the address of the API of the number that has a port, for people.
	WorkerURL func(port int) string
	// Ready says whether the panel can do its work: the control database answers.
	Ready func(context.Context) error
	// Simulated says that no worker reaches the real WhatsApp network; every page says so.
	Simulated bool
	// PhoneURL is the page of the simulated phone, "" if there is none.
	PhoneURL string
	// URL is how browsers reach the panel, with its sub-path and without a slash at the end;
	// links that are passed on begin with it.
	URL string
	// System is what administrators do of databases and backups.
	System System
	// KeepDays is for how long the last backup of a deleted number is kept, 0: not at all.
	KeepDays int
	// Secure says that browsers reach the panel by https only: they are told to stay there.
	Secure bool
	// Audit is the record of what people do; nil keeps none.
	Audit *audit.Log
	// ThroughProxy tries whether WhatsApp can be reached through a proxy; what it cannot is a
	// fault that says why.
	ThroughProxy func(ctx context.Context, address string) error
	// CheckBucket tries whether a bucket can be written, read and deleted from; what it cannot
	// is a fault that says why.
	CheckBucket func(ctx context.Context, b settings.Bucket) error
	// Mail sends invitations; nil where no mail server is set.
	Mail Mailer
	// BasePath is the sub-path below which a reverse proxy shows the panel, "/sub" or "".
	// Requests arrive with it or without it.
	BasePath string
	// TrustedOrigins are origins beside the request's own host from which forms may come,
	// "https://panel.example.org" behind a proxy that rewrites Host.
	TrustedOrigins []string
	Version        string
	Log            *slog.Logger
}

// server holds what every handler needs.
type server struct {
	Options
	crossOrigin *http.CrossOriginProtection
}

// New returns the panel. It panics if a trusted origin is malformed: check it first.
func New(o Options) http.Handler {
	s := &server{Options: o, crossOrigin: http.NewCrossOriginProtection()}
	for _, origin := range o.TrustedOrigins {
		if err := s.crossOrigin.AddTrustedOrigin(origin); err != nil {
			panic(err)
		}
	}
	s.crossOrigin.SetDenyHandler(s.page(func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.Forbidden, "This request came from another site, so nothing was done. Open the panel itself and try again.")
	}))
	return s.below(s.routes())
}
