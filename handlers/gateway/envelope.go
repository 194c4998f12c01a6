package gateway

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"switchboard/fault"
)

// The codes that clients act on.
const (
	codeAuthentication = "AUTHENTICATION_ERROR" // also: the number is not connected
	codeInvalid        = "VALIDATION_ERROR"
	codeInternal       = "INTERNAL_SERVER_ERROR"
)

// envelope is every answer's form.
type envelope struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Results any    `json:"results,omitempty"`
}

// refusal is an answer with a code of its own.
type refusal struct {
	status  int
	code    string
	message string
	results any
}

func (e *refusal) Error() string { return e.message }

func write(w http.ResponseWriter, message string, results any) error {
	respond(w, http.StatusOK, envelope{"SUCCESS", message, results})
	return nil
}

func respond(w http.ResponseWriter, status int, e envelope) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // a client that went away is no one's trouble
}

// answer adapts a handler that returns an error.
func (s *server) answer(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// fail answers with err, and writes to the log what is nobody's own mistake.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, code, e := http.StatusInternalServerError, codeInternal, (*refusal)(nil)
	results := any(nil)
	switch kind := fault.KindOf(err); {
	case errors.As(err, &e):
		status, code, results = e.status, e.code, e.results
	case kind == fault.Invalid:
		status, code = http.StatusBadRequest, codeInvalid
	case kind == fault.TooLarge:
		status, code = kind.Status(), codeInvalid
	case kind == fault.NotFound:
		status, code = http.StatusNotFound, "NOT_FOUND"
	case kind == fault.Conflict, kind == fault.Unavailable:
		// The number is stopped, is not linked, or does not answer: clients know all of it as
		// "not logged in" or "not connected".
		status, code = http.StatusUnauthorized, codeAuthentication
	case kind == fault.Forbidden:
		status, code = http.StatusForbidden, "FORBIDDEN"
	case kind == fault.Throttled:
		status, code = http.StatusTooManyRequests, "TOO_MANY_REQUESTS"
	}
	if status >= http.StatusInternalServerError && r.Context().Err() == nil { // who has gone away is no error
		// The route, not the path, which may hold phone numbers.
		s.Log.Error("gateway request failed", "method", r.Method, "route", chi.RouteContext(r.Context()).RoutePattern(), "error", err)
	}
	message := fault.MessageOf(err)
	if e != nil {
		message = e.message
	}
	respond(w, status, envelope{code, message, results})
}
