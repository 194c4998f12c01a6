package gowa

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"switchboard/egress"
	"switchboard/fault"
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
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // a client that went away is no one's trouble
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
	case errors.Is(err, whatsapp.ErrReachOut):
		return http.StatusTooManyRequests, "WA_REACHOUT_TIMELOCK"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "GATEWAY_TIMEOUT"
	case errors.Is(err, whatsapp.ErrTrouble):
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
