package api

import (
	"net/http"
	"strings"
	"testing"
)

// What is wrong is told by the name that the member has in the request, and by its own fault.
func TestTokensThatCannotBe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for body, field := range map[string]string{
		`{}`:         "name",
		`{"name":1}`: "name",
		`{"name":"x","expires_at":"2000-01-01T00:00:00Z"}`: "expires_at",
		`{"name":"x","scopes":"read"}`:                     "scopes",
	} {
		if p := s.wantProblem(s.send(s.owner, "POST", "/tokens", body), http.StatusUnprocessableEntity); p.Field != field || strings.Contains(p.Detail, "slice") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := s.wantProblem(s.send(s.owner, "POST", "/tokens", `{"name":"x","expires_at":"soon"}`), http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "soon") {
		t.Errorf("a time that is none: %+v", p)
	}
}
