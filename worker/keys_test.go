package worker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/keys"
	"switchboard/settings/settingstest"
)

func settingsOf(t *testing.T, kept *settingstest.Memory) json.RawMessage {
	t.Helper()
	text, err := kept.Document(t.Context(), id)
	must(t, err)
	return text
}

// ask sends a request with a key to the worker's own port and returns the status.
func (r *running) ask(t *testing.T, method, path, user, key string) int {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+r.doc.Listen+path, strings.NewReader("{}"))
	must(t, err)
	req.SetBasicAuth(user, key)
	res, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode
}

// A worker's port opens to the number's keys, those of its start and those it gets later,
// whether or not there is a panel.
func TestKeysOpenAWorkersPort(t *testing.T) {
	t.Parallel()
	var kept settingstest.Memory
	ring := keys.Ring{Settings: &kept}
	first, whole, err := ring.Add(t.Context(), id, keys.New{Name: "first"})
	must(t, err)
	doc := document(t)
	doc.Settings = settingsOf(t, &kept)
	r := start(t, doc)
	if got := r.ask(t, "GET", "/app/status", string(id), whole); got != http.StatusOK {
		t.Errorf("a key of its start: %d", got)
	}
	if got := r.ask(t, "GET", "/app/status", "admin", whole); got != http.StatusUnauthorized {
		t.Errorf("a key under another name: %d", got)
	}

	second, looks, err := ring.Add(t.Context(), id, keys.New{Name: "second", Scopes: []keys.Scope{keys.Read}})
	must(t, err)
	must(t, ring.Revoke(t.Context(), id, first.ID))
	must(t, r.client.Configure(t.Context(), settingsOf(t, &kept)))
	for _, c := range []struct {
		method, path, key string
		want              int
	}{
		{"GET", "/app/status", whole, http.StatusUnauthorized}, {"GET", "/app/status", looks, http.StatusOK},
		{"POST", "/send/message", looks, http.StatusForbidden}, {"GET", "/nowhere", looks, http.StatusNotFound},
		{"GET", "/app%2Flogout", looks, http.StatusForbidden},
	} {
		if got := r.ask(t, c.method, c.path, string(id), c.key); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}

	// The use is reported, and not forgotten with the process.
	used := func(r *running) map[string]time.Time {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return (<-r.client.Reports(ctx)).KeysUsed
	}
	before := used(r)
	if len(before) != 1 || time.Since(before[second.ID]) > time.Minute {
		t.Errorf("used are %v", before)
	}
	r.stop()
	r.ended(t)
	doc.Settings = settingsOf(t, &kept)
	if after := used(start(t, doc)); len(after) != 1 || !after[second.ID].Equal(before[second.ID]) {
		t.Errorf("used were %v and are %v", before, after)
	}
	checkLog(t, doc)
}
