package handlers

import (
	"net/http"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
)

// The whole way in without scripts: set-up link, owner, sign-out, sign-in.
func TestSetup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	got := b.get("/")
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/login" {
		t.Fatalf("%d to %q", got.code, got.header.Get("Location"))
	}
	b.get("/login").has(t, "Open the set-up link", "/login?account=yes")
	b.get("/login?account=yes").has(t, `data-testid="login-form"`)
	if got := b.get("/setup?token=wrong"); got.code != http.StatusNotFound {
		t.Errorf("a wrong token: %d", got.code)
	}
	token, err := s.auth.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.get("/setup/"+token).has(t, `data-testid="setup-form"`)
	b.get("/setup?token="+token).has(t, `data-testid="setup-form"`, `data-testid="name"`, `data-testid="email"`, `data-testid="password"`, `data-testid="submit"`)

	got = b.post("/setup", "token", token, "name", "Ada", "email", "nobody", "password", "short")
	if got.code != http.StatusUnprocessableEntity || strings.Count(got.body, `data-testid="field-error"`) != 2 {
		t.Errorf("bad input: %d\n%s", got.code, got.body)
	}
	got.has(t, `value="Ada"`, `value="nobody"`)
	if first := strings.Index(got.body, " autofocus"); first < strings.Index(got.body, `id="email"`) {
		t.Error("the page does not begin at what is wrong")
	}
	got.lacks(t, `value="short"`)

	got = b.post("/setup", "token", token, "name", "Ada", "email", email, "password", password)
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Fatalf("%d to %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	b.get("/").has(t, "Connect your first number")
	if got := s.browser().get("/setup/" + token); got.code != http.StatusNotFound {
		t.Errorf("the link works twice: %d", got.code)
	}
	b.get("/setup/"+token).has(t, "You are signed in already", "To all numbers")

	b.get("/account")
	if got := b.post("/logout"); got.header.Get("Location") != "/login" {
		t.Errorf("sign-out: %d", got.code)
	}
	if got := b.get("/"); got.code != http.StatusSeeOther {
		t.Errorf("signed out and still inside: %d", got.code)
	}
	b.get("/login").has(t, "You are signed out.", `data-testid="login-form"`)
	got = b.post("/login", "email", email, "password", "not the password")
	if got.code != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", got.code)
	}
	got.has(t, `role="alert"`, `value="`+email+`"`)
	got.lacks(t, "not the password")
	if got := b.post("/login", "email", "", "password", ""); got.code != http.StatusUnprocessableEntity {
		t.Errorf("nothing typed: %d", got.code)
	}
	if got := b.post("/login", "email", email, "password", password); got.header.Get("Location") != "/" {
		t.Errorf("sign-in: %d", got.code)
	}
	if got := b.get("/login"); got.header.Get("Location") != "/" {
		t.Errorf("the sign-in page for somebody signed in: %d", got.code)
	}
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.person(auth.Owner)
	b := s.browser()
	b.get("/login")
	for range 100 {
		got := b.post("/login", "email", email, "password", "wrong password")
		if got.code == http.StatusTooManyRequests {
			if got.header.Get("Retry-After") == "" {
				t.Error("nothing says how long to wait")
			}
			got.has(t, `role="alert"`, `data-testid="login-form"`)
			return
		}
	}
	t.Error("a hundred wrong passwords are fine")
}

func TestSignInLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.person(auth.Owner)
	token, err := s.auth.SignInLink(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	for range 2 { // looking does not use it up
		b.get("/sign-in/"+token).has(t, `data-testid="link-form"`)
	}
	if got := b.post("/sign-in", "token", token); got.header.Get("Location") != "/" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	if got := b.get("/"); got.code != http.StatusOK {
		t.Errorf("not inside: %d", got.code)
	}
	other := s.browser()
	other.get("/login")
	if got := other.post("/sign-in", "token", token); got.code != http.StatusNotFound {
		t.Errorf("the link works twice: %d", got.code)
	}
	if got := other.get("/sign-in?token=" + token); got.code != http.StatusNotFound {
		t.Errorf("the used link shows its form: %d", got.code)
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	other := s.browser()
	other.login()

	got := b.get("/account")
	if n := strings.Count(got.body, `data-testid="session"`); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
	got.has(t, "This browser")
	_, rest, found := strings.Cut(got.body, `action="/account/sessions/`)
	id, _, _ := strings.Cut(rest, "/")
	if !found {
		t.Fatal("the other session cannot be signed out")
	}
	b.post("/account/sessions/" + id + "/revoke")
	if got := other.get("/"); got.code != http.StatusSeeOther {
		t.Errorf("the other browser is still inside: %d", got.code)
	}
	if got := b.post("/account/sessions/" + id + "/revoke"); got.code != http.StatusNotFound {
		t.Errorf("signing it out again: %d", got.code)
	}

	got = b.post("/account/tokens", "name", "Till", "days", "90")
	if got.code != http.StatusCreated {
		t.Fatalf("token: %d", got.code)
	}
	_, rest, _ = strings.Cut(got.body, `id="token-secret" readonly value="`)
	secret, _, _ := strings.Cut(rest, `"`)
	if user, token, err := s.auth.ByToken(t.Context(), secret); err != nil || user.Email != email || token.Name != "Till" || token.ExpiresAt.IsZero() {
		t.Errorf("the token is %+v of %+v, %v", token, user, err)
	}
	got = b.get("/account")
	got.has(t, "Till")
	got.lacks(t, secret)
	if again := b.get("/account"); strings.Contains(again.body, secret) {
		t.Error("the token is shown twice")
	}
	_, rest, _ = strings.Cut(got.body, `action="/account/tokens/`)
	id, _, _ = strings.Cut(rest, "/")
	if got := b.post("/account/tokens/" + id + "/revoke"); got.code != http.StatusSeeOther {
		t.Errorf("revoke: %d", got.code)
	}
	if _, _, err := s.auth.ByToken(t.Context(), secret); err == nil {
		t.Error("the revoked token still works")
	}
	b.get("/account").lacks(t, "Till")

	if got := b.post("/account/password", "current", "wrong password", "password", "another fine password"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong current password: %d", got.code)
	}
	if got := b.post("/account/password", "current", password, "password", "another fine password"); got.header.Get("Location") != "/account" {
		t.Fatalf("new password: %d %s", got.code, got.body)
	}
	b.get("/account").has(t, "Your password was changed")
	fresh := s.browser()
	fresh.get("/login")
	if got := fresh.post("/login", "email", email, "password", "another fine password"); got.code != http.StatusSeeOther {
		t.Errorf("the new password does not work: %d", got.code)
	}
}

func TestOnesOwnTokensOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Operator)
	if _, err := s.auth.AddUser(t.Context(), auth.NewUser{Email: "grace@example.org", Role: auth.Owner, Password: password}); err != nil {
		t.Fatal(err)
	}
	theirs, secret, err := s.auth.AddToken(t.Context(), "grace@example.org", auth.NewToken{Name: "Theirs", Expires: noExpiry})
	if err != nil {
		t.Fatal(err)
	}
	got := b.get("/account")
	got.lacks(t, "Theirs")
	if got := b.post("/account/tokens/" + theirs.ID + "/revoke"); got.code != http.StatusNotFound {
		t.Errorf("revoking somebody else's token: %d", got.code)
	}
	if _, _, err := s.auth.ByToken(t.Context(), secret); err != nil {
		t.Errorf("it no longer works: %v", err)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	b.get("/").lacks(t, `data-testid="import"`)
	s.numbers.found = []instances.Paired{
		{JID: "491711111111:3@s.whatsapp.net", PushName: "Bakery", Source: "go-whatsapp-web-multidevice"},
		{JID: "393331234567:8@s.whatsapp.net", Source: "go-whatsapp-web-multidevice"},
	}
	b.get("/").has(t, "Found 2 paired numbers from go-whatsapp-web-multidevice", "Bakery (+49 171 1111111)", "Import 2 numbers")
	if got := b.post("/import"); got.code != http.StatusSeeOther {
		t.Errorf("%d: %s", got.code, got.body)
	}
	got := b.get("/")
	got.has(t, "Imported.")
	got.lacks(t, `data-testid="import"`)
	if calls := s.numbers.calls(); len(calls) != 2 {
		t.Errorf("asked %q", calls)
	}
	if got := b.post("/import"); got.code != http.StatusConflict {
		t.Errorf("nothing left: %d", got.code)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Simulated, o.PhoneURL = true, "http://127.0.0.1:3081/" })
	b := s.signedIn(auth.Owner)
	empty := b.get("/")
	empty.has(t, "Connect your first number", `data-testid="new-number"`, "Simulated WhatsApp network. Nothing here reaches a real phone.", "Open the simulated phone")
	path := poller(t, empty.body, "rows")
	s.numbers.all = everyState(start)
	for i := range s.numbers.all {
		s.numbers.all[i].Owner = s.owner
	}
	if got := b.poll(path); got.header.Get("HX-Refresh") != "true" {
		t.Errorf("the first number leaves the empty page standing: %d", got.code)
	}
	got := b.get("/")
	for _, inst := range s.numbers.all {
		got.has(t, `data-testid="number-row-`+string(inst.ID)+`" data-status="`+string(inst.Status)+`"`)
	}
	got.has(t, "1 of 23 connected", `data-testid="search"`)
	b.get("/?q=front").has(t, "number-row-00_")
	b.get("/?q=front").lacks(t, "number-row-01_")
	b.get("/?q=170+1234509").has(t, "number-row-09_")
	b.get("/?q=zzz").has(t, "No number matches.")
	stopped := b.get("/?show=stopped")
	stopped.has(t, "number-row-19_", "number-row-20_")
	stopped.lacks(t, "number-row-00_")
	b.get("/?show=attention").has(t, "number-row-01_", "number-row-16_")

	path = poller(t, stopped.body, "rows")
	if got := b.poll(path); got.code != http.StatusNoContent {
		t.Errorf("nothing new: %d", got.code)
	}
	s.numbers.all[0].Status = instances.Idle
	got = b.poll(path)
	got.has(t, "number-row-00_", `id="summary"`)
	got.lacks(t, "<html")
}

func TestBannerOnEveryPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Simulated = true })
	b := s.browser()
	for _, path := range []string{"/login", "/setup?token=x"} {
		b.get(path).has(t, `data-testid="simulated"`)
	}
	b = s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	for _, path := range []string{"/", "/account", "/instances/new", page, "/nothing"} {
		b.get(path).has(t, `data-testid="simulated"`)
	}
	real := newSite(t).signedIn(auth.Owner)
	real.get("/").lacks(t, "Simulated WhatsApp")
}
