package handlers

import (
	"net/http"
	"strings"

	"switchboard/auth"
	"switchboard/fault"
)

// leadToSecondStep keeps whoever has to set up a second step from everything but that.
func (s *server) leadToSecondStep(next http.Handler) http.Handler {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		session, _ := auth.SessionFrom(r.Context())
		if !session.LacksSecondStep || setsUpSecondStep(r.URL.Path) {
			next.ServeHTTP(w, r)
			return nil
		}
		switch {
		case isFragment(r):
			w.Header().Set("HX-Redirect", s.BasePath+"/account/security")
			w.WriteHeader(http.StatusForbidden)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			s.redirect(w, r, "/account/security")
		default:
			return fault.New(fault.Forbidden, "Set up a second step first, on the page Account. Nothing was changed.")
		}
		return nil
	})
}

func setsUpSecondStep(path string) bool {
	for _, begin := range []string{"/account/security", "/account/totp", "/account/passkeys"} {
		if path == begin || strings.HasPrefix(path, begin+"/") {
			return true
		}
	}
	return false
}

// requireSecondStep takes the form of the page of all people.
func (s *server) requireSecondStep(w http.ResponseWriter, r *http.Request) error {
	var roles []auth.Role
	for _, role := range r.PostForm["role"] {
		roles = append(roles, auth.Role(role))
	}
	if err := s.Auth.RequireSecondStep(r.Context(), person(r), roles); err != nil {
		return err
	}
	s.setFlash(w, r, "second-step")
	s.redirect(w, r, "/people")
	return nil
}
