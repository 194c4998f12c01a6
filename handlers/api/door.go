package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
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

// authenticate lets in who carries a good token, and nobody to change things whose role
// only allows to look.
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
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !u.MayChange() {
			s.fail(w, r, errOnlyLooks)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, u)))
	})
}

var errOnlyLooks = fault.New(fault.Forbidden, "The person this token belongs to may look, but not change anything. Ask an administrator for another role.")

func bearer(r *http.Request) (string, bool) {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	return secret, ok && strings.EqualFold(scheme, "Bearer") && secret != ""
}
