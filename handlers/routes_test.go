package handlers

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"switchboard/auth"
	"switchboard/instances"
)

const known = instances.ID("front_desk_20260101120000")

func connected(owner int64) instances.Instance {
	now := time.Now()
	return instances.Instance{
		ID: known, Name: "Front desk", Owner: owner, JID: "491701234567:7@s.whatsapp.net", PushName: "Hotel",
		Desired: instances.Running, Status: instances.Connected, Since: now, ProvenAt: now, CreatedAt: now,
		PID: 4711, Port: 3001, StartedAt: now,
		Database: instances.Database{Engine: "sqlite", Main: "whatsapp_front_desk", Keys: "keys_front_desk"},
	}
}

// open are the routes that need no session.
var open = listed(panelRoutes[anybody])

// listed are the routes in a list of methods and patterns.
func listed(list string) map[string]bool {
	all := map[string]bool{}
	for pair := range slices.Chunk(strings.Fields(list), 2) {
		all[pair[0]+" "+pair[1]] = true
	}
	return all
}

type routed struct{ method, pattern, path string }

func (r routed) String() string { return r.method + " " + r.pattern }

// everyRoute reads the route table from the router, so that a new route cannot be forgotten.
func everyRoute(t *testing.T, s *site) []routed {
	t.Helper()
	var all []routed
	fill := strings.NewReplacer("{id}", string(known), "{token}", "none", "{session}", "none", "{key}", "none")
	err := chi.Walk(s.server.routes(), func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.HasPrefix(pattern, "/static/") {
			all = append(all, routed{method, pattern, fill.Replace(pattern)})
		}
		return nil
	})
	if err != nil || len(all) < 30 {
		t.Fatalf("%d routes, %v", len(all), err)
	}
	return all
}

func TestSignedOutSeesOnlyTheDoor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.numbers.set(connected(s.person(auth.Owner).ID))
	b := s.browser()
	b.get("/login")
	for _, r := range append(everyRoute(t, s), routed{"GET", "/nothing", "/nothing/here"}) {
		if open[r.String()] {
			continue
		}
		var plain, fragment answer
		if r.method == http.MethodGet {
			plain, fragment = b.get(r.path), b.poll(r.path)
		} else {
			plain, fragment = b.post(r.path), b.submit(r.path)
		}
		if plain.code != http.StatusSeeOther || !strings.HasPrefix(plain.header.Get("Location"), "/login") {
			t.Errorf("%s: %d to %q, want the sign-in page", r, plain.code, plain.header.Get("Location"))
		}
		if fragment.code != http.StatusUnauthorized || fragment.header.Get("HX-Redirect") != "/login" {
			t.Errorf("%s by htmx: %d to %q, want the sign-in page", r, fragment.code, fragment.header.Get("HX-Redirect"))
		}
		plain.lacks(t, "Front desk")
	}
	if calls := s.numbers.calls(); len(calls) > 0 {
		t.Errorf("a stranger did %q", calls)
	}
}

func TestEveryPageForItsOwner(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	for _, r := range everyRoute(t, s) {
		if r.method != http.MethodGet {
			continue
		}
		got := b.get(r.path)
		if got.code >= 500 || strings.HasPrefix(got.header.Get("Location"), "/login") && r.pattern != "/login/second" {
			t.Errorf("%s: %d to %q", r, got.code, got.header.Get("Location"))
		}
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'self';") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: content security policy %q", r, policy)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
			if got.header.Get(header) != want {
				t.Errorf("%s: %s is %q, want %q", r, header, got.header.Get(header), want)
			}
		}
		for _, forbidden := range []string{" style=", "<style", " onclick=", " hx-on", "javascript:", "<script>"} {
			if strings.Contains(got.body, forbidden) {
				t.Errorf("%s: the policy forbids %q", r, forbidden)
			}
		}
	}
}

func TestEveryChangeNeedsItsForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	for _, r := range everyRoute(t, s) {
		if r.method == http.MethodGet {
			continue
		}
		without := b.do(form(r.path))
		wrong := b.do(form(r.path, auth.CSRFField, strings.Repeat("A", len(b.csrf))))
		foreign := form(r.path, auth.CSRFField, b.csrf)
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		for what, got := range map[string]answer{"without token": without, "with a wrong token": wrong, "from another site": b.do(foreign)} {
			if got.code != http.StatusForbidden {
				t.Errorf("%s %s: %d, want 403", r, what, got.code)
			}
		}
	}
	if calls := s.numbers.calls(); len(calls) > 0 {
		t.Errorf("done without a form: %q", calls)
	}
	if _, err := s.auth.Sessions(t.Context(), auth.User{ID: s.owner}); err != nil || b.get("/").code != http.StatusOK {
		t.Error("a forged form has ended the session")
	}
}

func TestViewersOnlyLook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Viewer)
	s.numbers.set(connected(s.owner))
	mine := listed(panelRoutes[signed])
	for _, r := range everyRoute(t, s) {
		if r.method == http.MethodGet || open[r.String()] || mine[r.String()] {
			continue
		}
		if got := b.post(r.path); got.code != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", r, got.code)
		}
	}
	if calls := s.numbers.calls(); len(calls) > 0 {
		t.Errorf("a viewer did %q", calls)
	}
	b.get("/instances/"+string(known)).lacks(t, `data-testid="stop"`, `data-testid="delete-form"`, `data-testid="send-form"`)
	b.get("/").lacks(t, `data-testid="new-number"`)
	if got := b.get("/instances/new"); got.code != http.StatusForbidden {
		t.Errorf("the form for a new number: %d, want 403", got.code)
	}
}

func TestOthersNumbersDoNotExist(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Operator)
	s.numbers.set(connected(99))
	for _, r := range everyRoute(t, s) {
		if !strings.Contains(r.pattern, "{id}") {
			continue
		}
		var got answer
		if r.method == http.MethodGet {
			if r.pattern != "/instances/{id}" {
				continue // without htmx these lead to the page itself
			}
			got = b.get(r.path)
		} else {
			got = b.post(r.path, "to", "+491701234567", "text", "x", "phone", "+491701234567", "name", "x", "confirm", "Front desk", "credential", credential)
		}
		if got.code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", r, got.code)
		}
		got.lacks(t, "Front desk</h1>")
	}
	b.get("/").lacks(t, "Front desk")
}

func TestSubPath(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.BasePath = "/sub" })
	s.person(auth.Owner)
	b := s.browser()
	b.get("/sub/login")
	if got := b.post("/sub/login", "email", email, "password", password); got.header.Get("Location") != "/sub/" {
		t.Fatalf("sign-in leads to %q", got.header.Get("Location"))
	}
	s.numbers.set(connected(s.owner))
	for _, path := range []string{"/sub/", "/sub/account", "/sub/instances/new", "/sub/instances/" + string(known)} {
		got := b.get(path)
		if got.code != http.StatusOK {
			t.Errorf("%s: %d", path, got.code)
		}
		for _, attribute := range []string{`href="/`, `src="/`, `action="/`, `hx-get="/`, `hx-post="/`} {
			for _, rest := range strings.Split(got.body, attribute)[1:] {
				if !strings.HasPrefix(rest, "sub/") {
					t.Errorf("%s links outside the sub-path: %s%.30s", path, attribute, rest)
				}
			}
		}
	}
	// A proxy that cuts the sub-path off, and one that leaves out the slash.
	if got := b.get("/account"); got.code != http.StatusOK {
		t.Errorf("without the sub-path: %d", got.code)
	}
	if got := b.get("/sub"); got.header.Get("Location") != "/sub/" {
		t.Errorf("without a slash: %d to %q", got.code, got.header.Get("Location"))
	}
}

func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	b := newSite(t).signedIn(auth.Owner)
	if got := b.get("/import"); got.code != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
		t.Errorf("GET of a command: %d", got.code)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	broken := false
	s := newSite(t, func(o *Options) { o.Ready = readiness(&broken) })
	b := s.browser()
	for _, c := range []struct {
		path   string
		broken bool
		want   int
	}{{"/healthz", false, 200}, {"/readyz", false, 200}, {"/readyz", true, 503}, {"/healthz", true, 200}} {
		broken = c.broken
		got := b.get(c.path)
		if got.code != c.want {
			t.Errorf("%s, broken %v: %d, want %d", c.path, c.broken, got.code, c.want)
		}
		got.lacks(t, "secret")
		if len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s sets a cookie", c.path)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	b := newSite(t).browser()
	page := b.get("/login")
	for _, name := range []string{"app.css", "htmx.min.js", "app.js", "passkey.js", "icon.svg", "inter-latin-5.3.0.woff2"} {
		_, rest, found := strings.Cut(page.body, "/static/"+name)
		if !found {
			t.Errorf("the page does not load %s", name)
			continue
		}
		query, _, _ := strings.Cut(rest, `"`)
		got := b.get("/static/" + name + query)
		if got.code != http.StatusOK || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s%s: %d, %q", name, query, got.code, got.header.Get("Cache-Control"))
		}
	}
	if got := b.get("/static/app.css?v=old"); got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a version that is not there may be kept: %q", got.header.Get("Cache-Control"))
	}
	if got := b.get("/static/source/app.css"); got.code != http.StatusNotFound {
		t.Errorf("the source is served: %d", got.code)
	}
}

func TestManagementAPIIsMounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) {
		o.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	if got := s.browser().get("/api/v1/instances"); got.code != http.StatusTeapot {
		t.Errorf("GET: %d", got.code)
	}
	r := httptest.NewRequest(http.MethodPost, "http://panel.test/api/v1/instances", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := s.browser().do(r); got.code != http.StatusForbidden {
		t.Errorf("POST from another site: %d", got.code)
	}
}

// Nothing of the browser's counts below /gowa, so it is open to other sites' pages as well.
func TestGatewayIsMounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) {
		o.Gateway = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	for _, path := range []string{"/gowa", "/gowa/", "/gowa/send/message"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodPatch, "PROPFIND"} {
			if method == "PROPFIND" && path == "/gowa" {
				continue
			}
			r := httptest.NewRequest(method, "http://panel.test"+path, nil)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			if got := s.browser().do(r); got.code != http.StatusTeapot {
				t.Errorf("%s %s: %d", method, path, got.code)
			}
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	for _, path := range []string{"/", "/account", "/instances/" + string(known), "/healthz", "/readyz", "/static/app.css"} {
		if got := b.do(httptest.NewRequest(http.MethodHead, "http://panel.test"+path, nil)); got.code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, got.code)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	signedIn, stranger := s.signedIn(auth.Owner), s.browser()
	for path, allow := range map[string]string{
		"/": "GET, HEAD", "/healthz": "GET, HEAD", "/login": "GET, POST, HEAD", "/import": "POST",
		"/instances/" + string(known) + "/stop": "POST", "/static/app.css": "GET, HEAD",
	} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND", "NONSENSE"} {
			for who, b := range map[string]*browser{"signed in": signedIn, "stranger": stranger} {
				got := b.do(httptest.NewRequest(method, "http://panel.test"+path, nil))
				if got.code != http.StatusMethodNotAllowed || got.header.Get("Allow") != allow {
					t.Errorf("%s %s, %s: %d, allowed %q, want %q", method, path, who, got.code, got.header.Get("Allow"), allow)
				}
			}
		}
	}
}

// The router itself knows only the methods of HTTP; programs get the API's answer all the same.
func TestUnknownMethodsOfTheAPI(t *testing.T) {
	t.Parallel()
	api := chi.NewRouter()
	api.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
	api.Get("/instances", func(http.ResponseWriter, *http.Request) {})
	s := newSite(t, func(o *Options) { o.API = api })
	for _, method := range []string{http.MethodPut, "PROPFIND", "NONSENSE"} {
		got := s.browser().do(httptest.NewRequest(method, "http://panel.test/api/v1/instances", nil))
		if got.code != http.StatusMethodNotAllowed || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", method, got.code, got.header.Get("Content-Type"))
		}
	}
}

func TestStaticFoldersAreNotListed(t *testing.T) {
	t.Parallel()
	b := newSite(t).browser()
	for _, path := range []string{"/static/", "/static/licenses", "/static/licenses/", "/static/nothing.css"} {
		if got := b.get(path); got.code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.code)
		}
	}
}
