package handlers

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/go-jose/go-jose/v4"
	"github.com/pquerna/otp/totp"

	"switchboard/auth"
)

var (
	seedShown = regexp.MustCompile(`data-testid="totp-seed">([A-Z2-7]+)<`)
	codeShown = regexp.MustCompile(`data-testid="recovery-code">([a-z2-7-]+)<`)
)

// code is what the app shows that many steps from now.
func code(t *testing.T, seed string, steps int) string {
	t.Helper()
	c, err := totp.GenerateCode(seed, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withApp sets an authenticator app up and returns its seed and the recovery codes.
func (b *browser) withApp() (seed string, recovery []string) {
	t := b.site.t
	t.Helper()
	if got := b.post("/account/totp", "current", "wrong"); got.code != http.StatusUnprocessableEntity || seedShown.MatchString(got.body) {
		t.Fatalf("without the password: %d", got.code)
	}
	m := seedShown.FindStringSubmatch(b.post("/account/totp", "current", password).body)
	if m == nil {
		t.Fatal("no seed is shown")
	}
	if got := b.post("/account/totp/confirm", "code", "000000"); got.code != http.StatusUnprocessableEntity {
		t.Fatalf("a wrong first code: %d", got.code)
	}
	got := b.post("/account/totp/confirm", "code", code(t, m[1], -1))
	for _, c := range codeShown.FindAllStringSubmatch(got.body, -1) {
		recovery = append(recovery, c[1])
	}
	if len(recovery) != 10 {
		t.Fatalf("%d recovery codes", len(recovery))
	}
	return m[1], recovery
}

func TestAuthenticatorApp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.signedIn(auth.Owner)
	seed, recovery := first.withApp()

	b := s.browser()
	b.get("/login")
	planted := b.jar.Cookies(s.url)[0].Value
	got := b.post("/login", "email", email, "password", password, "next", "/account")
	if got.header.Get("Location") != "/login/second?next=%2Faccount" {
		t.Fatalf("after the password: %d to %q", got.code, got.header.Get("Location"))
	}
	if b.jar.Cookies(s.url)[0].Value == planted {
		t.Error("the cookie from before the password goes on")
	}
	if got := b.get("/account"); got.code != http.StatusSeeOther {
		t.Errorf("half signed in sees %d", got.code)
	}
	b.get("/login/second").has(t, `autocomplete="one-time-code"`)
	if got := b.post("/login/second", "code", "000000"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code: %d", got.code)
	}
	if got := b.post("/login/second", "code", code(t, seed, -1)); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a code for the second time: %d", got.code)
	}
	now := code(t, seed, 0)
	if got := b.post("/login/second", "code", now[:3]+" "+now[3:], "next", "/account"); got.header.Get("Location") != "/account" {
		t.Fatalf("a right code: %d %s", got.code, got.body)
	}
	if got := b.get("/account"); got.code != http.StatusOK {
		t.Errorf("signed in sees %d", got.code)
	}

	// A recovery code works, once.
	for _, want := range []int{http.StatusSeeOther, http.StatusUnprocessableEntity} {
		b := s.browser()
		b.get("/login")
		b.post("/login", "email", email, "password", password)
		b.get("/login/second")
		if got := b.post("/login/second", "code", strings.ToUpper(recovery[0])); got.code != want {
			t.Errorf("a recovery code: %d, want %d", got.code, want)
		}
	}
	b.get("/account/security").has(t, "9 recovery codes")
	record := s.record()
	for _, line := range []string{"sign-in.first-step: ok", "sign-in.refused: failed"} {
		if !strings.Contains(record, email+" "+line) {
			t.Errorf("%q is not recorded:\n%s", line, record)
		}
	}

	// Without the first step there is no second.
	stranger := s.browser()
	stranger.get("/login")
	if got := stranger.post("/login/second", "code", recovery[1]); got.header.Get("Location") != "/login" {
		t.Errorf("a stranger with a code: %d", got.code)
	}
	if got := b.post("/account/totp/remove", "current", password); got.code != http.StatusSeeOther {
		t.Errorf("remove: %d", got.code)
	}
	b = s.browser()
	b.login()
}

func TestGuessingCodesIsSlow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.signedIn(auth.Owner).withApp()
	b := s.browser()
	b.get("/login")
	b.post("/login", "email", email, "password", password)
	b.get("/login/second")
	for range 20 {
		if got := b.post("/login/second", "code", "000000"); got.code == http.StatusTooManyRequests {
			if got.header.Get("Retry-After") == "" {
				t.Error("nobody says how long to wait")
			}
			return
		}
	}
	t.Error("twenty guesses were let through")
}

func TestAdministratorTakesFactorsAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.signedIn(auth.Operator).withApp()
	if _, err := s.auth.AddUser(t.Context(), auth.NewUser{Email: "root@example.org", Role: auth.Owner, Password: password}); err != nil {
		t.Fatal(err)
	}
	owner := s.browser()
	owner.get("/login")
	owner.post("/login", "email", "root@example.org", "password", password)
	owner.get("/account")
	page := "/people/" + strconv.FormatInt(s.owner, 10)
	owner.get(page).has(t, `data-testid="reset-factors"`)
	owner.post(page + "/factors/reset")
	s.browser().login()
}

func TestPasskey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	rp := virtualwebauthn.RelyingParty{Name: "Switchboard", ID: "panel.test", Origin: "http://panel.test"}
	device := virtualwebauthn.NewAuthenticator()
	device.Options.UserHandle = binary.BigEndian.AppendUint64(nil, uint64(s.owner))
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)

	if got := b.post("/account/passkeys/begin", "current", "wrong"); got.code == http.StatusOK {
		t.Error("a passkey is begun without the password")
	}
	asked, err := virtualwebauthn.ParseAttestationOptions(b.post("/account/passkeys/begin", "current", password).body)
	if err != nil {
		t.Fatal(err)
	}
	reply := virtualwebauthn.CreateAttestationResponse(rp, device, key, *asked)
	evil := rp
	evil.Origin = "http://panel.test.evil.example"
	if got := b.post("/account/passkeys", "credential", virtualwebauthn.CreateAttestationResponse(evil, device, key, *asked)); got.code != http.StatusUnprocessableEntity {
		t.Errorf("made on another site: %d", got.code)
	}
	if got := b.post("/account/passkeys", "name", "Laptop", "credential", reply); got.code != http.StatusConflict {
		t.Errorf("an answer to a question that was used up: %d", got.code)
	}
	asked, err = virtualwebauthn.ParseAttestationOptions(b.post("/account/passkeys/begin", "current", password).body)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.post("/account/passkeys", "name", "Laptop", "credential", virtualwebauthn.CreateAttestationResponse(rp, device, key, *asked)); got.code != http.StatusSeeOther {
		t.Fatalf("add: %d %s", got.code, got.body)
	}
	device.AddCredential(key)
	b.get("/account/security").has(t, "Laptop")

	// With the password alone nobody gets in any more.
	half := s.browser()
	half.get("/login")
	if got := half.post("/login", "email", email, "password", password); !strings.HasPrefix(got.header.Get("Location"), "/login/second") {
		t.Errorf("the password alone: %d to %q", got.code, got.header.Get("Location"))
	}
	half.get("/login/second").has(t, `data-testid="passkey-sign-in"`)

	touch := func(b *browser, rp virtualwebauthn.RelyingParty, change ...func(*virtualwebauthn.AssertionOptions)) answer {
		options, err := virtualwebauthn.ParseAssertionOptions(b.post("/login/passkey/begin").body)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range change {
			c(options)
		}
		return b.post("/login/passkey", "next", "/account", "credential", virtualwebauthn.CreateAssertionResponse(rp, device, key, *options))
	}
	fresh := s.browser()
	fresh.get("/login")
	if got := touch(fresh, evil); got.code != http.StatusUnauthorized {
		t.Errorf("a touch on another site: %d", got.code)
	}
	if got := touch(fresh, rp, func(o *virtualwebauthn.AssertionOptions) { o.Challenge[0] ^= 1 }); got.code != http.StatusUnauthorized {
		t.Errorf("an answer to another challenge: %d", got.code)
	}
	if got := touch(fresh, rp); got.header.Get("Location") != "/account" {
		t.Fatalf("a touch: %d to %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	if got := fresh.get("/account"); got.code != http.StatusOK {
		t.Errorf("signed in by passkey sees %d", got.code)
	}

	// Whoever sits down at an unlocked desk does not know the password.
	remove := regexp.MustCompile(`action="(/account/passkeys/[^/"]+/remove)"`)
	page := b.get("/account/security").body
	for _, current := range []string{"", "wrong"} {
		got := b.post(remove.FindStringSubmatch(page)[1], "current", current)
		if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "not your current password") || !strings.Contains(got.body, "Laptop") {
			t.Errorf("a passkey is removed with the password %q: %d", current, got.code)
		}
	}
	if got := b.post(remove.FindStringSubmatch(page)[1], "current", password); got.code != http.StatusSeeOther || remove.MatchString(b.get("/account/security").body) {
		t.Errorf("with the password it is not removed: %d", got.code)
	}
}

// provider is an OpenID Connect provider with a real key and real signatures.
type provider struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any // of the next sign-in
	nonce  string
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "panel" || secret != "s3cret" || r.FormValue("code") != "good" || r.FormValue("code_verifier") == "" {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": "invalid_grant"})
			return
		}
		claims := map[string]any{"iss": p.URL, "aud": "panel", "nonce": p.nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
		for name, value := range p.claims {
			claims[name] = value
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "one"}}, nil)
		if err != nil {
			t.Error(err)
		}
		text, _ := json.Marshal(claims)
		signed, err := signer.Sign(text)
		if err != nil {
			t.Error(err)
			return
		}
		token, _ := signed.CompactSerialize()
		reply(w, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": token})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// begin sends b to the provider and returns the state to come back with.
func (p *provider) begin(b *browser) (state string) {
	b.site.t.Helper()
	b.get("/login?account=yes").has(b.site.t, "Sign in with Example")
	got := b.get("/login/sso?next=/account")
	to, err := url.Parse(got.header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), p.URL+"/authorize?") {
		b.site.t.Fatalf("%d to %q", got.code, got.header.Get("Location"))
	}
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != "http://panel.test/login/sso/callback" {
		b.site.t.Errorf("asked for %v", q)
	}
	p.nonce = q.Get("nonce")
	return q.Get("state")
}

func TestSingleSignOn(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := newSite(t)
	s.person(auth.Operator)
	s.signOnWith(auth.Provider{Issuer: p.URL, ClientID: "panel", ClientSecret: "s3cret", Name: "Example"})
	ada := map[string]any{"sub": "1", "email": "Ada@example.org", "email_verified": true}
	back := func(b *browser, state, code string) answer {
		return b.get("/login/sso/callback?state=" + url.QueryEscape(state) + "&code=" + code)
	}
	refused := func(what string, got answer) {
		t.Helper()
		if got.code != http.StatusUnauthorized {
			t.Errorf("%s: %d to %q", what, got.code, got.header.Get("Location"))
		}
	}

	b := s.browser()
	state := p.begin(b)
	p.claims = map[string]any{"sub": "1", "email": email, "email_verified": false}
	refused("an address that was not verified", back(b, state, "good"))
	p.claims = map[string]any{"sub": "2", "email": "stranger@example.org", "email_verified": true}
	refused("a stranger", back(b, p.begin(b), "good"))
	p.claims = ada
	refused("another state", back(b, p.begin(b)+"x", "good"))
	refused("a bad code", back(b, p.begin(b), "bad"))
	state = p.begin(b)
	p.nonce = "another"
	refused("another nonce", back(b, state, "good"))
	state = p.begin(b)
	p.claims = map[string]any{"sub": "1", "email": email, "email_verified": true, "aud": "somebody else"}
	refused("a token for another client", back(b, state, "good"))
	p.claims = map[string]any{"sub": "1", "email": email, "email_verified": true, "exp": time.Now().Add(-time.Hour).Unix()}
	refused("an old token", back(b, p.begin(b), "good"))
	real := p.key
	p.key, _ = rsa.GenerateKey(rand.Reader, 2048)
	p.claims = ada
	refused("a token with another signature", back(b, p.begin(b), "good"))
	p.key = real
	state = p.begin(b)
	other := s.browser()
	other.get("/login?account=yes")
	refused("a sign-in that began in another browser", back(other, state, "good"))

	if got := back(b, state, "good"); got.header.Get("Location") != "/account" {
		t.Fatalf("signed in: %d to %q %s", got.code, got.header.Get("Location"), got.body)
	}
	b.get("/account").has(t, email)
	refused("the same answer again", back(s.browser(), state, "good"))

	// From now on the subject counts, whatever address the provider names.
	p.claims = map[string]any{"sub": "1", "email": "new@example.org", "email_verified": true}
	b = s.browser()
	if got := back(b, p.begin(b), "good"); got.code != http.StatusSeeOther {
		t.Errorf("with a new address: %d", got.code)
	}
	b.get("/account").has(t, email)

	// Whoever is new gets an account where that is wished.
	s.signOnWith(auth.Provider{Issuer: p.URL, ClientID: "panel", ClientSecret: "s3cret", Name: "Example", Role: auth.Viewer})
	p.claims = map[string]any{"sub": "9", "email": "nina@example.org", "email_verified": true, "name": "Nina"}
	b = s.browser()
	back(b, p.begin(b), "good")
	b.get("/account").has(t, "Nina", "viewer")

	p.Close()
	s.signOnWith(auth.Provider{Issuer: p.URL, ClientID: "panel", ClientSecret: "s3cret", Name: "Example"})
	b = s.browser()
	b.get("/login?account=yes")
	if got := b.get("/login/sso"); got.code != http.StatusServiceUnavailable {
		t.Errorf("with the provider away: %d", got.code)
	}
}
