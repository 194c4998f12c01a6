package handlers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"switchboard/auth"
)

// ask sends a request to the management API.
func (o *office) ask(token, method, path, body string) answer {
	r := httptest.NewRequest(method, "http://panel.test/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// No token makes one that may more than it may itself.
func TestTokensMakeNoMightierOnes(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for body, want := range map[string]int{
		`{"name":"x"}`: http.StatusForbidden, `{"name":"x","scopes":["admin","send"]}`: http.StatusForbidden,
		`{"name":"x","scopes":["admin"]}`: http.StatusCreated, `{"name":"x","scopes":["king"]}`: http.StatusUnprocessableEntity,
	} {
		if got := o.ask(o.scoped[auth.Admin], http.MethodPost, "/tokens", body); got.code != want {
			t.Errorf("%s by one with admin alone: %d %s", body, got.code, got.body)
		}
	}
	if got := o.ask(o.tokens[auth.Administrator], http.MethodPost, "/tokens", `{"name":"x"}`); got.code != http.StatusCreated {
		t.Errorf("by one that may everything: %d %s", got.code, got.body)
	}
}

// Administrators change nothing of owners.
func TestTokensOfOwnersAreForOwners(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var all []struct{ ID, User string }
	if err := json.Unmarshal([]byte(o.ask(o.tokens[auth.Administrator], http.MethodGet, "/tokens", "").body), &all); err != nil {
		t.Fatal(err)
	}
	of := func(role auth.Role) string {
		i := slices.IndexFunc(all, func(t struct{ ID, User string }) bool { return t.User == string(role)+"@example.org" })
		return "/tokens/" + all[i].ID
	}
	for _, step := range []struct {
		by, of auth.Role
		want   int
	}{
		{auth.Administrator, auth.Owner, http.StatusForbidden}, {auth.Administrator, auth.Operator, http.StatusNoContent},
		{auth.Owner, auth.Owner, http.StatusNoContent}, {auth.Owner, auth.Owner, http.StatusUnauthorized},
	} {
		if got := o.ask(o.tokens[step.by], http.MethodDelete, of(step.of), ""); got.code != step.want {
			t.Errorf("one of the %s by the %s: %d %s", step.of, step.by, got.code, got.body)
		}
	}
	if got := o.ask(o.tokens[auth.Administrator], http.MethodDelete, "/tokens/nonsense", ""); got.code != http.StatusNotFound {
		t.Errorf("one that there is not: %d", got.code)
	}
}
