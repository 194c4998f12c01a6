package gateway

import (
	"context"
	"net/http"
	"strings"

	"switchboard/audit"
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

// authenticate lets in who carries a good token, to what role and token allow.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if below(r.URL.Path) == health {
			next.ServeHTTP(w, r)
			return
		}
		secret := credential(r)
		if secret == "" {
			unauthorized(w, "Sign in with any user name and an API token as the password.")
			return
		}
		u, _, err := s.Auth.ByToken(r.Context(), secret)
		if err == nil {
			scope := auth.Scope(needs(r))
			e := audit.Of(r.Context())
			if e.Action = audit.Silent; scope == auth.Manage {
				e.Action = audit.Named(below(r.URL.Path)) // some of these come as GET
			}
			err = u.Need(scope)
		}
		switch {
		case fault.KindOf(err) == fault.Unauthenticated:
			unauthorized(w, fault.MessageOf(err))
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), contextKey{}, u))
		if err != nil {
			if inst, unknown := s.named(r); unknown == nil {
				audit.Of(r.Context()).Instance = string(inst.ID)
			}
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// credential returns the token that a request carries, "" without one. It is never taken
// from the address, which ends up in logs and histories; a browser, whose web sockets have
// no headers, sends it as one of the protocols it offers.
func credential(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			if secret, ok := strings.CutPrefix(strings.TrimSpace(offered), "bearer."); ok {
				return secret
			}
		}
	}
	return ""
}

func unauthorized(w http.ResponseWriter, message string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="Switchboard", charset="UTF-8"`)
	respond(w, http.StatusUnauthorized, envelope{Code: codeAuthentication, Message: message})
}
