//go:build !race

package gowa_test

import (
	"encoding/json"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"testing"

	"switchboard/egress"
	"switchboard/gowa"
	"switchboard/gowa/gowatest"
	"switchboard/instances"
)

var malformed = flag.Int("malformed", 500, "how many malformed requests TestMalformed sends to each operation")

// TestMalformed sends rubbish to every operation in the table of routes: whatever comes is
// answered with what is wrong about it, and the number lives on.
func TestMalformed(t *testing.T) {
	t.Parallel()
	n := newLinked(t)
	api := gowa.New(gowa.Options{ID: "test_20240101000000", Version: "1", Number: n.session, Log: slog.New(slog.DiscardHandler), Egress: egress.New(nil)})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for _, op := range gowa.Operations() {
		for range *malformed {
			r, what := gowatest.Rubbish(t.Context(), random, op)
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			var out struct{ Code, Message string }
			err := json.Unmarshal(w.Body.Bytes(), &out)
			sentence := out.Message != "" && len(out.Message) < 1000 // whatever it was sent
			if w.Code < 400 || w.Code > 499 || err != nil || out.Code == "" || !sentence {
				t.Errorf("%s with %s (%.200q): %d %.300s", op, what, r.URL, w.Code, w.Body)
				break
			}
		}
	}
	n.until("connected", func(r instances.Report) bool { return r.Status == instances.Connected })
	if id := n.done(post, "/send/message", params{"phone": n.owner.Number(), "message": "still here"}).id(t); id != "" {
		arrives(t, n.owner, id, nil)
	}
}
