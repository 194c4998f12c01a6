package handlers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
)

// scrape asks for the metrics with that token, "" for none.
func (s *site) scrape(token string) answer {
	r := httptest.NewRequest(http.MethodGet, "http://panel.test/metrics", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return s.browser().do(r)
}

func (s *site) token(role auth.Role, email string) string {
	s.t.Helper()
	if _, err := s.auth.AddUser(s.t.Context(), auth.NewUser{Email: email, Role: role, LinkOnly: true}); err != nil {
		s.t.Fatal(err)
	}
	_, secret, err := s.auth.AddToken(s.t.Context(), email, auth.NewToken{Name: "metrics"})
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// line is what a line of the format looks like.
var line = regexp.MustCompile(`^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9.e+-]+)$`)

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Reconnects = func(instances.ID) int { return 4 } })
	inst := connected(s.person(auth.Owner).ID)
	inst.PID, inst.Restarts = os.Getpid(), 3
	s.numbers.set(inst)
	s.numbers.set(instances.Instance{ID: "other_20260101120000", Status: instances.Failed, Reason: instances.CrashLoop})
	got := s.scrape(s.token(auth.Administrator, "admin@example.org"))
	got.has(t, "switchboard_info{version=\"test\"} 1\n", "switchboard_numbers{status=\"connected\"} 1\n", "switchboard_numbers{status=\"stopped\"} 0\n",
		"switchboard_number_connected{id=\""+string(known)+"\"} 1\n", "switchboard_number_connected{id=\"other_20260101120000\"} 0\n",
		"switchboard_number_restarts_total{id=\""+string(known)+"\"} 3\n", "switchboard_number_reconnects_total{id=\""+string(known)+"\"} 4\n",
		"switchboard_number_status{id=\"other_20260101120000\",status=\"failed\",reason=\"crash_loop\"} 1\n", "process_open_fds ")
	got.lacks(t, "4917", inst.Name) // nobody's phone number, nobody's name
	if got.code != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("%d %v", got.code, got.header)
	}
	families := map[string]bool{}
	for text := range strings.SplitSeq(strings.TrimSpace(got.body), "\n") {
		if !line.MatchString(text) {
			t.Errorf("%q is not in the format", text)
		}
		if strings.HasPrefix(text, "# TYPE ") {
			if name := strings.Fields(text)[2]; families[name] {
				t.Errorf("%s comes twice", name)
			} else {
				families[name] = true
			}
		}
	}
	for _, name := range []string{"resident_memory_bytes", "own_memory_bytes", "open_files", "start_time_seconds"} {
		if zero := regexp.MustCompile(`switchboard_number_` + name + `\{id="` + string(known) + `"\} 0\n`); zero.MatchString(got.body) {
			t.Errorf("%s is 0 for a process that runs", name)
		}
	}
}

func TestMetricsAreForThoseWhoSeeAllNumbers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for token, want := range map[string]int{
		"": http.StatusUnauthorized, "swb_" + strings.Repeat("a", 52): http.StatusUnauthorized,
		s.token(auth.Operator, "operator@example.org"): http.StatusForbidden,
		s.token(auth.Viewer, "viewer@example.org"):     http.StatusForbidden,
		s.token(auth.Owner, "owner@example.org"):       http.StatusOK,
	} {
		got := s.scrape(token)
		if got.code != want {
			t.Errorf("%d, want %d: %s", got.code, want, got.body)
		}
		if want != http.StatusOK {
			got.lacks(t, "switchboard_")
		}
	}
	signedIn := s.signedIn(auth.Owner)
	if got := signedIn.get("/metrics"); got.code != http.StatusUnauthorized {
		t.Errorf("a browser's cookie opens the metrics: %d", got.code)
	}
}
