package handlers

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/qrcode"
	"switchboard/views"
)

// entered leads on after a step of signing in: to next, or to the second step.
func (s *server) entered(w http.ResponseWriter, r *http.Request, err error, next string) error {
	if errors.Is(err, auth.ErrSecondFactor) {
		s.redirect(w, r, "/login/second?next="+url.QueryEscape(next))
		return nil
	}
	if err == nil {
		s.flashCookie(w, "", -1) // a page that is still open in another tab may have said that the sign-in has ended
		s.redirect(w, r, next)
	}
	return err
}

func (s *server) showSecond(w http.ResponseWriter, r *http.Request) error {
	return s.renderSecond(w, r, http.StatusOK, local(r.FormValue("next")), views.Form{})
}

func (s *server) renderSecond(w http.ResponseWriter, r *http.Request, status int, next string, f views.Form) error {
	u, err := s.Auth.Pending(r)
	if fault.KindOf(err) == fault.NotFound {
		s.redirect(w, r, "/login")
		return nil
	}
	if err != nil {
		return err
	}
	factors, err := s.Auth.FactorsOf(r.Context(), u)
	if err != nil {
		return err
	}
	return render(w, r, status, views.SecondStep(next, factors, f))
}

func (s *server) second(w http.ResponseWriter, r *http.Request) error {
	next := local(r.PostFormValue("next"))
	err := s.Auth.SecondFactor(w, r, r.PostFormValue("code"))
	if fault.KindOf(err) == fault.NotFound {
		s.redirect(w, r, "/login")
		return nil
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderSecond(w, r, formStatus(err), next, views.Form{Errors: problems})
	}
	s.redirect(w, r, next)
	return nil
}

// sendJSON answers a script of the panel's own pages.
func sendJSON(w http.ResponseWriter, data []byte) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // the browser has gone
	return nil
}

func (s *server) beginPasskeySignIn(w http.ResponseWriter, r *http.Request) error {
	options, err := s.Auth.BeginPasskeySignIn(r)
	if err != nil {
		return err
	}
	return sendJSON(w, options)
}

func (s *server) passkeySignIn(w http.ResponseWriter, r *http.Request) error {
	next := local(r.PostFormValue("next"))
	if err := s.Auth.SignInByPasskey(w, r, []byte(r.PostFormValue("credential"))); err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderLogin(w, r, formStatus(err), next, views.Form{Errors: map[string]string{"": or1(problems)}})
	}
	s.redirect(w, r, next)
	return nil
}

// or1 is any one of several problems.
func or1(problems map[string]string) string {
	for _, text := range problems {
		return text
	}
	return ""
}

func (s *server) beginSingleSignOn(w http.ResponseWriter, r *http.Request) error {
	address, err := s.Auth.BeginSingleSignOn(r, local(r.FormValue("next")))
	if fault.KindOf(err) == fault.Unavailable {
		return s.renderLogin(w, r, http.StatusServiceUnavailable, local(r.FormValue("next")), views.Form{Errors: map[string]string{"": fault.MessageOf(err)}})
	}
	if err != nil {
		return err
	}
	//nolint:gosec // the address is the provider's, which the configuration names
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

func (s *server) singleSignOn(w http.ResponseWriter, r *http.Request) error {
	next, err := s.Auth.SignInBySSO(w, r, r.FormValue("state"), r.FormValue("code"))
	if kind := fault.KindOf(err); kind == fault.Unauthenticated || kind == fault.Unavailable {
		return s.renderLogin(w, r, formStatus(err), "/", views.Form{Errors: map[string]string{"": fault.MessageOf(err)}})
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, local(next))
	return nil
}

func (s *server) showSecurity(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	return s.renderSecurity(w, r, http.StatusOK, views.Security{})
}

func (s *server) renderSecurity(w http.ResponseWriter, r *http.Request, status int, p views.Security) error {
	p.User = person(r)
	var err error
	if p.Factors, err = s.Auth.FactorsOf(r.Context(), p.User); err != nil {
		return err
	}
	session, _ := auth.SessionFrom(r.Context())
	p.Needed = session.LacksSecondStep && !p.Factors.Any()
	return render(w, r, status, views.Secure(p))
}

// confirmed runs do when the form holds the person's password; what either refuses is shown
// on the page, in the form that set puts it into.
func (s *server) confirmed(set func(*views.Security, views.Form), do func(w http.ResponseWriter, r *http.Request, p *views.Security) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		var p views.Security
		err := s.Auth.Confirm(w, r, r.PostFormValue("current"))
		if err == nil {
			err = do(w, r, &p)
		}
		if err != nil {
			problems, ok := refused(err)
			if !ok {
				return err
			}
			set(&p, views.Form{Errors: problems})
			return s.renderSecurity(w, r, formStatus(err), p)
		}
		if p.Seed == "" && len(p.Codes) == 0 {
			s.setFlash(w, r, "security")
			s.redirect(w, r, "/account/security")
			return nil
		}
		return s.renderSecurity(w, r, http.StatusOK, p)
	}
}

func appForm(p *views.Security, f views.Form) { p.App = f }

func (s *server) beginTOTP(_ http.ResponseWriter, r *http.Request, p *views.Security) (err error) {
	if p.Seed, p.QR, err = s.newTOTP(r); err != nil {
		return err
	}
	return nil
}

func (s *server) newTOTP(r *http.Request) (seed, picture string, err error) {
	seed, address, err := s.Auth.NewTOTP(r.Context(), person(r))
	if err != nil {
		return "", "", err
	}
	picture, err = qrcode.SVG(address)
	return seed, picture, err
}

func (s *server) confirmTOTP(w http.ResponseWriter, r *http.Request) error {
	codes, err := s.Auth.ConfirmTOTP(r.Context(), person(r), r.PostFormValue("code"))
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderSecurity(w, r, formStatus(err), views.Security{Confirm: views.Form{Errors: problems}, Begun: true})
	}
	return s.renderSecurity(w, r, http.StatusOK, views.Security{Codes: codes})
}

func (s *server) removeTOTP(_ http.ResponseWriter, r *http.Request, _ *views.Security) error {
	return s.Auth.RemoveTOTP(r.Context(), person(r))
}

func (s *server) newCodes(_ http.ResponseWriter, r *http.Request, p *views.Security) (err error) {
	p.Codes, err = s.Auth.NewRecoveryCodes(r.Context(), person(r))
	return err
}

// beginPasskey asks for the password first; the script sends what stands in the form.
func (s *server) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.Confirm(w, r, r.PostFormValue("current")); err != nil {
		return err
	}
	options, err := s.Auth.BeginPasskey(r)
	if err != nil {
		return err
	}
	return sendJSON(w, options)
}

func (s *server) addPasskey(w http.ResponseWriter, r *http.Request) error {
	if err := s.Auth.AddPasskey(r, r.PostFormValue("name"), []byte(r.PostFormValue("credential"))); err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderSecurity(w, r, formStatus(err), views.Security{Key: views.Form{Values: typed(r, "name"), Errors: problems}})
	}
	s.setFlash(w, r, "security")
	s.redirect(w, r, "/account/security")
	return nil
}

func (s *server) removePasskey(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "passkey")
	form := func(p *views.Security, f views.Form) { p.Removing, p.Remove = id, f }
	return s.confirmed(form, func(http.ResponseWriter, *http.Request, *views.Security) error {
		return s.Auth.RemovePasskey(r.Context(), person(r), id)
	})(w, r)
}

func (s *server) resetFactors(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Auth.Person(r.Context(), person(r), personID(r))
	if err != nil {
		return err
	}
	err = s.Auth.ResetFactors(r.Context(), person(r), u.ID)
	return s.afterPerson(w, r, u, err, func(f views.Form) views.Person { return views.Person{User: u, Form: f} })
}
