package gateway

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings/settingstest"
	"switchboard/store"
)

// fleet keeps a list of numbers by owner, and runs nothing.
type fleet struct {
	mu      sync.Mutex
	list    []instances.Instance
	calls   []string
	worker  http.RoundTripper
	changed chan struct{}
}

func (f *fleet) sees(v instances.Viewer, i instances.Instance) bool {
	return v.Sees(i)
}

func (f *fleet) List(v instances.Viewer) (out []instances.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.list {
		if f.sees(v, i) {
			out = append(out, i)
		}
	}
	return out
}

func (f *fleet) Get(v instances.Viewer, id instances.ID) (instances.Instance, error) {
	for _, i := range f.List(v) {
		if i.ID == id {
			return i, nil
		}
	}
	return instances.Instance{}, fault.New(fault.NotFound, "There is no such number.")
}

func (f *fleet) Create(_ context.Context, v instances.Viewer, in instances.New) (instances.Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, err := instances.CheckName(in.Name)
	if err != nil {
		return instances.Instance{}, err
	}
	for _, i := range f.list {
		if i.Name == name {
			return i, &fault.Error{Kind: fault.Conflict, Field: "name", Message: "There is already a number with this name."}
		}
	}
	i := instances.Instance{Name: name, Owner: v.User, Status: instances.Provisioning, Desired: instances.Running, CreatedAt: time.Now()}
	i.ID = instances.NewID(name, i.CreatedAt, func(instances.ID) bool { return false })
	f.list = append(f.list, i)
	return i, nil
}

// change changes a number and tells those who wait.
func (f *fleet) change(id instances.ID, change func(*instances.Instance)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.list {
		if f.list[n].ID == id {
			change(&f.list[n])
		}
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fleet) Changed(instances.Viewer, instances.ID) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fleet) note(v instances.Viewer, id instances.ID, call string) error {
	if _, err := f.Get(v, id); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call+" "+string(id))
	return nil
}

func (f *fleet) Delete(_ context.Context, v instances.Viewer, id instances.ID) error {
	defer f.change(id, func(i *instances.Instance) { i.Status = instances.Deleting })
	return f.note(v, id, "delete")
}

func (f *fleet) Start(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.note(v, id, "start")
}

func (f *fleet) Reconnect(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.note(v, id, "reconnect")
}

func (f *fleet) Logout(_ context.Context, v instances.Viewer, id instances.ID) error {
	return f.note(v, id, "logout")
}

func (f *fleet) API(v instances.Viewer, id instances.ID) (http.RoundTripper, error) {
	i, err := f.Get(v, id)
	if err != nil {
		return nil, err
	}
	if i.Status == instances.Idle {
		return nil, fault.New(fault.Conflict, "This number is stopped. Start it first.")
	}
	return named{f.worker, id}, nil
}

// named tells the stand-in for a worker which number it is.
type named struct {
	http.RoundTripper
	id instances.ID
}

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Worker", string(n.id))
	return n.RoundTripper.RoundTrip(r)
}

// site is the gateway as it is mounted, over real accounts and tokens.
type site struct {
	t                      *testing.T
	fleet                  *fleet
	auth                   *auth.Auth
	server                 *httptest.Server
	annID, bobID           int64
	ann, bob, admin, looks string // tokens
}

// The numbers of every site: Ann has two, Bob one.
const (
	support = "support_20261126120000"
	sales   = "sales_20261126120001"
	bobs    = "bobs_20261126120002"
)

func newSite(t *testing.T, origins ...string) *site {
	t.Helper()
	db, err := store.Open(t.Context(), "file:"+filepath.Join(t.TempDir(), "panel.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{t: t, auth: auth.New(db, auth.Options{}), fleet: &fleet{changed: make(chan struct{})}}
	s.annID, s.ann = s.person("ann@example.org", auth.Operator)
	s.bobID, s.bob = s.person("bob@example.org", auth.Operator)
	_, s.admin = s.person("admin@example.org", auth.Owner)
	_, s.looks = s.person("looks@example.org", auth.Viewer)
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	s.fleet.list = []instances.Instance{
		{ID: support, Name: "Support", Owner: s.annID, Status: instances.Connected, JID: "491700000001:7@s.whatsapp.net", CreatedAt: at},
		{ID: sales, Name: "Sälés", Owner: s.annID, Status: instances.Idle, Desired: instances.Stopped, JID: "491700000001:8@s.whatsapp.net", CreatedAt: at},
		{ID: bobs, Name: "Bobs", Owner: s.bobID, Status: instances.PairingPhone, CreatedAt: at},
	}
	router := chi.NewRouter()
	router.Mount("/gowa", New(Options{
		Instances: s.fleet, Auth: s.auth, Settings: &settingstest.Memory{}, Base: "https://panel.example.org/gowa", Origins: origins, Version: "1.2.3",
		Log: slog.New(slog.DiscardHandler),
	}))
	s.server = httptest.NewServer(router)
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) person(email string, role auth.Role) (int64, string) {
	s.t.Helper()
	u, err := s.auth.AddUser(s.t.Context(), auth.NewUser{Email: email, Role: role, LinkOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	_, secret, err := s.auth.AddToken(s.t.Context(), email, auth.NewToken{Name: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return u.ID, secret
}

// serve lets handle stand in for every worker.
func (s *site) serve(handle http.HandlerFunc) {
	worker := httptest.NewServer(handle)
	s.t.Cleanup(worker.Close)
	way := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", worker.Listener.Addr().String())
	}}
	s.t.Cleanup(way.CloseIdleConnections)
	s.fleet.worker = way
}

type reply struct {
	*http.Response
	body string
	envelope
}

// send sends a request as the holder of token; headers come in pairs. A body is JSON
// unless they say otherwise.
func (s *site) send(token, method, path, body string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json") // even without a body, as n8n's package does
	if token != "" {
		r.SetBasicAuth("whoever", token)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	got := reply{Response: res, body: string(data)}
	_ = json.Unmarshal(data, &got.envelope) // not everything has one
	return got
}

func (s *site) want(got reply, status int, code string) {
	s.t.Helper()
	if got.StatusCode != status || got.Code != code || got.Message == "" {
		s.t.Errorf("%s %s: got %d %s, want %d %s", got.Request.Method, got.Request.URL.Path, got.StatusCode, got.body, status, code)
	}
}

func TestWhoGetsIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct {
		name    string
		headers []string
		in      bool
	}{
		{"nobody", nil, false},
		{"bearer", []string{"Authorization", "Bearer " + s.ann}, true},
		{"a lower-case scheme", []string{"Authorization", "bearer " + s.ann}, true},
		{"another's word", []string{"Authorization", "Bearer swb_" + strings.Repeat("A", 43)}, false},
		{"the token as the user", []string{"Authorization", "Basic " + basic(s.ann, "x")}, false},
		{"no password", []string{"Authorization", "Basic " + basic(s.ann, "")}, false},
	} {
		got := s.send("", "GET", "/gowa/", "{}", c.headers...)
		if c.in {
			s.want(got, http.StatusOK, "SUCCESS")
			continue
		}
		s.want(got, http.StatusUnauthorized, "AUTHENTICATION_ERROR")
		if !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: the answer does not ask for Basic", c.name)
		}
	}
	for _, path := range []string{"/gowa", "/gowa/", "/gowa//", "/gowa//devices", "/gowa/devices", "/gowa/app/info", "/gowa/app/devices"} {
		s.want(s.send(s.ann, "GET", path, "{}"), http.StatusOK, "SUCCESS")
	}
	if got := s.send(s.ann, "GET", "/gowa/app/info", "").body; !strings.Contains(got, `"base_path":"/gowa"`) {
		t.Errorf("/app/info says %s", got)
	}
	s.want(s.send("", "GET", "/gowa/devices?authorization="+basic("x", s.ann), ""), http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	s.want(s.send("", "GET", "/gowa/statics/media/x.jpg", ""), http.StatusUnauthorized, "AUTHENTICATION_ERROR")
}

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	_, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return value
}

func TestScoping(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Authorization", "Cookie"} {
			if r.Header.Get(name) != "" {
				t.Errorf("the worker sees the header %s", name)
			}
		}
		_, _ = io.WriteString(w, r.Header.Get("Worker")+" "+r.RequestURI+" "+r.Header.Get("Switchboard-Base"))
	})
	const notFound, required, notConnected = "DEVICE_NOT_FOUND", "DEVICE_ID_REQUIRED", "AUTHENTICATION_ERROR"
	for _, c := range []struct {
		who, header, query string
		worker, code       string
	}{
		{s.ann, support, "", support, ""},
		{s.ann, " " + support + " ", "", support, ""},
		{s.ann, "491700000001:7@s.whatsapp.net", "", support, ""},
		{s.ann, "491700000001%3A7%40s.whatsapp.net", "", support, ""},
		{s.ann, "491700000001@s.whatsapp.net", "", support, ""}, // the connected one of two
		{s.ann, "491700000001:8@s.whatsapp.net", "", "", notConnected},
		{s.ann, "S%C3%A4l%C3%A9s", "", "", notConnected}, // by the name that a client chose
		{s.ann, "Support", "", support, ""},
		{s.ann, "", support, support, ""},
		{s.ann, "", "491700000001@s.whatsapp.net", support, ""},
		{s.ann, bobs, support, "", notFound}, // the header wins
		{s.ann, "", bobs, "", notFound},      // somebody else's does not exist
		{s.ann, "491700000001", "", "", notFound},
		{s.ann, "%zz", "", "", notFound},
		{s.ann, "", "", "", required},
		{s.bob, "", "", bobs, ""}, // the only one
		{s.bob, bobs, "", bobs, ""},
		{s.bob, support, "", "", notFound},
		{s.admin, bobs, "", bobs, ""},
		{s.admin, "", "", "", required},
		{s.looks, "", "", "", required},
	} {
		path := "/gowa/chats?search="
		if c.query != "" {
			path += "&device_id=" + strings.ReplaceAll(c.query, "@", "%40")
		}
		got := s.send(c.who, "GET", path, "{}", "X-Device-Id", c.header, "Switchboard-Base", "https://evil.example", "Cookie", "a=b")
		switch c.code {
		case "":
			if want := c.worker + " " + strings.TrimPrefix(path, "/gowa") + " https://panel.example.org/gowa"; got.body != want {
				t.Errorf("%q %q: the answer is %s, want %s", c.header, c.query, got.body, want)
			}
		case notFound:
			s.want(got, http.StatusNotFound, c.code)
			name := strings.TrimSpace(c.header)
			if name == "" {
				name = c.query
			}
			if want := `"results":{"device_id":"` + name + `"}`; !strings.Contains(got.body, want) || got.Message != "device not found; create a device first from /api/devices or provide a valid X-Device-Id" {
				t.Errorf("the answer is %s, without %s", got.body, want)
			}
		case required:
			s.want(got, http.StatusBadRequest, c.code)
			if got.Message != "device_id is required via X-Device-Id header or device_id query" || got.Results != nil {
				t.Errorf("the answer is %s", got.body)
			}
		case notConnected:
			s.want(got, http.StatusUnauthorized, c.code)
			if got.Message != "This number is stopped. Start it first." {
				t.Errorf("the answer is %s", got.body)
			}
		}
	}
}

// Paths arrive as they were sent: clients put JIDs into them with and without escapes.
func TestPaths(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(body))
	})
	for _, c := range [][4]string{
		{"GET", "/chat/491700000001@s.whatsapp.net/messages?limit=&start_time=", "{}", "GET /chat/491700000001@s.whatsapp.net/messages?limit=&start_time= {}"},
		{"POST", "/chat/120363%40g.us/label", `{"a":1}`, `POST /chat/120363%40g.us/label {"a":1}`},
		{"POST", "/message/3EB0%2F1/read", "", "POST /message/3EB0%2F1/read "},
		{"GET", "/statics/media/a%20b%25.jpg", "", "GET /statics/media/a%20b%25.jpg "},
		{"POST", "//send/message", "x", "POST /send/message x"},
		{"PUT", "/whatever", "x", "PUT /whatever x"},
	} {
		if got := s.send(s.bob, c[0], "/gowa"+c[1], c[2]); got.body != c[3] {
			t.Errorf("%s %s arrives as %s", c[0], c[1], got.body)
		}
	}
}

func TestWhoOnlyLooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.auth.ListTokens(t.Context(), "looks@example.org")
	s.fleet.list[2].Owner = id[0].UserID
	s.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "worker") })
	for path, may := range map[string]bool{
		"GET /devices": true, "GET /devices/" + bobs: true, "GET /devices/" + bobs + "/status": true, "GET /chats": true,
		"GET /app/status": true, "HEAD /devices": true, "GET /group/invite-link?group_id=1@g.us&reset=false": true,
		"POST /devices": false, "DELETE /devices/" + bobs: false, "GET /devices/" + bobs + "/login": false,
		"GET /app/logout": false, "GET /app/login": false, "GET /app/reconnect": false, "POST /send/message": false,
		"POST /message/1/read": false, "GET /group/invite-link?reset=true": false, "GET /gr%6Fup/invite-link?reset=true": false,
		"PATCH /devices/" + bobs + "/webhook": false, "GET /devices/" + bobs + "/webhook": false,
	} {
		method, path, _ := strings.Cut(path, " ")
		got := s.send(s.looks, method, "/gowa"+path, "")
		if (got.StatusCode != http.StatusForbidden) != may {
			t.Errorf("%s %s: %d %s", method, path, got.StatusCode, got.body)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	preflight := []string{"Origin", "https://tool.example.org", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-device-id"}
	for _, c := range []struct{ allowed, want string }{{"https://tool.example.org", "https://tool.example.org"}, {"https://other.example.org", ""}, {"*", "*"}} {
		s := newSite(t, c.allowed)
		got := s.send("", "OPTIONS", "/gowa/send/message", "", preflight...)
		if origin := got.Header.Get("Access-Control-Allow-Origin"); origin != c.want || got.StatusCode != http.StatusOK && c.want != "" {
			t.Errorf("allowed %s: %d, %v", c.allowed, got.StatusCode, got.Header)
		}
	}
	s := newSite(t)
	got := s.send(s.ann, "GET", "/gowa/devices", "", "Origin", "https://tool.example.org")
	if got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("an origin is let in though none is configured")
	}
}
