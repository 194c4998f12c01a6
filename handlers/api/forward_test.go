package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"switchboard/instances"
)

// worker serves handle on a socket of its own and returns the way there, whatever host a
// request names, as the control socket does.
func worker(t *testing.T, handle http.HandlerFunc) http.RoundTripper {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	way := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}}
	t.Cleanup(way.CloseIdleConnections)
	return way
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no such socket")
}

func TestForward(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected})) + "/api"
	s.supervisor.worker = worker(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for _, name := range []string{"Authorization", "Cookie"} {
			if r.Header.Get(name) != "" {
				t.Errorf("the worker sees the header %s", name)
			}
		}
		if base := r.Header.Get("Switchboard-Base"); base != "https://panel.example/wa/api/v1/instances/support_20261123070000/api" {
			t.Errorf("the links of the answer would begin with %s", base)
		}
		http.SetCookie(w, &http.Cookie{Name: "switchboard", Value: "planted"})
		w.Header().Set("X-Device-Id", r.Header.Get("X-Device-Id"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
	})
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/send/message?x=1&y=%20", `{"phone":"49"}`, `POST /send/message?x=1&y=%20 {"phone":"49"}`},
		{"GET", "", "", "GET / "},
		{"GET", "/", "", "GET / "},
		{"PUT", "/chat/a%2Fb%40g.us/messages", "x", "PUT /chat/a%2Fb%40g.us/messages x"},
		{"PATCH", "/a//b", "", "PATCH /a//b "},
		{"DELETE", "/api/v1/instances/x", "", "DELETE /api/v1/instances/x "},
		{"POST", "/send/file", strings.Repeat("x", 2<<20), "POST /send/file " + strings.Repeat("x", 2<<20)},
	} {
		got := s.send(s.operator, c.method, path+c.path, c.body, "Cookie", "switchboard=x", "X-Device-Id", "49", "Content-Type", "text/plain")
		s.wantStatus(got, http.StatusTeapot)
		if got.body != c.want {
			t.Errorf("%s %s arrives as %.80s", c.method, c.path, got.body)
		}
		if got.Header.Get("Set-Cookie") != "" || got.Header.Get("X-Device-Id") != "49" {
			t.Errorf("%s %s: the headers are %v", c.method, c.path, got.Header)
		}
	}
}

func TestForwardToNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Idle})) + "/api/app/status"
	s.wantProblem(s.send(s.operator, "GET", path, ""), http.StatusServiceUnavailable)
	s.supervisor.worker = broken{}
	if got := s.send(s.operator, "GET", path, ""); strings.Contains(got.body, "socket") {
		t.Errorf("the answer tells the cause: %s", got.body)
	} else {
		s.wantProblem(got, http.StatusServiceUnavailable)
	}
}

// Paths of a number's own API hold phone numbers, which belong in no log.
func TestLogHoldsNoPath(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var log strings.Builder
	o := s.options()
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	router := chi.NewRouter()
	router.Mount("/api/v1", New(o))
	s.handler, s.supervisor.worker = router, broken{}
	id := s.add(instances.Instance{Status: instances.Connected})
	s.wantProblem(s.send(s.operator, "GET", "/instances/"+string(id)+"/api/chat/491700000001@s.whatsapp.net/messages", ""), http.StatusServiceUnavailable)
	if !strings.Contains(log.String(), "no such socket") || strings.Contains(log.String(), "491700000001") {
		t.Errorf("the log says %s", log.String())
	}
}
