package handlers

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
)

func TestKeysOfANumber(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) {
		o.Gateway, o.GatewayURL = http.NotFoundHandler(), "https://panel.example.org/gowa"
	})
	b := s.signedIn(auth.Operator)
	s.numbers.set(connected(s.owner))
	got := b.get(page + "/access")
	got.has(t, "http://127.0.0.1:3001", "https://panel.example.org/gowa", string(known), "YOUR-KEY", `data-testid="example-php"`, "491701234567")
	got.lacks(t, `data-testid="key"`)

	got = b.post(page+"/keys", "name", "Shop <system>", "may", "send", "days", "90")
	secret := regexp.MustCompile(`swk_[A-Z2-7]{52}`).FindString(got.body)
	if got.code != http.StatusCreated || secret == "" {
		t.Fatalf("made: %d %s", got.code, got.body)
	}
	if n := strings.Count(got.body, secret); n != 5 { // to copy, and in each example
		t.Errorf("the key stands in %d places", n)
	}
	got.has(t, "Shop &lt;system&gt;", "Send · never used · works for another 90 days")
	got.lacks(t, "YOUR-KEY")

	kept, err := s.settings.Get(t.Context(), known)
	if err != nil || len(kept.Keys) != 1 || strings.Contains(kept.Keys[0].Hash, secret) {
		t.Fatalf("kept are %+v, %v", kept.Keys, err)
	}
	inst := connected(s.owner)
	inst.KeysUsed = map[string]time.Time{kept.Keys[0].ID: time.Now().Add(-time.Hour)}
	s.numbers.set(inst)
	got = b.get(page + "/access")
	got.has(t, "last used")
	got.lacks(t, secret)

	for _, c := range []struct{ name, may, days, want string }{
		{" ", "", "0", "Give the key a name"}, {"x", "write", "0", "The scopes are"}, {"x", "", "x", "Choose how long"},
	} {
		got := b.post(page+"/keys", "name", c.name, "may", c.may, "days", c.days)
		if got.code != http.StatusUnprocessableEntity {
			t.Errorf("%+v: %d", c, got.code)
		}
		got.has(t, c.want)
	}
	if got := b.post(page + "/keys/" + kept.Keys[0].ID + "/revoke"); got.code != http.StatusSeeOther {
		t.Errorf("revoked: %d", got.code)
	}
	got = b.get(page + "/access")
	got.has(t, "The key was revoked")
	got.lacks(t, `data-testid="key"`)
	if got := b.post(page + "/keys/" + kept.Keys[0].ID + "/revoke"); got.code != http.StatusNotFound {
		t.Errorf("revoked twice: %d", got.code)
	}
}
