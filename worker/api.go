package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/whatsapp"
)

// maxBody is how many bytes a request may have.
const maxBody = 1 << 20

// number is what the API needs of a session.
type number interface {
	Report() instances.Report
	SendText(ctx context.Context, to, text string) (instances.Sent, error)
}

// api is the number's REST API, in the words of go-whatsapp-web-multidevice. It does not
// ask who is calling.
type api struct {
	id  instances.ID
	own number
	log *slog.Logger
}

func newAPI(id instances.ID, own number, log *slog.Logger) http.Handler {
	a := &api{id: id, own: own, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("GET /app/status", a.answer(a.status))
	mux.HandleFunc("POST /send/message", a.answer(a.sendMessage))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, http.StatusNotFound, envelope{Code: "NOT_FOUND", Message: "There is nothing at " + r.Method + " " + r.URL.Path + "."})
	})
	return mux
}

// guarded is the API as it is served on the worker's port. A number has no keys of its own
// to sign in with, so all but the health check is closed to everybody here; the panel
// forwards to the API for those whom it lets in.
func guarded(id instances.ID, _ http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", string(id)))
		write(w, http.StatusUnauthorized, envelope{
			Code:    "AUTHENTICATION_ERROR",
			Message: "This number's API needs a key, and no key has been made for it. Use the panel's API under /api/v1/instances/" + string(id) + "/api/ with a token.",
		})
	})
	return mux
}

func health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK"))
}

// envelope is every answer's form.
type envelope struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Results any    `json:"results,omitempty"`
}

func write(w http.ResponseWriter, status int, e envelope) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // a client that went away is no one's trouble
}

// answer adapts an operation: its message and results, or a fault.
func (a *api) answer(do func(*http.Request) (string, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		message, results, err := do(r)
		if err != nil {
			status, code := codeOf(err)
			if status == http.StatusInternalServerError {
				a.log.Error("request failed", "path", r.URL.Path, "error", err)
			}
			write(w, status, envelope{Code: code, Message: fault.MessageOf(err)})
			return
		}
		write(w, http.StatusOK, envelope{Code: "SUCCESS", Message: message, Results: results})
	}
}

// codeOf gives an error the status and the code that clients of the original act on.
func codeOf(err error) (int, string) {
	if errors.Is(err, whatsapp.ErrReachOut) {
		return http.StatusTooManyRequests, "WA_REACHOUT_TIMELOCK"
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return http.StatusBadRequest, "VALIDATION_ERROR"
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge, "VALIDATION_ERROR"
	case fault.NotFound:
		return http.StatusNotFound, "NOT_FOUND"
	case fault.Unavailable:
		return http.StatusUnauthorized, "AUTHENTICATION_ERROR" // what "not connected" is called there
	case fault.Throttled:
		return http.StatusTooManyRequests, "TOO_MANY_REQUESTS"
	case fault.Conflict:
		return http.StatusConflict, "CONFLICT"
	}
	return http.StatusInternalServerError, "INTERNAL_SERVER_ERROR"
}

type status struct {
	IsConnected bool   `json:"is_connected"`
	IsLoggedIn  bool   `json:"is_logged_in"`
	DeviceID    string `json:"device_id"`
	JID         string `json:"jid"`
}

func (a *api) status(*http.Request) (string, any, error) {
	r := a.own.Report()
	s := status{DeviceID: string(a.id), IsConnected: r.Status == instances.Connected}
	switch r.Status {
	case instances.Connected, instances.Reconnecting, instances.Restricted, instances.Outdated, instances.Replaced:
		s.IsLoggedIn, s.JID = r.JID != "", bare(r.JID)
	}
	return "Connection status retrieved", s, nil
}

// bare takes the device off a JID.
func bare(jid string) string {
	user, server, found := strings.Cut(jid, "@")
	if !found {
		return jid
	}
	user, _, _ = strings.Cut(user, ":")
	return user + "@" + server
}

type sent struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

func (a *api) sendMessage(r *http.Request) (string, any, error) {
	in, err := readFields(r)
	if err != nil {
		return "", nil, err
	}
	// What would be left out of the message silently is refused.
	for _, name := range []string{"reply_message_id", "mentions", "duration", "is_forwarded"} {
		if in.given(name) {
			return "", nil, fault.InField(name, name+" is not supported by this version of Switchboard.")
		}
	}
	phone, message := in.text("phone"), in.text("message")
	switch {
	case phone == "":
		return "", nil, fault.InField("phone", "phone: cannot be blank.")
	case strings.TrimSpace(message) == "":
		return "", nil, fault.InField("message", "message: cannot be blank.")
	}
	m, err := a.own.SendText(r.Context(), phone, message)
	if err != nil {
		return "", nil, err
	}
	text := fmt.Sprintf("Message sent to %s (server timestamp: %s)", phone, m.At.Format("2006-01-02 15:04:05 -0700 MST"))
	return text, sent{MessageID: m.ID, Status: text}, nil
}
