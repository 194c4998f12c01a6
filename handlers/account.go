package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/views"
)

func (s *server) showAccount(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	return s.renderAccount(w, r, http.StatusOK, views.Account{})
}

func (s *server) renderAccount(w http.ResponseWriter, r *http.Request, status int, a views.Account) error {
	user, _ := auth.UserFrom(r.Context())
	session, _ := auth.SessionFrom(r.Context())
	a.User, a.Current = user, session.ID
	a.Numbers = s.Instances.List(viewer(r))
	var err error
	if a.Sessions, err = s.Auth.Sessions(r.Context(), user); err != nil {
		return err
	}
	tokens, err := s.Auth.ListTokens(r.Context(), user.Email)
	if err != nil {
		return err
	}
	a.Tokens = slices.DeleteFunc(tokens, func(t auth.Token) bool {
		return !t.RevokedAt.IsZero() || !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(time.Now())
	})
	return render(w, r, status, views.Me(a))
}

func (s *server) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.ChangePassword(w, r, r.PostFormValue("current"), r.PostFormValue("password")); err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderAccount(w, r, formStatus(err), views.Account{Password: views.Form{Errors: problems}})
	}
	s.setFlash(w, r, "password")
	s.redirect(w, r, "/account")
	return nil
}

func (s *server) revokeSession(w http.ResponseWriter, r *http.Request) error {
	user, _ := auth.UserFrom(r.Context())
	if err := s.Auth.RevokeSession(r.Context(), user, chi.URLParam(r, "session")); err != nil {
		return err
	}
	s.setFlash(w, r, "session")
	s.redirect(w, r, "/account")
	return nil
}

func (s *server) revokeOtherSessions(w http.ResponseWriter, r *http.Request) error {
	user, _ := auth.UserFrom(r.Context())
	session, _ := auth.SessionFrom(r.Context())
	if err := s.Auth.RevokeOtherSessions(r.Context(), user, session.ID); err != nil {
		return err
	}
	s.setFlash(w, r, "sessions")
	s.redirect(w, r, "/account")
	return nil
}

// createToken answers with the page itself, not with a redirect: the secret is shown once
// and kept nowhere.
func (s *server) createToken(w http.ResponseWriter, r *http.Request) error {
	user, _ := auth.UserFrom(r.Context())
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || days < 0 || days > 3650 {
		err = fault.New(fault.Invalid, "Choose how long the token works.")
	}
	var secret string
	if err == nil {
		var expires time.Time
		if days > 0 {
			expires = time.Now().AddDate(0, 0, days)
		}
		in := auth.NewToken{Name: r.PostFormValue("name"), Expires: expires}
		for _, scope := range r.PostForm["scope"] {
			in.Scopes = append(in.Scopes, auth.Scope(scope))
		}
		if in.Numbers, err = s.visible(r, r.PostForm["number"]); err == nil {
			_, secret, err = s.Auth.AddToken(r.Context(), user.Email, in)
		}
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderAccount(w, r, formStatus(err), views.Account{Token: views.Form{Values: typed(r, "name", "days"), Errors: problems}})
	}
	return s.renderAccount(w, r, http.StatusCreated, views.Account{Secret: secret})
}

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	user, _ := auth.UserFrom(r.Context())
	err := s.Auth.RevokeTokenOf(r.Context(), user, chi.URLParam(r, "token"))
	if fault.KindOf(err) == fault.NotFound {
		err = fault.Wrap(fault.NotFound, "This token does not exist. It may have been revoked already.", err)
	}
	if err != nil {
		return err
	}
	s.setFlash(w, r, "revoked")
	s.redirect(w, r, "/account")
	return nil
}

// visible returns the ids as those of numbers that the person sees; one that they do not see
// is a fault.Invalid in the field "number".
func (s *server) visible(r *http.Request, ids []string) ([]instances.ID, error) {
	var all []instances.ID
	for _, id := range ids {
		inst, err := s.Instances.Get(viewer(r), instances.ID(id))
		if err != nil {
			return nil, fault.InField("number", "One of these numbers does not exist any more. Choose again.")
		}
		all = append(all, inst.ID)
	}
	return all, nil
}
