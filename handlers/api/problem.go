package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
)

// problem is an RFC 9457 document. Reason is for programs, Detail for people.
type problem struct {
	Type           string       `json:"type"`
	Title          string       `json:"title"`
	Status         int          `json:"status"`
	Detail         string       `json:"detail"`
	Reason         string       `json:"reason,omitempty"`
	InstanceStatus string       `json:"instance_status,omitempty"`
	Field          string       `json:"field,omitempty"`
	Errors         []fieldError `json:"errors,omitempty"`
}

type fieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// httpError is a fault of HTTP itself, which the kinds of fault do not know.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

// nothingToScan says why a number has no QR code.
type nothingToScan struct {
	detail, reason, status string
}

func (e *nothingToScan) Error() string { return e.detail }

// answer adapts a handler that returns an error.
func (s *server) answer(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// fail writes err as a problem document, and to the log what is nobody's own mistake.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := describe(err)
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil { // who has gone away is no error
		// The route, not the path: a forwarded path may hold phone numbers.
		s.Log.Error("api request failed", "method", r.Method, "route", chi.RouteContext(r.Context()).RoutePattern(), "status", p.Status, "error", err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // an error means that the client has gone
}

func describe(err error) problem {
	var wrong *httpError
	var nothing *nothingToScan
	p := problem{Type: "about:blank", Status: fault.KindOf(err).Status(), Detail: fault.MessageOf(err), Field: fault.FieldOf(err)}
	switch {
	case errors.As(err, &wrong):
		p.Status, p.Detail = wrong.status, wrong.detail
	case errors.As(err, &nothing):
		p.Status, p.Detail = http.StatusConflict, nothing.detail
		p.Reason, p.InstanceStatus = nothing.reason, nothing.status
	}
	p.Title = http.StatusText(p.Status)
	for _, f := range fault.Fields(err) {
		p.Errors = append(p.Errors, fieldError{f.Field, f.Message})
	}
	return p
}

func noSuchRoute(_ http.ResponseWriter, _ *http.Request) error {
	return fault.New(fault.NotFound, "There is nothing at this address. The document openapi.json lists what there is.")
}

// methodNotAllowed answers with the methods that the address does know.
func (s *server) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if mounted := chi.RouteContext(r.Context()).RoutePath; mounted != "" {
		path = mounted
	}
	var allowed []string
	for _, method := range []string{"DELETE", "GET", "PATCH", "POST", "PUT"} {
		if s.mux.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
			if method == "GET" {
				allowed = append(allowed, "HEAD")
			}
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	s.fail(w, r, &httpError{http.StatusMethodNotAllowed,
		"This address does not know that method; it knows " + strings.Join(allowed, ", ") + "."})
}
