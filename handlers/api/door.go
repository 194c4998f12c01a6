package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/keys"
)

type contextKey struct{}

func viewer(r *http.Request) instances.Viewer { return user(r).Viewer() }

func user(r *http.Request) auth.User {
	u, _ := r.Context().Value(contextKey{}).(auth.User)
	return u
}

func instanceID(r *http.Request) instances.ID { return instances.ID(chi.URLParam(r, "id")) }

// headers keeps answers, which may hold pairing codes, out of every cache.
func (s *server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// authenticate lets in who carries a good token, to what role and token allow.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret, ok := bearer(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="Switchboard"`)
			s.fail(w, r, fault.New(fault.Unauthenticated,
				"Send an API token in the header Authorization, as \"Bearer swb_...\". The command token add makes one."))
			return
		}
		u, _, err := s.Auth.ByToken(r.Context(), secret)
		if err != nil {
			if fault.KindOf(err) == fault.Unauthenticated {
				w.Header().Set("WWW-Authenticate", `Bearer realm="Switchboard", error="invalid_token"`)
			}
			s.fail(w, r, err)
			return
		}
		scope := needs(r)
		if scope == auth.Send || scope == auth.Read {
			audit.Of(r.Context()).Action = audit.Silent
		} else if _, own, ok := strings.Cut(r.URL.Path, "/api/v1/instances/"); ok {
			if _, path, ok := strings.Cut(own, "/api/"); ok {
				audit.Of(r.Context()).Action = audit.Named(path) // some of these come as GET
			}
		}
		if err := u.Need(scope); err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, u)))
	})
}

// needs says what a request does: reading is reading, and everything else manages, save what
// goes to a number's own API, which knows better.
func needs(r *http.Request) auth.Scope {
	path := r.URL.EscapedPath()
	if mounted := chi.RouteContext(r.Context()); mounted != nil && mounted.RoutePath != "" {
		path = mounted.RoutePath
	}
	if rest, ok := strings.CutPrefix(path, "/instances/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		own, below, _ := strings.Cut(rest, "/")
		switch own {
		case "chat", "message", "user", "newsletter", "community": // the number's own, in this API's words
			own, below = "api", rest
		case "limits": // everybody who sees the number may read them
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				return auth.Admin
			}
		case "messages", "queue":
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				return auth.Send
			}
		}
		if own == "api" {
			plain, err := url.PathUnescape(below) // "%61pp" is "app" to whoever answers
			if err != nil {
				return auth.Manage
			}
			return auth.Scope(keys.ScopeOf(r.Method, plain, r.URL.Query()))
		}
	}
	switch first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); first {
	case "users", "second-step", "groups", "tokens", "audit", "webhooks":
		return auth.Admin
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return auth.Read
	}
	return auth.Manage
}

func bearer(r *http.Request) (string, bool) {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	return secret, ok && strings.EqualFold(scheme, "Bearer") && secret != ""
}
