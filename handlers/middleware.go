package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/views"
)

const (
	maxBody     = 64 << 10         // of a form: the longest message and a passkey's answer fit many times
	maxDuration = 60 * time.Second // of one request: WhatsApp's servers may take a while to answer
)

// csp allows what the panel itself serves, and nothing inline.
const csp = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// below serves next below BasePath. Proxies that cut the sub-path off are fine too.
func (s *server) below(next http.Handler) http.Handler {
	if s.BasePath == "" {
		return next
	}
	stripped := http.StripPrefix(s.BasePath, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == s.BasePath:
			http.Redirect(w, r, s.BasePath+"/", http.StatusMovedPermanently)
		case strings.HasPrefix(r.URL.Path, s.BasePath+"/"):
			stripped.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *server) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanic turns a panic into an ordinary internal error, logged with its stack.
func (s *server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v) // asked for by the handler; net/http knows it
			default:
				s.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func (s *server) limitTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), maxDuration)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// withShell gives the views what every page shares. It has to come after the session.
func (s *server) withShell(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(views.With(r.Context(), s.shell(r))))
	})
}

func (s *server) shell(r *http.Request) views.Shell {
	user, _ := auth.UserFrom(r.Context())
	return views.Shell{
		Base: s.BasePath, CSRFField: auth.CSRFField, CSRF: s.Auth.CSRF(r),
		Person: user.Name, MayChange: user.MayChange(), Manages: user.ManagesPeople(),
		Simulated: s.Simulated, PhoneURL: s.PhoneURL, Version: s.Version, Now: time.Now(),
	}
}

// checkForm refuses a change without the token of the page that it should come from, and
// a form that cannot be read.
func (s *server) checkForm(next http.Handler) http.Handler {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			if err := s.Auth.CheckCSRF(r); err != nil {
				// A browser whose cookie has run out has no token either, and one that signed in
				// again has another. The pages before the panel, whose forms anybody sends, say
				// what is wrong with them.
				if fault.KindOf(err) != fault.Forbidden || s.pageAt(r.Referer()) == "" || before(r.URL.Path) {
					return err
				}
				if _, signedIn := auth.UserFrom(r.Context()); !signedIn {
					s.toLogin(w, r)
					return nil
				}
				if held, failed := s.hold(w, r); held {
					return failed
				}
				return err
			}
			if err := readForm(r); err != nil {
				return err
			}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// before tells whether a path is one of those that lead into the panel.
func before(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.Contains([]string{"setup", "login", "sign-in", "welcome", "logout"}, first)
}

func readForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fault.Wrap(fault.TooLarge, "This form holds more than can be taken. Please shorten it.", err)
	case err != nil:
		return fault.Wrap(fault.Invalid, "This form could not be read. Please reload the page and try again.", err)
	}
	return nil
}

// requirePerson sends whoever is not signed in to the sign-in page, and back afterwards.
func (s *server) requirePerson(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := auth.UserFrom(r.Context()); !ok {
			s.toLogin(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// toLogin leads back to the page afterwards. Somebody who was at work is told what happened,
// and keeps what was typed.
func (s *server) toLogin(w http.ResponseWriter, r *http.Request) {
	if held, err := s.hold(w, r); held {
		if err != nil {
			s.Log.ErrorContext(r.Context(), "page failed", "error", err)
		}
		return
	}
	path, next := "/login", r.URL.RequestURI()
	switch {
	case isFragment(r):
		next = s.pageAt(r.Header.Get("HX-Current-URL"))
	case r.Method != http.MethodGet:
		next = s.pageAt(r.Referer())
	}
	if isFragment(r) || r.Method != http.MethodGet {
		s.setFlash(w, r, "session-ended")
	}
	if next != "" && next != "/" {
		path += "?next=" + url.QueryEscape(next)
	}
	if isFragment(r) {
		w.Header().Set("HX-Redirect", s.BasePath+path)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.redirect(w, r, path)
}

// pageAt is the panel's own path of an address that a browser gave, "" if there is none.
func (s *server) pageAt(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	path, below := strings.CutPrefix(u.RequestURI(), s.BasePath)
	if !below {
		return ""
	}
	return local(path)
}

// requireChanger lets only those through who may do more than look.
func (s *server) requireChanger(next http.Handler) http.Handler {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		if user, _ := auth.UserFrom(r.Context()); !user.MayChange() {
			return errOnlyLooks
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

var errOnlyLooks = fault.New(fault.Forbidden, "Your account may look, but not change anything. Ask an administrator if you need to.")
