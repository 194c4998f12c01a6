package handlers

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/reference"
)

// workers stands in for the way to numbers' own APIs.
type workers struct {
	t      *testing.T
	answer http.HandlerFunc // nil: the number does not run
}

func (w workers) API(instances.Viewer, instances.ID) (http.RoundTripper, error) {
	if w.answer == nil {
		return nil, fault.New(fault.Conflict, "This number is stopped. Start it first.")
	}
	server := httptest.NewServer(w.answer)
	w.t.Cleanup(server.Close)
	way := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}}
	w.t.Cleanup(way.CloseIdleConnections)
	return way, nil
}

func TestReferencePage(t *testing.T) {
	t.Parallel()
	way := &workers{t: t}
	s := newSite(t, func(o *Options) {
		o.Workers = way
		o.Management = []reference.Operation{{Method: "POST", Path: "/instances", Summary: "Make a number"}}
	})
	b := s.signedIn(auth.Operator)
	s.numbers.set(connected(s.owner))
	got := b.get(page + "/api")
	got.has(t, "POST /send/message", "GET /group/info", "POST /instances", "Make a number", "?operation=POST+%2Fsend%2Fmessage#try")
	got.lacks(t, `data-testid="try-form"`)
	b.get(page+"/api?operation=POST+%2Fsend%2Fpoll").has(t, `data-testid="try-form"`, `name="p.question"`, `name="p.options"`)
	b.get(page+"/api?operation=NONSENSE").lacks(t, `data-testid="try-form"`)

	got = b.get(page + "/api/openapi.json")
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]any
		Servers []struct{ URL string }
	}
	if err := json.Unmarshal([]byte(got.body), &document); err != nil || document.OpenAPI != "3.1.0" || document.Paths["/send/message"]["post"] == nil || document.Servers[0].URL != "http://127.0.0.1:3001" {
		t.Errorf("the document: %v, %.200s", err, got.body)
	}

	send := func(values ...string) answer { return b.post(page+"/api", values...) }
	got = send("operation", "POST /send/message", "p.phone", "49", "p.message", "hi")
	if got.has(t, "This number is stopped. Start it first."); got.code != http.StatusConflict {
		t.Errorf("a stopped number: %d", got.code)
	}
	way.answer = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		_ = json.NewEncoder(w).Encode(map[string]string{"asked": r.Method + " " + r.URL.RequestURI() + " " + strings.ReplaceAll(string(body), `"`, "~"), "evil": "<script>"})
	}
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"operation", "POST /send/poll", "p.phone", "49", "p.question", "Tea?", "p.options", "yes\r\nno\n", "p.max_answer", "1"},
			"POST /send/poll {~max_answer~:1,~options~:[~yes~,~no~],~phone~:~49~,~question~:~Tea?~}"},
		{[]string{"operation", "POST /chat/{chat_jid}/pin", "p.chat_jid", "1/2@g.us", "p.pinned", "false"}, "POST /chat/1%2F2@g.us/pin {~pinned~:false}"},
		{[]string{"operation", "GET /chats", "p.search", "a b", "p.limit", ""}, "GET /chats?search=a+b {}"},
	} {
		got := send(c.values...)
		got.has(t, "418 I&#39;m a teapot", strings.ReplaceAll(c.want, "?", "?"))
		got.lacks(t, "<script>\"")
		if got.code != http.StatusOK {
			t.Errorf("%v: %d", c.values, got.code)
		}
	}
	send("operation", "POST /send/poll", "p.max_answer", "x").has(t, "has to be a whole number")
	send("operation", "POST /chat/{chat_jid}/pin").has(t, "chat_jid cannot be empty")
	if got := send("operation", "NONSENSE /x"); got.code != http.StatusNotFound {
		t.Errorf("an unknown operation: %d", got.code)
	}
}

// Who may only look may try what only looks.
func TestReferenceForViewers(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) {
		o.Workers = workers{t: t, answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "looked") }}
	})
	b := s.signedIn(auth.Viewer)
	s.numbers.set(connected(s.owner))
	for operation, may := range map[string]bool{"GET /chats": true, "GET /app/status": true, "POST /send/message": false, "GET /app/logout": false} {
		if got := b.post(page+"/api", "operation", operation); (got.code == http.StatusOK) != may {
			t.Errorf("%s: %d", operation, got.code)
		}
	}
}
