package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/store"
)

const (
	email    = "ada@example.org"
	password = "violet kettle harbour"
)

// site is a panel in miniature: an Auth over a real database, and browsers.
type site struct {
	*auth.Auth
	store *store.Store
	t     *testing.T
}

func newSite(t *testing.T, base string) *site {
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
	return newSiteOver(t, db, base)
}

func newSiteOver(t *testing.T, db *store.Store, base string) *site {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return &site{Auth: auth.New(db, auth.Options{BaseURL: u}), store: db, t: t}
}

func (s *site) owner() auth.User { return s.add(auth.Owner, email) }

func (s *site) add(role auth.Role, email string) auth.User {
	s.t.Helper()
	u, err := s.AddUser(context.Background(), auth.NewUser{Email: email, Name: "Ada", Role: role, Password: password})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// browser keeps cookies as a browser does, as far as one site goes.
type browser struct {
	site    *site
	address string
	cookies map[string]string
	set     []*http.Cookie // by the last answer
}

func (s *site) browser() *browser {
	return &browser{site: s, address: "192.0.2.1:4000", cookies: map[string]string{}}
}

// send runs do as the handler of a request that came through the middleware.
func (b *browser) send(method string, form url.Values, do func(w http.ResponseWriter, r *http.Request)) *httptest.ResponseRecorder {
	b.site.t.Helper()
	r := httptest.NewRequest(method, "/", strings.NewReader(form.Encode()))
	r.RemoteAddr = b.address
	r.Header.Set("User-Agent", "Test/1")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		w.WriteHeader(http.StatusServiceUnavailable)
		if fault.KindOf(err) != fault.Unavailable {
			b.site.t.Errorf("the middleware failed with %v", err)
		}
	}
	b.site.Middleware(fail)(http.HandlerFunc(do)).ServeHTTP(w, r)
	b.set = w.Result().Cookies()
	for _, c := range b.set {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return w
}

func (b *browser) signIn(email, password string) (err error) {
	b.site.t.Helper()
	b.send("POST", nil, func(w http.ResponseWriter, r *http.Request) { err = b.site.SignIn(w, r, email, password) })
	return err
}

func (b *browser) who() (email string) {
	b.site.t.Helper()
	b.send("GET", nil, func(_ http.ResponseWriter, r *http.Request) {
		if u, ok := auth.UserFrom(r.Context()); ok {
			email = u.Email
		}
	})
	return email
}

func (b *browser) cookie() string {
	for _, value := range b.cookies {
		return value
	}
	return ""
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got error %v, want one of kind %d", err, kind)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *browser) signInAnswer(email, password string) *httptest.ResponseRecorder {
	b.site.t.Helper()
	return b.send("POST", nil, func(w http.ResponseWriter, r *http.Request) { _ = b.site.SignIn(w, r, email, password) })
}
