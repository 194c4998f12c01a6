package api

import (
	"net/http"
	"strings"
	"testing"

	"switchboard/instances"
)

func TestNobodyGetsInWithoutAToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, headers := range map[string][]string{
		"nothing":   nil,
		"a cookie":  {"Cookie", "switchboard=" + strings.TrimPrefix(s.owner, "swb_")},
		"basic":     {"Authorization", "Basic b3duZXI6" + s.owner},
		"no scheme": {"Authorization", s.owner},
		"no secret": {"Authorization", "Bearer "},
		"wrong":     {"Authorization", "Bearer swb_" + strings.Repeat("a", 52)},
	} {
		for _, path := range []string{"/instances", "/openapi.json", "/nothing/here"} {
			got := s.send("", "GET", path, "", headers...)
			s.wantProblem(got, http.StatusUnauthorized)
			if !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s: WWW-Authenticate is %q", name, got.Header.Get("WWW-Authenticate"))
			}
		}
	}
	got := s.send("", "GET", "/instances", "", "Authorization", "bearer  "+s.owner)
	s.wantStatus(got, http.StatusOK)
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be cached")
	}
}

func TestRevokedTokenIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantStatus(s.send(s.operator, "GET", "/stats", ""), http.StatusOK)
	tokens, err := s.auth.ListTokens(t.Context(), "operator@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.auth.RevokeToken(t.Context(), tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	s.wantProblem(s.send(s.operator, "GET", "/stats", ""), http.StatusUnauthorized)
}

// Every route of one number, asked for as its owner, as somebody else and for a number
// that does not exist: the last two cannot be told apart.
func TestForeignIsUnknown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.add(instances.Instance{Status: instances.Connected})
	for _, route := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"PATCH", "", `{"name":"x"}`}, {"DELETE", "", ""},
		{"POST", "/start", ""}, {"POST", "/stop", ""}, {"POST", "/restart", ""}, {"POST", "/reconnect", ""},
		{"POST", "/logout", ""}, {"POST", "/pair", ""}, {"GET", "/qr", ""}, {"GET", "/logs", ""}, {"GET", "/keys", ""}, {"POST", "/keys", `{"name":"x"}`}, {"POST", "/pair-code", `{"phone":"491700000001"}`},
		{"GET", "/api/app/status", ""}, {"POST", "/api/send/message", `{}`},
	} {
		foreign := s.send(s.other, route.method, "/instances/"+string(id)+route.path, route.body)
		unknown := s.send(s.owner, route.method, "/instances/unknown_20240101120000"+route.path, route.body)
		s.wantProblem(foreign, http.StatusNotFound)
		if foreign.body != unknown.body {
			t.Errorf("%s %s tells that a foreign number exists: %s", route.method, route.path, foreign.body)
		}
		if mine := s.send(s.operator, route.method, "/instances/"+string(id)+route.path, route.body); mine.StatusCode == http.StatusNotFound {
			t.Errorf("%s %s: the owner's own number was not found", route.method, route.path)
		}
	}
	got := s.send(s.other, "GET", "/instances", "")
	if strings.TrimSpace(got.body) != "[]" {
		t.Errorf("somebody else's list is %s", got.body)
	}
}

func TestViewerOnlyLooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantStatus(s.send(s.look, "GET", "/instances", ""), http.StatusOK)
	s.wantProblem(s.send(s.look, "POST", "/instances", `{"name":"x"}`), http.StatusForbidden)
	s.wantProblem(s.send(s.look, "DELETE", "/instances/x", ""), http.StatusForbidden)
	s.wantProblem(s.send(s.look, "GET", "/instances/x/api/app/logout", ""), http.StatusForbidden)
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantProblem(s.send(s.owner, "GET", "/nothing", ""), http.StatusNotFound)
	s.wantProblem(s.send(s.owner, "GET", "/instances/x/nothing", ""), http.StatusNotFound)
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/instances", "GET, HEAD, POST"},
		{"POST", "/instances/x", "DELETE, GET, HEAD, PATCH"},
		{"GET", "/instances/x/start", "POST"},
		{"DELETE", "/stats", "GET, HEAD"},
		{"OPTIONS", "/instances/x/api/y", "DELETE, GET, HEAD, PATCH, POST, PUT"},
	} {
		got := s.send(s.owner, c.method, c.path, "")
		s.wantProblem(got, http.StatusMethodNotAllowed)
		if got.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.path, got.Header.Get("Allow"), c.allow)
		}
	}
	s.wantStatus(s.send(s.owner, "HEAD", "/stats", ""), http.StatusOK)
}
