package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"switchboard/fault"
)

// The requests on the control socket. All but the streams and the API are POST with one
// JSON object each way.
const (
	pathReports        = "/reports" // GET: newline-delimited JSON, one report a line
	pathPair           = "/pair"
	pathPairPhone      = "/pair-phone"
	pathAnswerPasskey  = "/passkey/answer"
	pathConfirmPasskey = "/passkey/confirm"
	pathLogout         = "/logout"
	pathReconnect      = "/reconnect"
	pathSendText       = "/send-text"
	pathSettings       = "/settings" // PUT
	pathOutbox         = "/outbox/"
	pathEvents         = "/events" // GET: newline-delimited JSON, one event a line, null when there is none
	pathStop           = "/stop"
	pathAPI            = "/api" // any request below it goes to the worker's REST API
)

// tokenHeader carries the token. It is not Authorization, which belongs to the client of
// the REST API whose request is passed on.
const tokenHeader = "Switchboard-Control-Token"

const (
	heartbeat   = 10 * time.Second // between reports of a worker that has nothing to say
	maxDocument = 1 << 20          // bytes of a JSON object in either direction
)

type phoneRequest struct {
	Phone string `json:"phone"`
}

type textRequest struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

type passkeyRequest struct {
	Credential json.RawMessage `json:"credential"`
}

// trouble is how an error travels.
type trouble struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	Detail  string `json:"detail,omitempty"` // for the log of the panel, never shown
}

// words gives every kind of fault its word on the way.
var words = map[fault.Kind]string{
	fault.Internal:        "internal",
	fault.Invalid:         "invalid",
	fault.NotFound:        "not_found",
	fault.Conflict:        "conflict",
	fault.Forbidden:       "forbidden",
	fault.Unauthenticated: "unauthenticated",
	fault.Throttled:       "throttled",
	fault.TooLarge:        "too_large",
	fault.Unavailable:     "unavailable",
}

// writeTrouble answers with err.
func writeTrouble(w http.ResponseWriter, err error) {
	kind := fault.KindOf(err)
	t := trouble{Kind: words[kind], Message: fault.MessageOf(err), Field: fault.FieldOf(err), Detail: err.Error()}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(kind.Status())
	_ = json.NewEncoder(w).Encode(t) // a panel that went away is no one's trouble
}

// readTrouble turns an answer that is not 2xx into the fault that the worker meant.
func readTrouble(res *http.Response) error {
	var t trouble
	if err := json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(&t); err != nil || t.Message == "" {
		return fault.Wrap(fault.Internal, "", errors.New("the worker answered "+res.Status))
	}
	e := &fault.Error{Message: t.Message, Field: t.Field, Err: errors.New(t.Detail)}
	for kind, word := range words {
		if word == t.Kind {
			e.Kind = kind
		}
	}
	return e
}

// unreachable is the fault for a worker that gives no answer. The end of ctx stays
// recognisable.
func unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		err = context.Canceled
	}
	return fault.Wrap(fault.Unavailable, "The process of this number does not answer right now. Try again in a few seconds.", err)
}
