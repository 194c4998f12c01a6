package handlers

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/instances"
	"switchboard/journal"
	"switchboard/keys"
	"switchboard/resources"
	"switchboard/secrets"
	"switchboard/settings"
	"switchboard/settings/settingstest"
	"switchboard/store"
	"switchboard/webhooks"
	"switchboard/webhooks/webhookstest"
)

const (
	email    = "ada@example.org"
	password = "violet kettle harbour"
)

// site is the panel over a real control database and real sign-in, with fake numbers.
type site struct {
	t        *testing.T
	server   *server
	handler  http.Handler
	auth     *auth.Auth
	numbers  *fakeNumbers
	messages *fakeMessages
	settings *settingstest.Memory
	webhooks webhooks.Desk
	database *sql.DB // of every number
	audit    *audit.Log
	log      journal.Log // of every number
	url      *url.URL
	open     func(*auth.Provider)
	owner    int64 // the person that was made last
}

var (
	noExpiry time.Time
	start    = time.Now()
)

func newSite(t *testing.T, change ...func(*Options)) *site {
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
	base := &url.URL{Scheme: "http", Host: "panel.test", Path: "/"}
	s := &site{t: t, numbers: &fakeNumbers{}, messages: &fakeMessages{}, settings: &settingstest.Memory{}, log: journal.Log{Dir: t.TempDir(), Name: "worker.log"}, url: base}
	s.database = webhookstest.Database(t)
	s.webhooks = webhooks.Desk{Settings: s.settings, Workers: s.numbers, Read: webhookstest.Reader(s.database)}
	o := Options{
		Instances: s.numbers, Messages: s.messages, Version: "test",
		System: &fakeSystem{}, KeepDays: 30,
		Ready:     func(context.Context) error { return nil },
		Queue:     fakeQueue{},
		Keys:      keys.Ring{Settings: s.settings},
		Settings:  s.settings,
		Bounds:    settings.Bounds{All: instances.Limits{Memory: 512 << 20, OpenFiles: 1024, Log: 20 << 20}, Folder: func(instances.ID) int64 { return 60 << 20 }},
		Webhooks:  s.webhooks,
		WorkerURL: func(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) },
		Usage:     new(resources.Sampler),
		Logs:      func(instances.ID) journal.Log { return s.log },
		Log:       slog.New(slog.DiscardHandler),
	}
	s.newAudit(db, &o)
	for _, c := range change {
		c(&o)
	}
	base.Path = o.BasePath + "/"
	box, err := secrets.New("key", auth.BoxPurpose)
	if err != nil {
		t.Fatal(err)
	}
	s.open = func(p *auth.Provider) {
		s.auth = auth.New(db, auth.Options{BaseURL: base, Log: o.Log, Box: box, Provider: p})
		o.Auth = s.auth
		s.handler = New(o)
		s.server = &server{Options: o, crossOrigin: http.NewCrossOriginProtection()}
	}
	s.open(nil)
	return s
}

// signOnWith opens the panel anew, with single sign-on.
func (s *site) signOnWith(p auth.Provider) { s.open(&p) }

// person makes somebody who may sign in.
func (s *site) person(role auth.Role) auth.User {
	s.t.Helper()
	u, err := s.auth.AddUser(s.t.Context(), auth.NewUser{Email: email, Name: "Ada", Role: role, Password: password})
	if err != nil {
		s.t.Fatal(err)
	}
	s.owner = u.ID
	return u
}

// browser keeps cookies and the token of the last page, and follows no redirect.
type browser struct {
	site *site
	jar  *cookiejar.Jar
	csrf string
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{site: s, jar: jar}
}

// signedIn is a browser of a person with that role.
func (s *site) signedIn(role auth.Role) *browser {
	s.t.Helper()
	s.person(role)
	b := s.browser()
	b.login()
	return b
}

func (b *browser) login() {
	b.site.t.Helper()
	b.get("/login?account=yes")
	if got := b.post("/login", "email", email, "password", password); got.code != http.StatusSeeOther {
		b.site.t.Fatalf("sign in: %d %s", got.code, got.body)
	}
	b.get("/account")
}

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
}

// has reports whether the body holds each text.
func (a answer) has(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%q is missing in:\n%s", text, a.body)
		}
	}
}

func (a answer) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%q is in:\n%s", text, a.body)
		}
	}
}

var csrfField = regexp.MustCompile(`name="` + auth.CSRFField + `" value="([^"]+)"`)

func (b *browser) do(r *http.Request) answer {
	b.site.t.Helper()
	for _, c := range b.jar.Cookies(b.site.url) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	result := w.Result()
	b.jar.SetCookies(b.site.url, result.Cookies())
	body, err := io.ReadAll(result.Body)
	if err != nil {
		b.site.t.Fatal(err)
	}
	if m := csrfField.FindSubmatch(body); m != nil {
		b.csrf = string(m[1])
	}
	return answer{result.StatusCode, result.Header, string(body)}
}

func (b *browser) get(path string) answer {
	b.site.t.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, "http://panel.test"+path, nil))
}

// poll asks as htmx does.
func (b *browser) poll(path string) answer {
	b.site.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://panel.test"+path, nil)
	r.Header.Set("HX-Request", "true")
	return b.do(r)
}

func form(path string, values ...string) *http.Request {
	data := url.Values{}
	for i := 0; i < len(values); i += 2 {
		data.Set(values[i], values[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "http://panel.test"+path, strings.NewReader(data.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// post sends a form with its token, as a browser without scripts does.
func (b *browser) post(path string, values ...string) answer {
	b.site.t.Helper()
	return b.do(form(path, append(values, auth.CSRFField, b.csrf)...))
}

// submit sends a form as htmx does.
func (b *browser) submit(path string, values ...string) answer {
	b.site.t.Helper()
	r := form(path, values...)
	r.Header.Set("HX-Request", "true")
	r.Header.Set(auth.CSRFHeader, b.csrf)
	return b.do(r)
}
