package worker_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"switchboard/control"
	"switchboard/settings"
)

// Whoever follows a number learns that it stops when it does, and not when it runs again.
func TestTheEndOfAWorkerIsDelivered(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var told struct{ Event string }
		if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, told.Event)
	}))
	defer receiver.Close()
	doc := document(t)
	doc.EgressAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	var err error
	doc.Settings, err = json.Marshal(settings.Settings{Revision: 1, Webhooks: []settings.Webhook{{
		ID: "farewell", URL: receiver.URL, Secret: "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", Events: []string{"connection.stopping", "connection.stopped"},
	}}})
	must(t, err)
	r := start(t, doc)
	r.stop()
	if code := r.ended(t); code != control.ExitStopped {
		t.Errorf("ended with %d", code)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"connection.stopping", "connection.stopped"}; !slices.Equal(got, want) {
		t.Errorf("it was told %v, want %v", got, want)
	}
}
