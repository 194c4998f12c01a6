package auth

import (
	"context"
	"errors"
	"net/http"
	"time"
)

var errSoon = errors.New("not built yet")

// Store is declared soon.
type Store interface{}

// Names of the CSRF token in a form and in a header.
const (
	CSRFField  = "csrf_token"
	CSRFHeader = "X-CSRF-Token"
)

// Middleware finds out who sends a request and puts person and session into its context,
// for UserFrom and SessionFrom; it lets everybody through. A browser without a cookie gets
// one, so that its first form has a CSRF token. When the store cannot be asked, fail answers
// with a fault.Unavailable and the request goes no further.
func (a *Auth) Middleware(fail func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return next }
}

// UserFrom returns the person who is signed in, false if nobody is.
func UserFrom(ctx context.Context) (User, bool) { return User{}, false }

// SessionFrom returns the session of the person who is signed in, false if nobody is.
func SessionFrom(ctx context.Context) (Session, bool) { return Session{}, false }

// CSRF returns the token that forms (CSRFField) and htmx (CSRFHeader) have to send back.
func (a *Auth) CSRF(r *http.Request) string { return "" }

// CheckCSRF returns a fault.Forbidden unless r carries the token of its own cookie.
func (a *Auth) CheckCSRF(r *http.Request) error { return errSoon }

// SignIn checks e-mail and password and starts a new session; an earlier one of this browser ends.
// A refusal is a fault.Unauthenticated; too many attempts are a fault.Throttled whose message names
// the waiting time, and the header Retry-After is set on w.
func (a *Auth) SignIn(w http.ResponseWriter, r *http.Request, email, password string) error {
	return errSoon
}

// SignOut ends the session of this browser.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) error { return errSoon }

// SetupOpen reports whether the installation still waits for its owner.
func (a *Auth) SetupOpen(ctx context.Context) (bool, error) { return false, errSoon }

// SetupLink makes a new setup token, and the old one invalid; "" when an owner exists.
func (a *Auth) SetupLink(ctx context.Context) (token string, err error) { return "", errSoon }

// CheckSetup returns a fault.NotFound unless token is the present setup token and no owner exists.
func (a *Auth) CheckSetup(ctx context.Context, token string) error { return errSoon }

// CreateOwner makes the owner and signs them in. Bad input is a fault.Invalid for each field
// ("name", "email", "password"), joined: fault.Fields lists them.
func (a *Auth) CreateOwner(w http.ResponseWriter, r *http.Request, token, name, email, password string) error {
	return errSoon
}

// SignInLink makes a one-time token that signs the person with that e-mail in, for 15 minutes.
func (a *Auth) SignInLink(ctx context.Context, email string) (token string, err error) {
	return "", errSoon
}

// CheckSignInLink returns a fault.NotFound unless token would sign somebody in. It does not use it up.
func (a *Auth) CheckSignInLink(ctx context.Context, token string) error { return errSoon }

// SignInByLink uses token up and starts a new session. Call it for a POST only.
func (a *Auth) SignInByLink(w http.ResponseWriter, r *http.Request, token string) error {
	return errSoon
}

// Sessions returns the person's live sessions, the last seen first.
func (a *Auth) Sessions(ctx context.Context, user User) ([]Session, error) { return nil, errSoon }

// RevokeSession ends one of the person's sessions; an unknown id is a fault.NotFound.
func (a *Auth) RevokeSession(ctx context.Context, user User, id string) error { return errSoon }

// AddUser makes a person.
func (a *Auth) AddUser(ctx context.Context, in NewUser) (User, error) { return User{}, errSoon }

// ListUsers returns everybody, oldest first.
func (a *Auth) ListUsers(ctx context.Context) ([]User, error) { return nil, errSoon }

// SetPassword changes the password of the person with that e-mail and ends all their sessions.
func (a *Auth) SetPassword(ctx context.Context, email, password string) error { return errSoon }

// AddToken makes an API token for the person with that e-mail. The secret is returned this
// once. A zero expires means never.
func (a *Auth) AddToken(ctx context.Context, email, name string, expires time.Time) (Token, string, error) {
	return Token{}, "", errSoon
}

// ListTokens returns the tokens of the person with that e-mail, oldest first.
func (a *Auth) ListTokens(ctx context.Context, email string) ([]Token, error) { return nil, errSoon }

// RevokeToken makes a token useless; an unknown id is a fault.NotFound.
func (a *Auth) RevokeToken(ctx context.Context, id string) error { return errSoon }

// ByToken returns the person that a token's secret belongs to, a fault.Unauthenticated if nobody.
func (a *Auth) ByToken(ctx context.Context, secret string) (User, Token, error) {
	return User{}, Token{}, errSoon
}
