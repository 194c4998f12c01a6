package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/instances"
)

func TestScopesOfPassedOperations(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]auth.Scope{
		"GET /instances/x/user/blocked": auth.Read, "POST /instances/x/user/blocked": auth.Manage,
		"POST /instances/x/user/lookup": auth.Read, "GET /instances/x/user/resolve?phone=1": auth.Read,
		"POST /instances/x/message/3EB0/vote": auth.Send, "GET /instances/x/message/3EB0/votes?phone=1": auth.Read,
		"POST /instances/x/chat/1@g.us/mute": auth.Send, "POST /instances/x/chat/1%40g.us/unread": auth.Send,
		"POST /instances/x/user/about": auth.Manage, "POST /instances/x/newsletter": auth.Manage,
		"GET /instances/x/community/groups": auth.Read, "POST /instances/x/community/groups": auth.Manage,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := needs(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s needs %s, not %s", request, got, want)
		}
	}
}

// workerOf answers for a number's process.
type workerOf func(*http.Request) (int, string)

func (f workerOf) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	if status == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// passer is a supervisor whose numbers have that process.
type passer struct {
	Supervisor
	worker workerOf
}

func (p passer) API(instances.Viewer, instances.ID) (http.RoundTripper, error) { return p.worker, nil }

// withID is a request as the router hands it on.
func withID(r *http.Request, id string) *http.Request {
	at := chi.NewRouteContext()
	at.URLParams.Add("id", id)
	return r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, at))
}

// What a number's process answers becomes this API's words.
func TestPass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer string
		status int
		want   int
		body   string // of the answer, or a part of its error
	}{
		{`{"code":"SUCCESS","message":"x","results":{"a":1}}`, 200, 200, `{"a":1}`},
		{`{"code":"SUCCESS","message":"x"}`, 200, 204, ``},
		{`{"code":"VALIDATION_ERROR","message":"phone: no."}`, 400, 422, `phone: no.`},
		{`{"code":"AUTHENTICATION_ERROR","message":"not connected."}`, 401, 503, `not connected.`},
		{`{"code":"NOT_FOUND","message":"nothing."}`, 404, 404, `nothing.`},
		{`{"code":"GATEWAY_TIMEOUT","message":"late."}`, 504, 504, `late.`},
		{`<html>`, 200, 500, ``},
		{``, 0, 503, `does not answer`},
	} {
		var asked *http.Request
		var body string
		s := &server{Options: Options{Instances: passer{worker: func(r *http.Request) (int, string) {
			raw, _ := io.ReadAll(r.Body)
			asked, body = r, string(raw)
			return c.status, c.answer
		}}}}
		r := httptest.NewRequest(http.MethodPost, "/instances/x/chat/1%40g.us/mute?y=1", strings.NewReader(`{"muted":true}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer secret")
		w := httptest.NewRecorder()
		err := s.pass(w, withID(r, "x"))
		status, said := w.Code, strings.TrimSpace(w.Body.String())
		if err != nil {
			p := describe(err)
			status, said = p.Status, p.Detail
		}
		if status != c.want || !strings.Contains(said, c.body) {
			t.Errorf("%d %s becomes %d %s", c.status, c.answer, status, said)
		}
		if asked.URL.EscapedPath() != "/chat/1%40g.us/mute" || asked.URL.RawQuery != "y=1" || body != `{"muted":true}` || asked.Header.Get("Authorization") != "" {
			t.Errorf("the process is asked for %s with %s and %v", asked.URL, body, asked.Header)
		}
	}
	s := &server{}
	r := httptest.NewRequest(http.MethodPost, "/instances/x/user/about", strings.NewReader(`[]`))
	r.Header.Set("Content-Type", "application/json")
	s.Instances = passer{worker: func(*http.Request) (int, string) { return 200, "{}" }}
	if err := s.pass(httptest.NewRecorder(), withID(r, "x")); err == nil || describe(err).Status != http.StatusBadRequest {
		t.Errorf("a body that is no object: %v", err)
	}
}
