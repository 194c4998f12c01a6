package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/views"
)

// What is said about links that open nothing (any more).
const (
	setupGone  = "A set-up link works once, and only the newest one does. If your account exists already, sign in; otherwise restart Switchboard for a new link."
	signInGone = "A sign-in link works once and for a quarter of an hour. Sign in with your password, or ask for a new link."
)

// linkToken is the secret of a one-time link, in the path or in the query.
func linkToken(r *http.Request) string {
	if token := chi.URLParam(r, "token"); token != "" {
		return token
	}
	return r.FormValue("token")
}

func (s *server) showSetup(w http.ResponseWriter, r *http.Request) error {
	token := linkToken(r)
	if err := s.Auth.CheckSetup(r.Context(), token); err != nil {
		return s.linkGone(w, r, err, setupGone)
	}
	return render(w, r, http.StatusOK, views.Setup(token, views.Form{}))
}

func (s *server) setup(w http.ResponseWriter, r *http.Request) error {
	token := linkToken(r)
	err := s.Auth.CreateOwner(w, r, token, r.PostFormValue("name"), r.PostFormValue("email"), r.PostFormValue("password"))
	if fault.KindOf(err) == fault.NotFound {
		return s.linkGone(w, r, err, setupGone)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return render(w, r, formStatus(err), views.Setup(token, views.Form{Values: typed(r, "name", "email"), Errors: problems}))
	}
	s.redirect(w, r, "/")
	return nil
}

func (s *server) showLogin(w http.ResponseWriter, r *http.Request) error {
	if _, ok := auth.UserFrom(r.Context()); ok {
		s.redirect(w, r, "/")
		return nil
	}
	open, err := s.Auth.SetupOpen(r.Context())
	if err != nil {
		return err
	}
	if open && r.FormValue("account") == "" {
		return render(w, r, http.StatusOK, views.SetupPending())
	}
	r, _ = s.withFlash(w, r)
	return s.renderLogin(w, r, http.StatusOK, local(r.FormValue("next")), views.Form{})
}

func (s *server) renderLogin(w http.ResponseWriter, r *http.Request, status int, next string, f views.Form) error {
	return render(w, r, status, views.Login(next, s.Auth.SingleSignOn(), f))
}

func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	next := local(r.PostFormValue("next"))
	err := s.entered(w, r, s.Auth.SignIn(w, r, r.PostFormValue("email"), r.PostFormValue("password")), next)
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderLogin(w, r, formStatus(err), next, views.Form{Values: typed(r, "email"), Errors: problems})
	}
	return nil
}

func (s *server) showLink(w http.ResponseWriter, r *http.Request) error {
	token := linkToken(r)
	if err := s.Auth.CheckSignInLink(r.Context(), token); err != nil {
		return s.linkGone(w, r, err, signInGone)
	}
	return render(w, r, http.StatusOK, views.SignInLink(token))
}

func (s *server) signInByLink(w http.ResponseWriter, r *http.Request) error {
	if err := s.entered(w, r, s.Auth.SignInByLink(w, r, linkToken(r)), "/"); err != nil {
		return s.linkGone(w, r, err, signInGone)
	}
	return nil
}

func (s *server) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.SignOut(w, r); err != nil {
		return err
	}
	s.setFlash(w, r, "signed-out")
	s.redirect(w, r, "/login")
	return nil
}

// linkGone answers a one-time link that opens nothing; any other error goes on.
func (s *server) linkGone(w http.ResponseWriter, r *http.Request, err error, message string) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	return render(w, r, http.StatusNotFound, views.LinkGone(message))
}

// local returns where to go after sign-in: a path of this panel, and no other place.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
