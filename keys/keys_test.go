package keys

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/settings/settingstest"
)

const id = instances.ID("support_20261126120000")

// world is a number with its door.
type world struct {
	t    *testing.T
	kept *settingstest.Memory
	ring Ring
	door *Door
	http http.Handler

	noted []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, kept: &settingstest.Memory{}}
	w.ring = Ring{w.kept}
	w.door = NewDoor(Options{
		ID: id,
		Refuse: func(w http.ResponseWriter, status int, code, message string) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(code + " " + message))
		},
		Note: func(key string, _ time.Time) { w.noted = append(w.noted, key) },
	})
	w.http = w.door.Guard(func(r *http.Request) Scope { return ScopeOf(r.Method, r.URL.Path, r.URL.Query()) },
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the key goes further than the door")
			}
		}))
	return w
}

func (w *world) add(in New) (settings.Key, string) {
	w.t.Helper()
	key, secret, err := w.ring.Add(w.t.Context(), id, in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply()
	return key, secret
}

// apply has the door work by the keys as they are.
func (w *world) apply() {
	w.t.Helper()
	s, err := w.kept.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.door.Apply(s)
}

// ask sends a request and returns the status of its answer.
func (w *world) ask(method, path, scheme, user, secret string) int {
	w.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	switch scheme {
	case "Basic":
		r.SetBasicAuth(user, secret)
	case "":
	default:
		r.Header.Set("Authorization", scheme+" "+secret)
	}
	answer := httptest.NewRecorder()
	w.http.ServeHTTP(answer, r)
	if strings.Contains(answer.Body.String(), Prefix) {
		w.t.Errorf("the answer repeats what was sent: %s", answer.Body)
	}
	return answer.Code
}

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.ask("GET", "/app/status", "Bearer", "", "swk_"); got != http.StatusUnauthorized {
		t.Errorf("a number without keys: %d", got)
	}
	key, secret := w.add(New{Name: "  shop   system "})
	if key.Name != "shop system" || strings.Contains(key.Hash, secret) || !strings.HasPrefix(secret, Prefix) || len(secret) != 56 {
		t.Errorf("the key is %+v", key)
	}
	w.add(New{Name: "another"})
	for _, c := range []struct {
		scheme, user, secret string
		want                 int
	}{
		{"Basic", string(id), secret, 200}, {"Bearer", "", secret, 200}, {"bearer", "", " " + secret, 200},
		{"", "", "", 401}, {"Basic", string(id), "", 401}, {"Basic", "admin", secret, 401}, {"Basic", secret, string(id), 401},
		{"Basic", string(id), key.Hash, 401}, {"Bearer", "", strings.ToLower(secret), 401}, {"Token", "", secret, 401},
	} {
		if got := w.ask("GET", "/app/status", c.scheme, c.user, c.secret); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.scheme, c.user, got, c.want)
		}
	}
	if len(w.noted) != 1 || w.noted[0] != key.ID {
		t.Errorf("noted are %v", w.noted)
	}
	if used := w.door.Used(); len(used) != 1 || time.Since(used[key.ID]) > time.Minute {
		t.Errorf("used: %v", used)
	}
	if err := w.ring.Revoke(t.Context(), id, key.ID); err != nil {
		t.Fatal(err)
	}
	w.apply()
	if got := w.ask("GET", "/app/status", "Bearer", "", secret); got != http.StatusUnauthorized {
		t.Errorf("a revoked key: %d", got)
	}
	if err := w.ring.Revoke(t.Context(), id, key.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("revoked twice: %v", err)
	}
	if used := w.door.Used(); used != nil {
		t.Errorf("a key that is gone was used: %v", used)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, looks := w.add(New{Name: "looks", Scopes: []Scope{Read}})
	_, sends := w.add(New{Name: "sends", Scopes: []Scope{Send}})
	_, both := w.add(New{Name: "both", Scopes: []Scope{Send, Read}})
	all, every := w.add(New{Name: "all", Scopes: []Scope{Manage, Send, Read}})
	if all.Scopes != nil {
		t.Errorf("all scopes are %v", all.Scopes)
	}
	for path, scope := range map[string]Scope{
		"GET /chats": Read, "HEAD /chats": Read, "GET /chat/1@g.us/messages": Read, "GET /app/status": Read, "GET /app/devices": Read,
		"GET /message/1/download": Read, "GET /user/my/groups": Read, "GET /group/invite-link?reset=false": Read, "GET /statics/media/x": Read,
		"POST /send/message": Send, "POST /message/1/read": Send, "POST /chat/1/pin": Send, "POST /call/reject": Send,
		"GET /app/logout": Manage, "GET /app/login": Manage, "GET /app/login-with-code": Manage, "GET /app/reconnect": Manage,
		"GET /app/passkey": Manage, "POST /app/passkey/confirm": Manage, "POST /user/pushname": Manage, "POST /group": Manage,
		"GET /group/invite-link?reset=true": Manage, "GET /group/invite-link?reset=1": Manage, "POST /newsletter/unfollow": Manage,
		"DELETE /send/message": Manage, "DELETE /queue/x": Send, "GET /queue": Read, "PUT /x": Manage,
	} {
		method, path, _ := strings.Cut(path, " ")
		for secret, scopes := range map[string]string{looks: "read", sends: "send", both: "read send", every: "read send manage"} {
			got := w.ask(method, path, "Bearer", "", secret)
			if want := strings.Contains(scopes, string(scope)); (got == 200) != want || got != 200 && got != 403 {
				t.Errorf("%s %s with %s: %d", method, path, scopes, got)
			}
		}
	}
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, secret := w.add(New{Name: "for a day", Expires: time.Now().Add(24 * time.Hour)})
		if got := w.ask("GET", "/", "Bearer", "", secret); got != 200 {
			t.Errorf("on its day: %d", got)
		}
		time.Sleep(24 * time.Hour)
		if got := w.ask("GET", "/", "Bearer", "", secret); got != http.StatusUnauthorized {
			t.Errorf("a day later: %d", got)
		}
	})
}

// Guessing one of 2^260 is hopeless at any speed, so that nobody is ever kept waiting: a stranger
// gets the same answer each time, and the owner's programs are let in meanwhile.
func TestGuessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.add(New{Name: "right"})
	for range 100 {
		if got := w.ask("GET", "/", "Bearer", "", "swk_wrong"); got != http.StatusUnauthorized {
			t.Fatalf("a wrong key: %d", got)
		}
	}
	if got := w.ask("GET", "/", "Bearer", "", secret); got != 200 {
		t.Errorf("the right key after that: %d", got)
	}
}

func TestWhatNoKeyIsMadeFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for field, in := range map[string]New{
		"name": {Name: " \t"}, "expires_at": {Name: "x", Expires: time.Now().Add(-time.Second)}, "scopes": {Name: "x", Scopes: []Scope{"write"}},
	} {
		if _, _, err := w.ring.Add(t.Context(), id, in); fault.FieldOf(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, name := range []string{"a\x00b", strings.Repeat("ä", 81), "a\xffb"} {
		if _, _, err := w.ring.Add(t.Context(), id, New{Name: name}); fault.FieldOf(err) != "name" {
			t.Errorf("%q: %v", name, err)
		}
	}
	for range mostKeys {
		w.add(New{Name: "one of many"})
	}
	if _, _, err := w.ring.Add(t.Context(), id, New{Name: "x"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("one more than the most: %v", err)
	}
}
