package handlers

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/views"
)

// Mailer sends one e-mail.
type Mailer interface {
	Send(ctx context.Context, to, subject, text string) error
}

// requireAdmin lets only those through who manage people.
func (s *server) requireAdmin(next http.Handler) http.Handler {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		if !person(r).May(auth.Admin) {
			return fault.New(fault.Forbidden, "Only owners and administrators see this. Ask one of them if you need to.")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

func person(r *http.Request) auth.User {
	user, _ := auth.UserFrom(r.Context())
	return user
}

// personID is the person in the path; what is no id is nobody's.
func personID(r *http.Request) int64 {
	id, _ := strconv.ParseInt(chi.URLParam(r, "person"), 10, 64)
	return id
}

func (s *server) listPeople(w http.ResponseWriter, r *http.Request) error {
	var p views.People
	var err error
	if p.All, err = s.Auth.ListUsers(r.Context()); err != nil {
		return err
	}
	if p.Groups, err = s.Auth.Groups(r.Context()); err != nil {
		return err
	}
	if p.Roles, err = s.Auth.SecondStepRoles(r.Context()); err != nil {
		return err
	}
	if p.Secured, err = s.Auth.WithSecondStep(r.Context()); err != nil {
		return err
	}
	p.By = person(r)
	r, _ = s.withFlash(w, r)
	return render(w, r, http.StatusOK, views.Everybody(p))
}

func (s *server) choice(r *http.Request, g auth.Grant) (views.Choice, error) {
	groups, err := s.Auth.Groups(r.Context())
	return views.Choice{Grant: g, Groups: groups, Numbers: s.Instances.List(viewer(r))}, err
}

// chosen is what a form gives to a person.
func (s *server) chosen(r *http.Request) (auth.Grant, error) {
	numbers, err := s.visible(r, r.PostForm["number"])
	return auth.Grant{All: r.PostFormValue("all") == "yes", Numbers: numbers, Groups: r.PostForm["group"]}, err
}

func (s *server) newPerson(w http.ResponseWriter, r *http.Request) error {
	return s.renderInvite(w, r, http.StatusOK, auth.Grant{}, views.Form{})
}

func (s *server) renderInvite(w http.ResponseWriter, r *http.Request, status int, g auth.Grant, f views.Form) error {
	c, err := s.choice(r, g)
	if err != nil {
		return err
	}
	return render(w, r, status, views.InvitePerson(person(r), c, f))
}

func (s *server) invitePerson(w http.ResponseWriter, r *http.Request) error {
	grant, err := s.chosen(r)
	var u auth.User
	var token string
	if err == nil {
		in := auth.NewUser{Email: r.PostFormValue("email"), Name: r.PostFormValue("name"), Role: auth.Role(r.PostFormValue("role"))}
		u, token, err = s.Auth.Invite(r.Context(), person(r), in, grant)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderInvite(w, r, formStatus(err), grant, views.Form{Values: typed(r, "email", "name", "role"), Errors: problems})
	}
	return s.renderLink(w, r, http.StatusCreated, u, token)
}

func (s *server) makePasswordLink(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Auth.Person(r.Context(), person(r), personID(r))
	if err != nil {
		return err
	}
	token, err := s.Auth.PasswordLink(r.Context(), person(r), u.ID)
	if err != nil {
		return err
	}
	return s.renderLink(w, r, http.StatusCreated, u, token)
}

// renderLink answers with the page itself, not with a redirect: the link is shown once and
// kept nowhere.
func (s *server) renderLink(w http.ResponseWriter, r *http.Request, status int, u auth.User, token string) error {
	p := views.Person{User: u, Link: s.URL + "/welcome/" + token}
	if s.Mail != nil {
		err := s.Mail.Send(r.Context(), u.Email, "Your Switchboard account",
			"Hello "+u.Name+",\n\nwith this link you choose your password for Switchboard. It works once:\n\n"+p.Link+"\n")
		if err != nil {
			s.Log.WarnContext(r.Context(), "send e-mail failed", "user", u.ID, "error", err)
		}
		p.Mailed = err == nil
	}
	return s.renderPerson(w, r, status, p)
}

func (s *server) showPerson(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Auth.Person(r.Context(), person(r), personID(r))
	if err != nil {
		return err
	}
	r, _ = s.withFlash(w, r)
	return s.renderPerson(w, r, http.StatusOK, views.Person{User: u})
}

func (s *server) renderPerson(w http.ResponseWriter, r *http.Request, status int, p views.Person) error {
	p.By = person(r)
	if p.Form.Values == nil {
		p.Form.Values = map[string]string{"name": p.User.Name}
	}
	grant, err := s.Auth.GrantOf(r.Context(), p.User)
	if err != nil {
		return err
	}
	if p.Choice, err = s.choice(r, grant); err != nil {
		return err
	}
	factors, err := s.Auth.FactorsOf(r.Context(), p.User)
	if err != nil {
		return err
	}
	p.Factors = factors.Any()
	if p.Sessions, err = s.Auth.Sessions(r.Context(), p.User); err != nil {
		return err
	}
	return render(w, r, status, views.Somebody(p))
}

func (s *server) changePerson(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Auth.Person(r.Context(), person(r), personID(r))
	if err != nil {
		return err
	}
	grant, err := s.chosen(r)
	if err == nil {
		name, role := r.PostFormValue("name"), auth.Role(r.PostFormValue("role"))
		_, err = s.Auth.ChangeUser(r.Context(), person(r), u.ID, auth.Change{Name: &name, Role: &role, Grant: &grant})
	}
	return s.afterPerson(w, r, u, err, func(f views.Form) views.Person {
		f.Values = typed(r, "name", "role")
		return views.Person{User: u, Form: f}
	})
}

// afterPerson leads back to the page of a person, or shows it with what was wrong.
func (s *server) afterPerson(w http.ResponseWriter, r *http.Request, u auth.User, err error, page func(views.Form) views.Person) error {
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return s.renderPerson(w, r, formStatus(err), page(views.Form{Errors: problems}))
	}
	s.setFlash(w, r, "person")
	s.redirect(w, r, "/people/"+strconv.FormatInt(u.ID, 10))
	return nil
}

// switchPerson turns an account on or off.
func (s *server) switchPerson(off bool) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		u, err := s.Auth.Person(r.Context(), person(r), personID(r))
		if err != nil {
			return err
		}
		_, err = s.Auth.ChangeUser(r.Context(), person(r), u.ID, auth.Change{Disabled: &off})
		return s.afterPerson(w, r, u, err, func(f views.Form) views.Person {
			return views.Person{User: u, Form: views.Form{Errors: f.Errors, Values: map[string]string{"name": u.Name}}}
		})
	}
}

func (s *server) deletePerson(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Auth.Person(r.Context(), person(r), personID(r))
	if err != nil {
		return err
	}
	if err := s.Auth.RemoveUser(r.Context(), person(r), u.ID); err != nil {
		return s.afterPerson(w, r, u, err, func(f views.Form) views.Person { return views.Person{User: u, Delete: f} })
	}
	s.setFlash(w, r, "person-gone")
	s.redirect(w, r, "/people")
	return nil
}

func (s *server) revokeSessionOf(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Auth.Person(r.Context(), person(r), personID(r))
	if err != nil {
		return err
	}
	err = s.Auth.RevokeSession(r.Context(), u, chi.URLParam(r, "session"))
	return s.afterPerson(w, r, u, err, func(f views.Form) views.Person { return views.Person{User: u, Form: f} })
}

func (s *server) newGroup(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, views.GroupPage(auth.Group{}, s.Instances.List(viewer(r)), views.Form{}))
}

func (s *server) group(r *http.Request) (auth.Group, error) {
	all, err := s.Auth.Groups(r.Context())
	if err != nil {
		return auth.Group{}, err
	}
	for _, g := range all {
		if g.ID == chi.URLParam(r, "group") {
			return g, nil
		}
	}
	return auth.Group{}, fault.New(fault.NotFound, "This group does not exist, or not any more.")
}

func (s *server) showGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.GroupPage(g, s.Instances.List(viewer(r)), views.Form{Values: map[string]string{"name": g.Name}}))
}

func (s *server) createGroup(w http.ResponseWriter, r *http.Request) error {
	return s.saveGroup(w, r, auth.Group{})
}

func (s *server) changeGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	return s.saveGroup(w, r, g)
}

func (s *server) saveGroup(w http.ResponseWriter, r *http.Request, g auth.Group) error {
	var err error
	g.Name = r.PostFormValue("name")
	if g.Numbers, err = s.visible(r, r.PostForm["number"]); err == nil {
		_, err = s.Auth.SaveGroup(r.Context(), person(r), g)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return render(w, r, formStatus(err), views.GroupPage(g, s.Instances.List(viewer(r)), views.Form{Values: typed(r, "name"), Errors: problems}))
	}
	s.setFlash(w, r, "group")
	s.redirect(w, r, "/people")
	return nil
}

func (s *server) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	if err := s.Auth.RemoveGroup(r.Context(), person(r), g.ID); err != nil {
		return err
	}
	s.setFlash(w, r, "group-gone")
	s.redirect(w, r, "/people")
	return nil
}

const welcomeGone = "This link was used already, or it is too old. Ask an administrator for a new one."

func (s *server) showWelcome(w http.ResponseWriter, r *http.Request) error {
	token := linkToken(r)
	u, err := s.Auth.CheckPasswordLink(r.Context(), token)
	if err != nil {
		return s.linkGone(w, r, err, welcomeGone)
	}
	return render(w, r, http.StatusOK, views.Welcome(u, token, views.Form{Values: map[string]string{"name": u.Name}}))
}

func (s *server) welcome(w http.ResponseWriter, r *http.Request) error {
	token := linkToken(r)
	u, err := s.Auth.CheckPasswordLink(r.Context(), token)
	if err == nil {
		err = s.entered(w, r, s.Auth.SetPasswordByLink(w, r, token, r.PostFormValue("name"), r.PostFormValue("password")), "/")
	}
	if fault.KindOf(err) == fault.NotFound {
		return s.linkGone(w, r, err, welcomeGone)
	}
	if err != nil {
		problems, ok := refused(err)
		if !ok {
			return err
		}
		return render(w, r, formStatus(err), views.Welcome(u, token, views.Form{Values: typed(r, "name"), Errors: problems}))
	}
	return nil
}
