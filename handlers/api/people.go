package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
)

// person is how the API shows somebody who may sign in.
type person struct {
	ID         string         `json:"id"` // a number too large for some readers of JSON
	Email      string         `json:"email"`
	Name       string         `json:"name"`
	Role       auth.Role      `json:"role"`
	AllNumbers bool           `json:"all_numbers"`
	Numbers    []instances.ID `json:"numbers"`
	Groups     []string       `json:"groups"`
	Disabled   bool           `json:"disabled"`
	CreatedAt  *time.Time     `json:"created_at"`
	LastSeenAt *time.Time     `json:"last_seen_at"`
	// Link is the address of a page that sets a password, where one was just made.
	Link string `json:"link,omitempty"`
}

// group is a set of numbers that people are given together.
type group struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Numbers []instances.ID `json:"numbers"`
}

// token is a program's key to this API. The secret is in it only when it was just made.
type token struct {
	ID         string         `json:"id"`
	User       string         `json:"user"`
	Name       string         `json:"name"`
	Scopes     []auth.Scope   `json:"scopes"`
	Numbers    []instances.ID `json:"numbers"`
	CreatedAt  *time.Time     `json:"created_at"`
	ExpiresAt  *time.Time     `json:"expires_at"`
	LastUsedAt *time.Time     `json:"last_used_at"`
	RevokedAt  *time.Time     `json:"revoked_at"`
	Secret     string         `json:"secret,omitempty"`
}

// list makes an empty list of none, which reads better than null.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func (s *server) showPersonAs(r *http.Request, u auth.User) (person, error) {
	g, err := s.People.GrantOf(r.Context(), u)
	return person{
		ID: strconv.FormatInt(u.ID, 10), Email: u.Email, Name: u.Name, Role: u.Role,
		AllNumbers: g.All, Numbers: list(g.Numbers), Groups: list(g.Groups),
		Disabled: !u.DisabledAt.IsZero(), CreatedAt: moment(u.CreatedAt), LastSeenAt: moment(u.LastSeenAt),
	}, err
}

func (s *server) listPeople(w http.ResponseWriter, r *http.Request) error {
	all, err := s.People.ListUsers(r.Context())
	if err != nil {
		return err
	}
	out := make([]person, 0, len(all))
	for _, u := range all {
		p, err := s.showPersonAs(r, u)
		if err != nil {
			return err
		}
		out = append(out, p)
	}
	return writeJSON(w, http.StatusOK, out)
}

// somebody is the person in the path.
func (s *server) somebody(r *http.Request) (auth.User, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "user"), 10, 64)
	if err != nil {
		return auth.User{}, fault.New(fault.NotFound, "This person does not exist, or not any more.")
	}
	return s.People.Person(r.Context(), user(r), id)
}

func (s *server) showPerson(w http.ResponseWriter, r *http.Request) error {
	u, err := s.somebody(r)
	if err != nil {
		return err
	}
	p, err := s.showPersonAs(r, u)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, p)
}

// known returns the ids as those of numbers that exist.
func (s *server) known(r *http.Request, ids []instances.ID) error {
	for _, id := range ids {
		if _, err := s.Instances.Get(viewer(r), id); err != nil {
			return fault.InField("numbers", "There is no number with the id \""+string(id)+"\".")
		}
	}
	return nil
}

func (s *server) invitePerson(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Email   string         `json:"email"`
		Name    string         `json:"name"`
		Role    auth.Role      `json:"role"`
		All     bool           `json:"all_numbers"`
		Numbers []instances.ID `json:"numbers"`
		Groups  []string       `json:"groups"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.known(r, in.Numbers); err != nil {
		return err
	}
	u, secret, err := s.People.Invite(r.Context(), user(r), auth.NewUser{Email: in.Email, Name: in.Name, Role: in.Role},
		auth.Grant{All: in.All, Numbers: in.Numbers, Groups: in.Groups})
	if err != nil {
		return err
	}
	p, err := s.showPersonAs(r, u)
	if err != nil {
		return err
	}
	p.Link = s.URL + "/welcome/" + secret
	w.Header().Set("Location", s.BasePath+"/api/v1/users/"+p.ID)
	return writeJSON(w, http.StatusCreated, p)
}

func (s *server) changePerson(w http.ResponseWriter, r *http.Request) error {
	u, err := s.somebody(r)
	if err != nil {
		return err
	}
	var in struct {
		Name     *string         `json:"name"`
		Role     *auth.Role      `json:"role"`
		Disabled *bool           `json:"disabled"`
		All      *bool           `json:"all_numbers"`
		Numbers  *[]instances.ID `json:"numbers"`
		Groups   *[]string       `json:"groups"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	c := auth.Change{Name: in.Name, Role: in.Role, Disabled: in.Disabled}
	if in.All != nil || in.Numbers != nil || in.Groups != nil {
		g, err := s.People.GrantOf(r.Context(), u)
		if err != nil {
			return err
		}
		if in.All != nil {
			g.All = *in.All
		}
		if in.Numbers != nil {
			g.Numbers = *in.Numbers
			if err := s.known(r, g.Numbers); err != nil {
				return err
			}
		}
		if in.Groups != nil {
			g.Groups = *in.Groups
		}
		c.Grant = &g
	}
	if u, err = s.People.ChangeUser(r.Context(), user(r), u.ID, c); err != nil {
		return err
	}
	p, err := s.showPersonAs(r, u)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, p)
}

func (s *server) removePerson(w http.ResponseWriter, r *http.Request) error {
	u, err := s.somebody(r)
	if err != nil {
		return err
	}
	if err := s.People.RemoveUser(r.Context(), user(r), u.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) makePasswordLink(w http.ResponseWriter, r *http.Request) error {
	u, err := s.somebody(r)
	if err != nil {
		return err
	}
	secret, err := s.People.PasswordLink(r.Context(), user(r), u.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, map[string]string{"link": s.URL + "/welcome/" + secret})
}

func (s *server) listGroups(w http.ResponseWriter, r *http.Request) error {
	all, err := s.People.Groups(r.Context())
	if err != nil {
		return err
	}
	out := make([]group, 0, len(all))
	for _, g := range all {
		out = append(out, group{g.ID, g.Name, list(g.Numbers)})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) saveGroup(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name    string         `json:"name"`
		Numbers []instances.ID `json:"numbers"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.known(r, in.Numbers); err != nil {
		return err
	}
	g, err := s.People.SaveGroup(r.Context(), user(r), auth.Group{ID: chi.URLParam(r, "group"), Name: in.Name, Numbers: in.Numbers})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
	}
	return writeJSON(w, status, group{g.ID, g.Name, list(g.Numbers)})
}

func (s *server) removeGroup(w http.ResponseWriter, r *http.Request) error {
	if err := s.People.RemoveGroup(r.Context(), user(r), chi.URLParam(r, "group")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func showToken(t auth.Token) token {
	return token{
		ID: t.ID, User: t.UserEmail, Name: t.Name, Scopes: list(t.Scopes), Numbers: list(t.Numbers), CreatedAt: moment(t.CreatedAt),
		ExpiresAt: moment(t.ExpiresAt), LastUsedAt: moment(t.LastUsedAt), RevokedAt: moment(t.RevokedAt),
	}
}

func (s *server) listTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := s.People.ListTokens(r.Context(), r.URL.Query().Get("user"))
	if err != nil {
		return err
	}
	out := make([]token, 0, len(all))
	for _, t := range all {
		out = append(out, showToken(t))
	}
	return writeJSON(w, http.StatusOK, out)
}

// addToken makes a token for the person who asks, which may no more than the one they ask with:
// nobody becomes somebody else or mightier that way.
func (s *server) addToken(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name      string         `json:"name"`
		Scopes    []auth.Scope   `json:"scopes"`
		Numbers   []instances.ID `json:"numbers"`
		ExpiresAt time.Time      `json:"expires_at"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.known(r, in.Numbers); err != nil {
		return err
	}
	for _, scope := range auth.Scopes {
		if len(in.Scopes) > 0 && !slices.Contains(in.Scopes, scope) {
			continue
		}
		if err := user(r).Need(scope); err != nil {
			return err
		}
	}
	t, secret, err := s.People.AddToken(r.Context(), user(r).Email, auth.NewToken{Name: in.Name, Expires: in.ExpiresAt, Scopes: in.Scopes, Numbers: in.Numbers})
	if fault.FieldOf(err) == "expires" { // as forms call it
		return fault.InField("expires_at", fault.MessageOf(err))
	}
	if err != nil {
		return err
	}
	out := showToken(t)
	out.Secret = secret
	return writeJSON(w, http.StatusCreated, out)
}

// revokeToken revokes a token of anybody whom the person who asks may manage.
func (s *server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "token")
	all, err := s.People.ListTokens(r.Context(), "")
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(t auth.Token) bool { return t.ID == id }); i >= 0 {
		if _, err := s.People.Person(r.Context(), user(r), all[i].UserID); err != nil {
			return err
		}
	}
	if err := s.People.RevokeToken(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showAudit answers with a page of the audit log, the newest entry first.
func (s *server) showAudit(w http.ResponseWriter, r *http.Request) error {
	if s.Audit == nil {
		return fault.New(fault.NotFound, "No audit log is kept here.")
	}
	q := audit.Query{Text: r.URL.Query().Get("q"), Instance: r.URL.Query().Get("instance"), Limit: 100}
	for name, into := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := r.URL.Query().Get(name); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return fault.InField(name, "\""+name+"\" has to be a time such as 2026-11-26T12:00:00Z.")
			}
			*into = at
		}
	}
	for name, set := range map[string]func(int64){"before": func(n int64) { q.Before = n }, "limit": func(n int64) { q.Limit = int(min(n, 1000)) }} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 1 {
				return fault.InField(name, "\""+name+"\" has to be a whole number above 0.")
			}
			set(n)
		}
	}
	entries, err := s.Audit.Entries(r.Context(), q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(entries))
}
