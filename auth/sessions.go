package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"switchboard/audit"
	"switchboard/fault"
)

type contextKey struct{}

// visit is what the middleware found out about a request.
type visit struct {
	secret   string // the cookie's
	signedIn bool
	user     User
	session  Session
}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(contextKey{}).(visit)
	return v
}

// UserFrom returns the person who is signed in, false if nobody is.
func UserFrom(ctx context.Context) (User, bool) {
	v := visitOf(ctx)
	return v.user, v.signedIn
}

// SessionFrom returns the session of the person who is signed in, false if nobody is.
func SessionFrom(ctx context.Context) (Session, bool) {
	v := visitOf(ctx)
	return v.session, v.signedIn
}

// Middleware finds out who sends a request and puts person and session into its context,
// for UserFrom and SessionFrom; it lets everybody through. A browser without a cookie gets
// one with its first page, so that the first form has a CSRF token. When the store cannot
// be asked, fail answers with a fault.Unavailable and the request goes no further.
func (a *Auth) Middleware(fail func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := a.cookies.of(r)
			if err != nil {
				fail(w, r, err)
				return
			}
			v := visit{secret: s.ID}
			v.user, v.signedIn = s.Values[valueUser].(User)
			v.session, _ = s.Values[valueSession].(Session)
			if v.signedIn {
				by(r.Context(), v.user)
				v.session = a.touch(r, v.session)
			} else if s.IsNew && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
				if err := s.Save(r, w); err != nil {
					fail(w, r, unavailable(err))
					return
				}
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, v)))
		})
	}
}

// by tells the audit log who a request is from.
func by(ctx context.Context, u User) *audit.Entry {
	e := audit.Of(ctx)
	e.User, e.Who = u.ID, u.Email
	return e
}

// touch notes that a session is in use, at most once a minute.
func (a *Auth) touch(r *http.Request, s Session) Session {
	now := time.Now()
	if now.Sub(s.LastSeenAt) < touchEvery {
		return s
	}
	s.LastSeenAt, s.Address = now, clip(a.address(r), 64)
	s.ExpiresAt = now.Add(sessionIdle)
	if end := s.CreatedAt.Add(sessionLife); end.Before(s.ExpiresAt) {
		s.ExpiresAt = end
	}
	if err := a.store.TouchSession(r.Context(), s); err != nil {
		a.log.Error("cannot note that a session is in use", "session", s.ID, "error", err)
	}
	return s
}

var errWrong = &fault.Error{Kind: fault.Unauthenticated, Field: "password",
	Message: "The e-mail address or the password is wrong."}

// SignIn checks e-mail address and password and starts a new session; an earlier one of
// this browser ends. A refusal is a fault.Unauthenticated that does not tell which of the
// two was wrong; an empty field is a fault.Invalid. After several failures it is a
// fault.Throttled, whose message names the waiting time, and the header Retry-After is set.
// Where a second factor has to follow it is ErrSecondFactor.
func (a *Auth) SignIn(w http.ResponseWriter, r *http.Request, email, password string) error {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return fault.InField("email", "Enter your e-mail address.")
	}
	if password == "" {
		return fault.InField("password", "Enter your password.")
	}
	user, err := a.verify(w, r, email, password)
	if err != nil {
		return err
	}
	return a.enter(w, r, user)
}

// verify returns the person with that e-mail address and password, and counts the attempt.
func (a *Auth) verify(w http.ResponseWriter, r *http.Request, email, password string) (User, error) {
	if len(email) > longestEmail || len(password) > longestPassword || !printable(email) {
		return User{}, errWrong // and not worth a hash: nobody can have these
	}
	address := a.address(r)
	known, err := a.store.KnownAddress(r.Context(), email, address)
	if err != nil {
		return User{}, unavailable(err)
	}
	try := newAttempt()
	try.from(address)
	if !known {
		try.at(email)
	}
	if wait := a.throttle.begin(try, time.Now()); wait > 0 {
		a.log.Warn("sign-in throttled", "address", address, "wait", wait)
		return User{}, a.throttled(w, wait)
	}
	user, hash, err := a.store.UserByEmail(r.Context(), email)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		a.throttle.forgive(try)
		return User{}, unavailable(err)
	}
	ok, outdated, err := a.hasher.verify(r.Context(), hash, password)
	if err != nil {
		a.throttle.forgive(try)
		return User{}, err
	}
	if !ok {
		// An unknown address is left out: it may be a password that was typed into the wrong field.
		by(r.Context(), user).Action = "sign-in.refused"
		a.log.Warn("sign-in refused", "address", address)
		return User{}, errWrong
	}
	a.throttle.forgive(try)
	if !user.DisabledAt.IsZero() {
		return User{}, fault.New(fault.Unauthenticated, "This account is switched off. Ask an administrator.")
	}
	if outdated {
		a.rehash(r.Context(), user, hash, password)
	}
	return user, nil
}

// rehash renews a hash that was made with earlier parameters. The sign-in does not fail
// over it.
func (a *Auth) rehash(ctx context.Context, user User, old, password string) {
	hash, err := a.hasher.hash(ctx, password)
	if err == nil {
		err = a.store.Rehash(ctx, user.ID, old, hash)
	}
	if err != nil {
		a.log.Error("cannot renew a password hash", "user", user.ID, "error", err)
	}
}

// start begins a session with a token that nobody has seen before, whatever cookie the
// browser came with, and ends the one it had.
func (a *Auth) start(w http.ResponseWriter, r *http.Request, user User) error {
	if old, ok := SessionFrom(r.Context()); ok {
		err := a.store.RevokeSession(r.Context(), old.UserID, old.ID, time.Now())
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return unavailable(err)
		}
	}
	s := a.cookies.fresh(a.cookies.name)
	s.Values[valueUser] = user
	if err := s.Save(r, w); err != nil {
		return unavailable(err)
	}
	if e := by(r.Context(), user); e.Action == "" {
		e.Action = "sign-in"
	}
	a.log.Info("signed in", "user", user.ID, "address", a.address(r))
	return nil
}

// SignOut ends the session of this browser and removes its cookie. It is no error if there
// is none.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) error {
	s, err := a.cookies.of(r)
	if err != nil {
		return err
	}
	s.Options.MaxAge = -1
	if _, ok := UserFrom(r.Context()); ok {
		audit.Of(r.Context()).Action = "sign-out"
	}
	return unavailable(s.Save(r, w))
}

// Sessions returns the person's live sessions, the last seen first.
func (a *Auth) Sessions(ctx context.Context, user User) ([]Session, error) {
	all, err := a.store.SessionsOf(ctx, user.ID, time.Now())
	return all, unavailable(err)
}

// RevokeOtherSessions ends all of the person's sessions but keep, at their next request.
func (a *Auth) RevokeOtherSessions(ctx context.Context, user User, keep string) error {
	all, err := a.Sessions(ctx, user)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.ID == keep {
			continue
		}
		// One that has ended meanwhile is what was asked for.
		if err := a.RevokeSession(ctx, user, s.ID); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// RevokeSession ends one of the person's sessions at its next request. An id that is not
// one of theirs is a fault.NotFound.
func (a *Auth) RevokeSession(ctx context.Context, user User, id string) error {
	return unavailable(a.store.RevokeSession(ctx, user.ID, id, time.Now()))
}
