// Package keys lets programs use one number's REST API on the number's own port.
//
// A key belongs to one number and says what may be done with it: read, send, manage. It is
// shown once, when it is made, and kept as a hash among the number's settings, so a worker
// knows its keys while the panel is gone. The package also knows what each operation of the
// REST API does, for whoever lets some people only look.
package keys

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Scope is what a key may be used for. Each stands alone: a key that may send may read
// nothing unless it has that scope too.
type Scope string

// The scopes.
const (
	Read   Scope = "read"   // chats, messages, contacts, groups, status
	Send   Scope = "send"   // messages, reactions, receipts, and what is done in chats and calls
	Manage Scope = "manage" // pairing, profile, groups, newsletters, and everything else
)

// Scopes are all of them, as a page lists them.
var Scopes = []Scope{Read, Send, Manage}

// Valid reports whether s is a scope.
func (s Scope) Valid() bool { return slices.Contains(Scopes, s) }

// ScopeOf says which scope a request to a number's REST API needs. path has no prefix. What
// is unknown needs the most.
func ScopeOf(method, path string, query url.Values) Scope {
	first, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	switch method {
	case http.MethodGet, http.MethodHead:
		switch {
		case first == "app" && rest != "status" && rest != "devices" && rest != "info":
			return Manage // pairing, logging out and reconnecting come as GET
		case first == "group" && rest == "invite-link" && query.Has("reset") && query.Get("reset") != "false" && query.Get("reset") != "":
			return Manage // makes the old link worthless
		case first == "ws":
			return Manage
		}
		return Read
	case http.MethodDelete:
		if first == "queue" {
			return Send // takes back what was not sent yet
		}
	case http.MethodPost:
		switch {
		case first == "send", first == "message", first == "chat", first == "call":
			return Send
		case first == "user" && rest == "lookup":
			return Read // as many numbers as fit in no address
		}
	}
	return Manage
}
