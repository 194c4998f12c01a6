package handlers

import (
	"net/http"
	"strings"
	"testing"

	"switchboard/auth"
)

// Whoever has to have a second step and has none can set one up, and do nothing else.
func TestSecondStepIsRequired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.numbers.set(connected(99))
	if _, err := s.auth.AddUser(t.Context(), auth.NewUser{Email: "grace@example.org", Name: "Grace", Role: auth.Owner, Password: password}); err != nil {
		t.Fatal(err)
	}
	b := s.signedIn(auth.Operator)
	_, token, err := s.auth.AddToken(t.Context(), email, auth.NewToken{Name: "Shop", Expires: noExpiry})
	if err != nil {
		t.Fatal(err)
	}

	owner := s.browser()
	owner.get("/login?account=yes")
	owner.post("/login", "email", "grace@example.org", "password", password)
	owner.get("/people").has(t, "Operators (1 without)", "Viewers<")
	if got := owner.post("/people/second-step", "role", "operator", "role", "nonsense"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a role that there is not: %d", got.code)
	}
	if got := b.get("/"); got.code != http.StatusOK {
		t.Errorf("before it is required: %d", got.code)
	}
	if got := owner.post("/people/second-step", "role", "operator"); got.header.Get("Location") != "/people" {
		t.Fatalf("require it: %d %s", got.code, got.body)
	}
	owner.get("/people").has(t, `value="operator" checked`)
	if got := owner.get("/system"); got.code != http.StatusOK {
		t.Errorf("another role sees %d", got.code)
	}

	for _, path := range []string{"/", "/account", "/instances/" + string(known), "/instances/" + string(known) + "/log/download"} {
		if got := b.get(path); got.code != http.StatusSeeOther || got.header.Get("Location") != "/account/security" {
			t.Errorf("%s: %d to %q", path, got.code, got.header.Get("Location"))
		}
	}
	if got := b.poll("/instances/" + string(known) + "/status"); got.code != http.StatusForbidden || got.header.Get("HX-Redirect") != "/account/security" {
		t.Errorf("a part of a page: %d, %v", got.code, got.header)
	}
	b.get("/account/security").has(t, `data-testid="second-step-needed"`)
	for _, path := range []string{"/instances/" + string(known) + "/stop", "/account/tokens", "/account/password", "/instances/" + string(known) + "/backup"} {
		if got := b.post(path, "name", "x", "days", "0", "scope", "read"); got.code != http.StatusForbidden || !strings.Contains(got.body, "second step first") {
			t.Errorf("%s: %d", path, got.code)
		}
	}
	if user, _, err := s.auth.ByToken(t.Context(), token); err != nil || user.Email != email {
		t.Errorf("a token from before: %v", err)
	}

	b.withApp()
	if got := b.get("/"); got.code != http.StatusOK {
		t.Errorf("with an app: %d", got.code)
	}
	b.get("/account/security").lacks(t, `data-testid="second-step-needed"`)
	page := owner.get("/people")
	page.has(t, "· second step")
	page.lacks(t, "Operators (")
	b.post("/account/totp/remove", "current", password)
	if got := b.get("/"); got.header.Get("Location") != "/account/security" {
		t.Errorf("after the app was removed: %d", got.code)
	}
	if got := b.post("/logout"); got.code != http.StatusSeeOther || got.header.Get("Location") == "/account/security" {
		t.Errorf("sign out: %d to %q", got.code, got.header.Get("Location"))
	}
}

// What owners have to do is for owners to say.
func TestAdministratorRequiresNothingOfOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Administrator)
	b.post("/people/second-step", "role", "owner", "role", "viewer")
	if roles, err := s.auth.SecondStepRoles(t.Context()); err != nil || len(roles) != 1 || roles[0] != auth.Viewer {
		t.Errorf("%v, %v", roles, err)
	}
	if err := s.auth.RequireSecondStep(t.Context(), auth.User{Role: auth.Owner}, []auth.Role{auth.Owner}); err != nil {
		t.Fatal(err)
	}
	b.post("/people/second-step")
	if roles, err := s.auth.SecondStepRoles(t.Context()); err != nil || len(roles) != 1 || roles[0] != auth.Owner {
		t.Errorf("%v, %v", roles, err)
	}
	if err := s.auth.RequireSecondStep(t.Context(), auth.User{Role: auth.Operator}, nil); err == nil {
		t.Error("an operator may say it")
	}
}

// Programs of administrators say the same, within the same bounds.
func TestSecondStepByAPI(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, step := range []struct {
		by           auth.Role
		method, body string
		code         int
		has          string
	}{
		{auth.Owner, "GET", "", 200, `{"roles":[]}`},
		{auth.Operator, "PUT", `{"roles":["operator"]}`, 403, "Only owners"},
		{auth.Owner, "PUT", `{"roles":["owner","viewer","viewer"]}`, 200, `{"roles":["owner","viewer"]}`},
		{auth.Administrator, "PUT", `{"roles":["operator"]}`, 200, `{"roles":["operator","owner"]}`},
		{auth.Owner, "PUT", `{"roles":["king"]}`, 422, `"field":"roles"`},
		{auth.Owner, "PUT", `{}`, 422, `"field":"roles"`},
		{auth.Owner, "PUT", `{"roles":null}`, 422, `"field":"roles"`},
		{auth.Administrator, "GET", "", 200, `{"roles":["operator","owner"]}`},
		{auth.Owner, "PUT", `{"roles":[]}`, 200, `{"roles":[]}`},
	} {
		if got := o.ask(o.tokens[step.by], step.method, "/second-step", step.body); got.code != step.code || !strings.Contains(got.body, step.has) {
			t.Errorf("%s %s by the %s: %d %s", step.method, step.body, step.by, got.code, got.body)
		}
	}
	if got := o.ask(o.scoped[auth.Manage], "GET", "/second-step", ""); got.code != http.StatusForbidden {
		t.Errorf("without the scope: %d", got.code)
	}
	o.ask(o.tokens[auth.Owner], "PUT", "/second-step", `{"roles":["operator"]}`)
	if got := o.browsers[auth.Operator].get("/"); got.header.Get("Location") != "/account/security" {
		t.Errorf("an operator without one sees %d", got.code)
	}
}
