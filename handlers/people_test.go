package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
)

// invite lets b invite somebody and returns the path of the invitation.
func (b *browser) invite(email string, role auth.Role, more ...string) string {
	b.site.t.Helper()
	got := b.post("/people", append(more, "email", email, "name", "Grace", "role", string(role))...)
	_, rest, found := strings.Cut(got.body, `data-testid="link-secret"`)
	if got.code != http.StatusCreated || found == false {
		b.site.t.Fatalf("invite: %d %s", got.code, got.body)
	}
	before := got.body[:len(got.body)-len(rest)]
	_, link, _ := strings.Cut(before[strings.LastIndex(before, "<input"):], `value="`)
	link, _, _ = strings.Cut(link, `"`)
	if !strings.HasPrefix(link, "/welcome/") {
		b.site.t.Fatalf("the link is %q", link)
	}
	return link
}

// accept chooses a password in a new browser.
func (s *site) accept(link, password string) *browser {
	s.t.Helper()
	b := s.browser()
	if got := b.get(link); got.code != http.StatusOK {
		s.t.Fatalf("open the invitation: %d %s", got.code, got.body)
	}
	token := strings.TrimPrefix(link, "/welcome/")
	if got := b.post("/welcome", "token", token, "name", "Grace", "password", password); got.code != http.StatusSeeOther {
		s.t.Fatalf("accept: %d %s", got.code, got.body)
	}
	b.get("/account")
	return b
}

func (s *site) userByEmail(email string) auth.User {
	s.t.Helper()
	all, err := s.auth.ListUsers(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range all {
		if u.Email == email {
			return u
		}
	}
	s.t.Fatalf("nobody has the address %s", email)
	return auth.User{}
}

func TestInvitedPersonSeesWhatTheyWereGiven(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.signedIn(auth.Owner)
	mine := connected(s.owner)
	other := mine
	other.ID, other.Name = "back_office_20260101120000", "Back office"
	s.numbers.set(mine)
	s.numbers.set(other)

	if got := owner.post("/people", "email", "nonsense", "role", "operator"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a bad address: %d", got.code)
	}
	if got := owner.post("/people", "email", "grace@example.org", "role", "operator", "number", "nothing"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a number that does not exist: %d", got.code)
	}
	link := owner.invite("grace@example.org", auth.Operator, "number", string(mine.ID))
	grace := s.accept(link, "copper lantern meadow")
	if got := s.browser().get(link); got.code != http.StatusNotFound {
		t.Errorf("the link a second time: %d", got.code)
	}
	list := grace.get("/")
	list.has(t, "Front desk")
	list.lacks(t, "Back office", `href="/people"`)
	if got := grace.post("/instances/" + string(mine.ID) + "/stop"); got.code != http.StatusSeeOther {
		t.Errorf("stop a number that was given: %d", got.code)
	}
	if got := grace.get("/instances/" + string(other.ID)); got.code != http.StatusNotFound {
		t.Errorf("a number that was not given: %d", got.code)
	}

	// A group in place of the number, and what is added to it later counts as well.
	if got := owner.post("/groups", "name", "Sales"); got.code != http.StatusSeeOther {
		t.Fatalf("make a group: %d", got.code)
	}
	groups, err := s.auth.Groups(t.Context())
	if err != nil || len(groups) != 1 {
		t.Fatal(groups, err)
	}
	page := "/people/" + strconv.FormatInt(s.userByEmail("grace@example.org").ID, 10)
	if got := owner.post(page, "name", "Grace H.", "role", "viewer", "group", groups[0].ID); got.code != http.StatusSeeOther {
		t.Fatalf("change a person: %d %s", got.code, got.body)
	}
	grace.get("/").lacks(t, "Front desk", "Back office")
	owner.post("/groups/"+groups[0].ID, "name", "Sales", "number", string(other.ID))
	grace.get("/").has(t, "Back office")
	if got := grace.post("/instances/" + string(other.ID) + "/stop"); got.code != http.StatusForbidden {
		t.Errorf("a viewer stops a number: %d", got.code)
	}
	owner.get(page).has(t, "Grace H.", `data-testid="session"`)

	// Switched off: out at the next click, and no way back in.
	if got := owner.post(page + "/disable"); got.code != http.StatusSeeOther {
		t.Fatalf("switch off: %d", got.code)
	}
	if got := grace.get("/"); got.code != http.StatusSeeOther {
		t.Errorf("whoever is switched off sees %d", got.code)
	}
	grace.get("/login")
	if got := grace.post("/login", "email", "grace@example.org", "password", "copper lantern meadow"); got.code != http.StatusUnauthorized {
		t.Errorf("signs in again: %d", got.code)
	}
	owner.post(page + "/enable")
	owner.post(page + "/delete")
	if got := owner.get(page); got.code != http.StatusNotFound {
		t.Errorf("a person who was removed: %d", got.code)
	}
}

func TestWhoManagesWhom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.signedIn(auth.Owner)
	admin := s.accept(owner.invite("grace@example.org", auth.Administrator), "copper lantern meadow")
	self := "/people/" + strconv.FormatInt(s.owner, 10)
	for what, got := range map[string]answer{
		"look at an owner":      admin.get(self),
		"make an owner":         admin.post("/people", "email", "eve@example.org", "role", "owner"),
		"demote an owner":       admin.post(self, "name", "Ada", "role", "viewer"),
		"link for an owner":     admin.post(self + "/link"),
		"switch an owner off":   admin.post(self + "/disable"),
		"remove an owner":       admin.post(self + "/delete"),
		"become one themselves": admin.post("/people/"+strconv.FormatInt(s.userByEmail("grace@example.org").ID, 10), "name", "Grace", "role", "owner"),
	} {
		if got.code != http.StatusForbidden {
			t.Errorf("an administrator may %s: %d", what, got.code)
		}
	}
	for what, got := range map[string]answer{
		"demotes":      owner.post(self, "name", "Ada", "role", "viewer"),
		"switches off": owner.post(self + "/disable"),
		"removes":      owner.post(self + "/delete"),
	} {
		if got.code != http.StatusConflict {
			t.Errorf("the last owner %s themselves: %d", what, got.code)
		}
	}
	operator := s.accept(admin.invite("hal@example.org", auth.Operator), "copper lantern meadow")
	for _, path := range []string{"/people", "/people/new", self, "/groups/new"} {
		if got := operator.get(path); got.code != http.StatusForbidden {
			t.Errorf("an operator sees %s: %d", path, got.code)
		}
	}
	if got := admin.get("/people/17"); got.code != http.StatusNotFound {
		t.Errorf("nobody's page: %d", got.code)
	}
}

func TestTokensAreNarrower(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	got := b.post("/account/tokens", "name", "Shop", "days", "90", "scope", "send", "number", string(known))
	if got.code != http.StatusCreated {
		t.Fatalf("make a token: %d %s", got.code, got.body)
	}
	_, secret, _ := strings.Cut(got.body, `value="`+auth.TokenPrefix)
	secret, _, _ = strings.Cut(secret, `"`)
	u, _, err := s.auth.ByToken(t.Context(), auth.TokenPrefix+secret)
	if err != nil {
		t.Fatal(err)
	}
	for scope, want := range map[auth.Scope]bool{auth.Read: false, auth.Send: true, auth.Manage: false, auth.Admin: false} {
		if u.May(scope) != want {
			t.Errorf("%s: %v, want %v", scope, !want, want)
		}
	}
	foreign := instances.Instance{ID: "back_office_20260101120000", Owner: s.owner}
	if v := u.Viewer(); !v.Sees(connected(s.owner)) || v.Sees(foreign) {
		t.Error("the token sees other numbers than its own")
	}
	if got := b.post("/account/tokens", "name", "Shop", "days", "90", "scope", "admin", "number", string(known)); got.code != http.StatusUnprocessableEntity {
		t.Errorf("admin for one number: %d", got.code)
	}
	if got := b.post("/account/tokens", "name", "Shop", "days", "90", "number", "nothing"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a number that does not exist: %d", got.code)
	}
}
