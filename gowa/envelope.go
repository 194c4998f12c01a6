package gowa

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/sending"
	"switchboard/whatsapp"
)

// Envelope is every answer's form.
type Envelope struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Results any    `json:"results,omitempty"`
}

// Write answers a request.
func Write(w http.ResponseWriter, status int, e Envelope) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // a client that went away is no one's trouble
}

// outcome is what an operation came to, ready to be answered with.
type outcome struct {
	Envelope
	status   int
	body     json.RawMessage // the envelope as it was answered with before; nil for a new one
	replayed bool
	handler  http.Handler // answers by itself
}

func (o outcome) write(w http.ResponseWriter, r *http.Request) {
	switch {
	case o.handler != nil:
		o.handler.ServeHTTP(w, r)
	case o.body != nil:
		if o.replayed {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(o.status)
		_, _ = w.Write(o.body) // a client that went away is no one's trouble
	default:
		Write(w, o.status, o.Envelope)
	}
}

// answer is an outcome as it can be kept.
func (o outcome) answer() sending.Answer {
	body, err := json.Marshal(o.Envelope)
	if err != nil {
		body = nil // no results are made that cannot be written
	}
	return sending.Answer{Status: o.status, Body: body}
}

// coded is an error with a status and a code of its own.
type coded struct {
	status int
	code   string
	error
}

func (c *coded) Unwrap() error { return c.error }

// withCode gives err, which is a fault, a status and a code of its own.
func withCode(status int, code string, err error) error { return &coded{status, code, err} }

// codeOf gives an error the status and the code that clients of the original act on.
func codeOf(err error) (int, string) {
	if own, ok := errors.AsType[*coded](err); ok {
		return own.status, own.code
	}
	switch {
	case errors.Is(err, whatsapp.ErrAddress):
		return http.StatusBadRequest, "INVALID_JID"
	case errors.Is(err, whatsapp.ErrUpload):
		return http.StatusInternalServerError, "UPLOAD_MEDIA_ERROR"
	case errors.Is(err, whatsapp.ErrMedia):
		return http.StatusServiceUnavailable, "MEDIA_UNAVAILABLE"
	case errors.Is(err, whatsapp.ErrReachOut):
		return http.StatusTooManyRequests, "WA_REACHOUT_TIMELOCK"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "GATEWAY_TIMEOUT"
	case errors.Is(err, whatsapp.ErrTrouble), errors.Is(err, whatsapp.ErrNoRoom):
		return http.StatusInternalServerError, "INTERNAL_SERVER_ERROR"
	case errors.Is(err, egress.ErrRefused):
		return http.StatusBadRequest, "VALIDATION_ERROR"
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return http.StatusBadRequest, "VALIDATION_ERROR"
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge, "VALIDATION_ERROR"
	case fault.NotFound:
		return http.StatusNotFound, "NOT_FOUND"
	case fault.Unavailable, fault.Unauthenticated:
		return http.StatusUnauthorized, "AUTHENTICATION_ERROR" // what "not connected" is called there
	case fault.Forbidden:
		return http.StatusForbidden, "FORBIDDEN"
	case fault.Throttled:
		return http.StatusTooManyRequests, "TOO_MANY_REQUESTS"
	case fault.Conflict:
		return http.StatusConflict, "CONFLICT"
	}
	return http.StatusInternalServerError, "INTERNAL_SERVER_ERROR"
}
