// Package auth knows who is at the door: people with passwords and roles, their sessions
// in the browser, one-time links, and the tokens that programs use.
//
// A browser carries one cookie with a random token. The database keeps only its SHA-256,
// so that a copy of the database opens no session, and a session that is revoked there is
// refused at the next request. API tokens and one-time links are kept the same way.
// Passwords are kept as argon2id hashes.
//
// The package decides who somebody is. What they may touch is decided where it is touched:
// User.Viewer says whose numbers they see, User.MayChange whether they may do more than
// look.
package auth

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"switchboard/audit"
)

// Auth answers who somebody is. It is safe for concurrent use.
type Auth struct {
	store    Store
	cookies  *cookies
	hasher   *hasher
	throttle *throttle
	refused  audit.Rarely // tokens that nobody knows
	address  func(*http.Request) string
	log      *slog.Logger
	base     *url.URL
	box      Box
	sso      *sso
}

// Options of an Auth.
type Options struct {
	// BaseURL is how browsers reach the panel, with its sub-path if it has one. It decides
	// name, path and flags of the cookie: an https URL makes the cookie secure. The command
	// line, which serves no browser, may leave it nil.
	BaseURL *url.URL
	// Address returns the address that a request came from, without port. Whoever trusts
	// a proxy's headers decides it here; nil takes the address of the connection.
	Address func(*http.Request) string
	Log     *slog.Logger // nil discards
	// Box seals the seeds of authenticator apps; without one, none can be set up.
	Box Box
	// Provider lets people in by single sign-on; nil for none.
	Provider *Provider
}

// New returns an Auth that keeps everything in store.
func New(store Store, o Options) *Auth {
	if o.BaseURL == nil {
		o.BaseURL = &url.URL{Scheme: "http"}
	}
	if o.Address == nil {
		o.Address = connectionAddress
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Auth{
		store:    store,
		cookies:  newCookies(store, o.BaseURL, o.Address),
		hasher:   newHasher(),
		throttle: newThrottle(),
		address:  o.Address,
		log:      o.Log,
		base:     o.BaseURL,
		box:      o.Box,
	}
	if o.Provider != nil {
		a.sso = &sso{Provider: *o.Provider, callback: strings.TrimSuffix(o.BaseURL.String(), "/") + CallbackPath}
	}
	return a
}

// Address returns the address that a request came from, without port.
func (a *Auth) Address(r *http.Request) string { return a.address(r) }

func connectionAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
