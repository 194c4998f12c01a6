package auth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/sessions"

	"switchboard/fault"
)

const (
	sessionLife = 30 * 24 * time.Hour // from sign-in
	sessionIdle = 7 * 24 * time.Hour  // without a visit
	touchEvery  = time.Minute
)

// Keys of sessions.Session.Values.
const (
	valueUser    = "user"
	valueSession = "session"
)

// cookies is the sessions.Store of the panel. The cookie carries a random token, the
// database its hash. A token that the database does not know is an anonymous browser: it
// proves nothing but that two requests came from the same one, which is what the CSRF token
// of the sign-in form needs.
type cookies struct {
	store   Store
	name    string
	options sessions.Options
	address func(*http.Request) string
}

var _ sessions.Store = (*cookies)(nil)

func newCookies(store Store, base *url.URL, address func(*http.Request) string) *cookies {
	path := "/" + strings.Trim(base.Path, "/")
	secure := base.Scheme == "https"
	name := "switchboard"
	switch {
	case secure && path == "/":
		// Browsers let no other host set a __Host- cookie, but demand that its path is "/".
		name = "__Host-" + name
	case secure:
		// Below a sub-path the neighbours on the same host should not be sent the cookie.
		name = "__Secure-" + name
	case base.Port() != "":
		// Cookies know no ports: two panels on one machine would sign each other out.
		name += "_" + base.Port()
	}
	return &cookies{store: store, name: name, address: address, options: sessions.Options{
		Path: path, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure,
	}}
}

// Get returns the session of r, looking it up once for each request.
func (c *cookies) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New looks the session of r up. Without a good cookie it is a new, anonymous one.
func (c *cookies) New(r *http.Request, name string) (*sessions.Session, error) {
	s := c.fresh(name)
	secret := ""
	if named := r.CookiesNamed(name); len(named) > 0 {
		secret = named[0].Value
	}
	if !isSecret(secret) {
		return s, nil
	}
	s.ID, s.IsNew = secret, false
	session, user, err := c.store.SessionByHash(r.Context(), hashSecret(secret), time.Now())
	if err == nil {
		user, err = reach(r.Context(), c.store, user)
	}
	switch {
	case err == nil:
		s.Values[valueUser], s.Values[valueSession] = user, session
	case fault.KindOf(err) == fault.NotFound:
		err = nil // an anonymous browser
	}
	return s, err
}

// Save writes the cookie of s; and if s belongs to a person and is new, its record. A
// negative MaxAge ends the session and removes the cookie.
func (c *cookies) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	session, signedIn := s.Values[valueSession].(Session)
	if s.Options.MaxAge < 0 {
		if signedIn {
			err := c.store.RevokeSession(r.Context(), session.UserID, session.ID, time.Now())
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		http.SetCookie(w, sessions.NewCookie(s.Name(), "", s.Options))
		return nil
	}
	if user, ok := s.Values[valueUser].(User); ok && s.IsNew {
		now := time.Now()
		session = Session{
			ID: newID(), UserID: user.ID, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(sessionIdle),
			UserAgent: clip(r.UserAgent(), 300), Address: clip(c.address(r), 64),
		}
		if err := c.store.AddSession(r.Context(), hashSecret(s.ID), session); err != nil {
			return err
		}
		s.Values[valueSession], s.IsNew = session, false
		s.Options.MaxAge = int(sessionLife / time.Second)
	}
	http.SetCookie(w, sessions.NewCookie(s.Name(), s.ID, s.Options))
	return nil
}

func (c *cookies) fresh(name string) *sessions.Session {
	s := sessions.NewSession(c, name)
	options := c.options
	s.Options, s.ID, s.IsNew = &options, newSecret(), true
	return s
}

// of is Get for the panel's own cookie, with the error that people may read.
func (c *cookies) of(r *http.Request) (*sessions.Session, error) {
	s, err := c.Get(r, c.name)
	return s, unavailable(err)
}

// unavailable turns what is not a fault into one that says the database is to blame, as
// it is for everything that a Store returns.
func unavailable(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return fault.Wrap(fault.Unavailable, "The control database does not answer. Please try again in a moment.", err)
}

// clip shortens what a browser says about itself to what is worth keeping.
func clip(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}
