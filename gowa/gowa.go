// Package gowa serves one number's REST API, in the words of go-whatsapp-web-multidevice
// ("gowa"), so that programs which were written for it need another address and password
// and nothing else.
//
// Every operation is one row in a table of routes and one method that takes the request's
// parameters and returns a message for people and results, or a fault. What all of them
// share is here: the envelope, the codes, how parameters may be written, limits of size and
// time. The package does not ask who is calling; whoever mounts it does.
package gowa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/ffmpeg"
	"switchboard/instances"
	"switchboard/sending"
	"switchboard/settings"
)

// Deadline is how long an operation may take once its request has been read.
const Deadline = 45 * time.Second

// Number is what the API needs of a number.
type Number interface {
	Account
	Sender
	Actor
	Users
	Chats
	Groups
	Newsletters
	Calls
	Voter
	More
	Stored
}

// Options of an API.
type Options struct {
	ID      instances.ID
	Version string // of the program, for whoever asks
	Number  Number
	Egress  *egress.Guard   // for media by address
	FFmpeg  *ffmpeg.Program // nil: not installed
	Sends   *sending.Queue  // nil: everything is sent at once, and again when it is asked for again
	Log     *slog.Logger
}

// API serves one number's REST API. Its methods may be called from any goroutine.
type API struct {
	o      Options
	mux    *chi.Mux
	region atomic.Pointer[string]
	codes  codes
}

// New returns the API of a number.
func New(o Options) *API {
	a := &API{o: o, mux: chi.NewMux()}
	a.Apply(settings.Settings{})
	a.mux.Use(middleware.StripSlashes, middleware.GetHead, a.survive)
	a.mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		Write(w, http.StatusNotFound, Envelope{Code: "NOT_FOUND", Message: "There is nothing at " + r.URL.Path + "."})
	})
	a.mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", a.allowed(r))
		Write(w, http.StatusMethodNotAllowed, Envelope{Code: "METHOD_NOT_ALLOWED", Message: r.URL.Path + " does not take " + r.Method + "."})
	})
	a.mux.Get("/health", Health)
	for _, r := range routes() {
		a.mux.Method(r.method, r.path, a.answer(r))
	}
	return a
}

// allowed are the methods that the address of a request takes.
func (a *API) allowed(r *http.Request) string {
	var all []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		asked := strings.Replace(method, http.MethodHead, http.MethodGet, 1)
		if a.mux.Match(chi.NewRouteContext(), asked, cmp.Or(strings.TrimSuffix(r.URL.EscapedPath(), "/"), "/")) {
			all = append(all, method)
		}
	}
	return strings.Join(all, ", ")
}

// Apply works by a number's settings from now on.
func (a *API) Apply(s settings.Settings) { a.region.Store(&s.Region) }

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a.mux.ServeHTTP(w, r)
}

// Health answers that the process is up.
func Health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK"))
}

// operation does what a request asks for. It returns a message for people and the results,
// nil for none; results that are an http.Handler answer the request by themselves.
type operation func(*API, *request) (message string, results any, err error)

// route is one operation of the API. Parameters in the path stand in braces.
type route struct {
	method, path string
	do           operation
	files        map[string]int64 // the fields that may be files, and how many bytes they may have
}

// routes is the whole API.
func routes() []route {
	return slices.Concat(appRoutes, sendRoutes, messageRoutes, userRoutes, chatRoutes, groupRoutes, newsletterRoutes, callRoutes, queueRoutes, moreRoutes, storedRoutes, voteRoutes)
}

// answer adapts an operation.
func (a *API) answer(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, err := read(w, r, route.files)
		defer in.forget()
		if err != nil {
			a.failed(route.path, err).write(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), Deadline)
		defer cancel()
		in.Request, in.region = r.WithContext(ctx), *a.region.Load()
		out, kept, err := a.once(route, in)
		switch {
		case err != nil:
			out = a.failed(route.path, err)
		case !kept:
			out = a.do(route, in)
		}
		out.write(w, r)
	}
}

// do does what a request asks for.
func (a *API) do(route route, in *request) outcome {
	message, results, err := route.do(a, in)
	if err != nil {
		if errors.Is(in.Context().Err(), context.DeadlineExceeded) {
			err = withCode(http.StatusGatewayTimeout, "GATEWAY_TIMEOUT",
				fault.Wrap(fault.Unavailable, "This took longer than 45 seconds. It may have been done all the same.", err))
		}
		return a.failed(route.path, err)
	}
	if h, ok := results.(http.Handler); ok {
		return outcome{handler: h}
	}
	return outcome{status: http.StatusOK, Envelope: Envelope{Code: "SUCCESS", Message: message, Results: results}}
}

// failed is the outcome of an error; those that are nobody's fault but ours are logged.
func (a *API) failed(route string, err error) outcome {
	status, code := codeOf(err)
	if status == http.StatusInternalServerError {
		a.o.Log.Error("request failed", "route", route, "error", err)
	}
	return outcome{status: status, Envelope: Envelope{Code: code, Message: fault.MessageOf(err)}}
}

// survive answers a request whose operation panics, which must not cost the number.
func (a *API) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // what panics is this very value
				panic(p)
			}
			a.o.Log.Error("request panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			Write(w, http.StatusInternalServerError, Envelope{Code: "INTERNAL_SERVER_ERROR", Message: fault.MessageOf(errors.New("panic"))})
		}()
		next.ServeHTTP(w, r)
	})
}

// pathValue returns a decoded parameter of the path.
func pathValue(r *http.Request, name string) (string, error) {
	value := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return value, nil // decoded already
	}
	return url.PathUnescape(value)
}
