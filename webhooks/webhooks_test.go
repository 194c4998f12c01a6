package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/messages"
	"switchboard/settings"
)

// An independent implementation accepts the signature, and so does a client of
// go-whatsapp-web-multidevice.
func TestSignatures(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, nil)
		secret := NewSecret()
		w.run(settings.Webhook{ID: "a", URL: r.URL, Secret: secret, Headers: map[string]string{"X-Mine": "yes"}})
		ok(t, w.Device(t.Context(), ann))
		e := w.put("message", bob, "héllo")
		g := r.next(t)
		verifier, err := standard.NewWebhook(secret)
		ok(t, err)
		if err := verifier.Verify(g.raw, g.header); err != nil {
			t.Errorf("Standard Webhooks: %v", err)
		}
		if err := verifier.Verify(append(slices.Clone(g.raw), ' '), g.header); err == nil {
			t.Error("an altered body is accepted")
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(g.raw)
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); g.header.Get("X-Hub-Signature-256") != want {
			t.Errorf("X-Hub-Signature-256 is %q, want %q", g.header.Get("X-Hub-Signature-256"), want)
		}
		if g.header.Get("Webhook-Id") != e.ID || g.header.Get("X-Mine") != "yes" || g.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", g.header)
		}
		want := `{"event":"message","device_id":"` + ann + `","session_id":"shop_20260101120000","payload":`
		if !strings.HasPrefix(string(g.raw), want) {
			t.Errorf("body %s", g.raw)
		}
		w.put("call.offer", "", "")
		if g := r.next(t); !strings.Contains(string(g.raw), `"timestamp":"20`) {
			t.Errorf("body %s", g.raw)
		}
	})
}

// A secret of somebody's own making signs with its characters.
func TestASecretOfOnesOwn(t *testing.T) {
	t.Parallel()
	p := endpoint{Webhook: settings.Webhook{Secret: "my secret"}}
	now := time.Now()
	h := headersOf(p, "id", []byte("body"), now)
	verifier, err := standard.NewWebhookRaw([]byte("my secret"))
	ok(t, err)
	ok(t, verifier.Verify([]byte("body"), h))
	if h := headersOf(endpoint{}, "id", nil, now); h.Get("Webhook-Signature") != "" || h.Get("X-Hub-Signature-256") != "" {
		t.Errorf("signed without a secret: %v", h)
	}
	if a, b := NewSecret(), NewSecret(); a == b || len(signingKey(a)) != 32 {
		t.Errorf("secrets %q and %q", a, b)
	}
}

// Whatever fails, each chat comes in order, and a repeated event has the same id.
func TestInOrderThroughFailures(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const chats, each = 12, 15
		var mu sync.Mutex
		ids := map[string]string{} // by chat and text
		r := newReceiver(t, func(n int, g got) int {
			mu.Lock()
			defer mu.Unlock()
			key, id := g.Chat+g.Text, g.header.Get("Webhook-Id")
			if before := ids[key]; before != "" && before != id {
				t.Errorf("%s came as %s and as %s", key, before, id)
			}
			ids[key] = id
			if n%2 == 0 {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		})
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		for i := range each {
			for c := range chats {
				w.put("message", fmt.Sprintf("%d@s.whatsapp.net", c), fmt.Sprint(i))
			}
		}
		last := map[string]int{}
		for range chats * each {
			g := r.next(t)
			if want := fmt.Sprint(last[g.Chat]); g.Text != want {
				t.Fatalf("in %s came %s, want %s", g.Chat, g.Text, want)
			}
			last[g.Chat]++
		}
		w.until("all are delivered", func() bool { return len(w.list(Filter{State: Delivered})) == chats*each })
		if s := w.standing("a"); s.Pending != 0 || s.Parked != 0 {
			t.Errorf("it stands %+v", s)
		}
	})
}

// An endpoint that does not answer at all holds up no other.
func TestOneEndpointDelaysNoOther(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		hung := newReceiver(t, func(int, got) int { <-release; return http.StatusOK })
		good := newReceiver(t, nil)
		defer close(release)
		w.pace.timeout = patience
		silent, err := net.Listen("tcp", "127.0.0.1:0") // it never accepts
		ok(t, err)
		defer silent.Close()
		at := silent.Addr().String()
		w.run(settings.Webhook{ID: "hung", URL: hung.URL}, settings.Webhook{ID: "good", URL: good.URL},
			settings.Webhook{ID: "rabbit", Kind: "amqp", URL: "amqp://" + at, RoutingKey: "queue"},
			settings.Webhook{ID: "nats", Kind: "nats", URL: "nats://" + at, Subject: "subject"},
			settings.Webhook{ID: "gone", URL: "http://127.0.0.1:1/"})
		for i := range 50 {
			w.put("message", ann, fmt.Sprint(i))
			if g := good.next(t); g.Text != fmt.Sprint(i) {
				t.Errorf("%s came, want %d", g.Text, i)
			}
		}
		for _, id := range []string{"hung", "rabbit", "nats"} {
			if n := len(w.list(Filter{Endpoint: id, State: Pending})); n != 50 {
				t.Errorf("%d wait for %s, which hangs", n, id)
			}
		}
		w.stop() // which waits for none of them
	})
}

// A worker that is killed or ends delivers what is left when it is back, to the webhooks that
// it then has.
func TestAfterARestart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, func(int, got) int { return http.StatusServiceUnavailable })
		w.run(settings.Webhook{ID: "a", URL: r.URL}, settings.Webhook{ID: "b", URL: r.URL + "/b", Paused: true})
		ok(t, w.Device(t.Context(), bob))
		for i := range 10 {
			w.put("message", ann, fmt.Sprint(i))
		}
		w.stop()
		r.set(nil)
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		last := ""
		for i := range 10 {
			g := r.next(t)
			for ; g.Text == last; g = r.next(t) { // the receiver may have taken what was under way at the end
			}
			if last = g.Text; g.Text != fmt.Sprint(i) || !strings.Contains(string(g.raw), bob) {
				t.Errorf("%s came, want %d", g.raw, i)
			}
		}
		w.until("what waited for a webhook that is gone is parked", func() bool { return w.standing("b").Parked == 10 })
	})
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	e := func(name, chat, lid, from string) messages.Event {
		out, err := messages.NewEvent(name, chat, lid, time.Now(), map[string]string{"from": from})
		ok(t, err)
		return out
	}
	for _, c := range []struct {
		hook settings.Webhook
		e    messages.Event
		want bool
	}{
		{settings.Webhook{}, e("message", ann, "", ann), true},
		{settings.Webhook{Events: []string{"Message"}}, e("message", ann, "", ann), true},
		{settings.Webhook{Events: []string{"message"}}, e("message.ack", ann, "", ann), false},
		{settings.Webhook{Events: []string{"message.*"}}, e("message.ack", ann, "", ann), true},
		{settings.Webhook{Events: []string{"message.*"}}, e("message", ann, "", ann), false},
		{settings.Webhook{Events: []string{"call.offer", " connection.* "}}, e("connection.connected", "", "", ""), true},
		{settings.Webhook{Events: []string{"*"}}, e("group.joined", group, "", ""), true},
		{settings.Webhook{Chats: []string{ann}}, e("message", bob, "", bob), false},
		{settings.Webhook{Chats: []string{"7@lid"}}, e("message", ann, "7@lid", ann), true},
		{settings.Webhook{Chats: []string{"*@g.us"}}, e("message", group, "", ann), true},
		{settings.Webhook{Chats: []string{"*@g.us"}}, e("message", ann, "", ann), false},
		{settings.Webhook{Chats: []string{ann}}, e("connection.connected", "", "", ""), false},
		{settings.Webhook{IgnoreChats: []string{"*@g.us"}}, e("message", group, "", ann), false},
		{settings.Webhook{IgnoreChats: []string{ann}}, e("message", group, "", ann), false},
		{settings.Webhook{IgnoreChats: []string{ann}}, e("message", group, "", bob), true},
		{settings.Webhook{IgnoreChats: []string{ann}}, e("connection.connected", "", "", ""), true},
	} {
		if got := newEndpoint(c.hook).wants(c.e); got != c.want {
			t.Errorf("%+v wants %s in %s: %v", c.hook, c.e.Name, c.e.Chat, got)
		}
	}
}

// Attempts go on for at least a day, at growing intervals of an hour at most.
func TestPatience(t *testing.T) {
	t.Parallel()
	p := usualPace
	var total time.Duration
	for n := int64(1); n < p.last(); n++ {
		if d := p.wait(n); d < p.step(n) || d > p.step(n)*3/2+1 || p.step(n) > time.Hour {
			t.Errorf("after attempt %d it waits %v", n, d)
		}
		total += p.step(n)
	}
	if total < 24*time.Hour || total > 26*time.Hour {
		t.Errorf("it tries for %v", total)
	}
}

// An endpoint that takes nothing is asked again after a part of the time for which it has not,
// so that one that fails half of the time is soon found to be well.
func TestAnEndpointIsNotLeftAloneForLong(t *testing.T) {
	t.Parallel()
	p := usualPace
	attempts := 0
	for failing := time.Duration(0); failing < 3*time.Minute; attempts++ {
		d := p.between(failing)
		if d < p.first || d > max(failing/4, p.first*5/4) {
			t.Errorf("after %v it is left alone for %v", failing, d)
		}
		failing += d
	}
	if attempts < 25 || attempts > 40 {
		t.Errorf("in three minutes there are %d attempts", attempts)
	}
	if d := p.between(time.Hour); d < time.Minute || d > 75*time.Second {
		t.Errorf("after an hour it is left alone for %v", d)
	}
}

// What is not taken is parked in the end; the next event of the chat goes on.
func TestParkedAndSentAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, func(_ int, g got) int {
			if g.Text == "poison" {
				return http.StatusUnprocessableEntity
			}
			return http.StatusOK
		})
		w.pace.patient = 20 * time.Millisecond
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		poison := w.put("message", ann, "poison")
		w.put("message", ann, "good")
		if g := r.next(t); g.Text != "good" {
			t.Errorf("%s came", g.Text)
		}
		parked := w.list(Filter{State: Parked})
		if len(parked) != 1 || parked[0].EventID != poison.ID || parked[0].Status != 422 || parked[0].Attempts < 3 || parked[0].Error == "" {
			t.Fatalf("parked %+v", parked)
		}
		r.set(nil)
		count, err := w.Resend(t.Context(), Filter{State: Parked})
		if err != nil || count != 1 {
			t.Errorf("sends %d again, %v", count, err)
		}
		if g := r.next(t); g.Text != "poison" || g.header.Get("Webhook-Id") != poison.ID {
			t.Errorf("%s came", g.Text)
		}
		w.until("both are delivered", func() bool { return len(w.list(Filter{State: Delivered})) == 2 })
		// What was delivered can be had again too, by id.
		count, err = w.Resend(t.Context(), Filter{IDs: []string{w.list(Filter{})[0].ID}})
		if err != nil || count != 1 {
			t.Errorf("sends %d again, %v", count, err)
		}
		if g := r.next(t); g.Text != "good" {
			t.Errorf("%s came", g.Text)
		}
	})
}

// An endpoint that takes nothing for long is paused, visibly and over a restart, and goes on
// from where it stopped.
func TestAnEndpointIsPaused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, func(int, got) int { return http.StatusBadGateway })
		w.pace.pause = 50 * time.Millisecond
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		for i := range 20 {
			w.put("message", fmt.Sprintf("%d@s.whatsapp.net", i%4), fmt.Sprint(i))
		}
		w.until("it is paused", func() bool { return !w.standing("a").PausedAt.IsZero() })
		w.stop()
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		// It is tried once after a restart.
		w.until("it is still paused", func() bool {
			s := w.standing("a")
			return !s.PausedAt.IsZero() && s.Pending == 20 && strings.Contains(s.Error, "502") && !s.Oldest.IsZero()
		})
		r.set(nil)
		ok(t, w.Resume(t.Context(), "a"))
		for range 20 {
			r.next(t)
		}
		w.until("nothing is wrong with it", func() bool { return w.standing("a") == Standing{} })
	})
}

// An endpoint that was down gets what waits as soon as it is back, whatever each event's own
// wait is.
func TestAnEndpointComesBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, func(int, got) int { return http.StatusBadGateway })
		w.pace.first, w.pace.longest, w.pace.probe = time.Millisecond, time.Hour, time.Millisecond
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		for i := range 8 {
			w.put("message", fmt.Sprintf("%d@s.whatsapp.net", i), "")
		}
		w.until("it is known to be down", func() bool { return !w.standing("a").FailingSince.IsZero() })
		r.set(nil)
		w.put("message", ann, "first")
		for range 9 {
			r.next(t)
		}
		w.until("nothing is wrong with it", func() bool { return w.standing("a") == Standing{} })
	})
}

// The transaction of the change decides: what is rolled back was never an event.
func TestARollbackTakesTheEventAlong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, nil)
		w.run(settings.Webhook{ID: "a", URL: r.URL})
		no := errors.New("no")
		e, err := messages.NewEvent("message", ann, "", time.Now(), map[string]string{"body": "never"})
		ok(t, err)
		err = w.write(t.Context(), "test", func(tx *sql.Tx) error {
			return errors.Join(w.Put(t.Context(), tx, []messages.Event{e}), no)
		})
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
		w.Wake()
		w.put("message", ann, "this")
		if g := r.next(t); g.Text != "this" {
			t.Errorf("%s came", g.Text)
		}
	})
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.run(settings.Webhook{ID: "a", URL: "http://10.0.0.1/hook?token=hidden"})
		a, err := w.Test(t.Context(), "a")
		if err != nil || a.Status != 0 || !strings.Contains(a.Error, "EGRESS_ALLOW") || strings.Contains(a.Error, "hidden") {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := w.Test(t.Context(), "unknown"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an unknown webhook: %v", err)
		}
	})
}

func TestATestEvent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, nil)
		w.run(settings.Webhook{ID: "a", URL: r.URL, Events: []string{"call.offer"}, Paused: true})
		a, err := w.Test(t.Context(), "a")
		if err != nil || a.Status != 200 || a.Error != "" || a.Response != "thanks" || a.Latency <= 0 {
			t.Errorf("%+v, %v", a, err)
		}
		if g := r.next(t); g.Event != "test" {
			t.Errorf("%s came", g.raw)
		}
		if left := w.list(Filter{}); len(left) != 0 {
			t.Errorf("kept %+v", left)
		}
	})
}

// TLS is verified, unless it is switched off for that endpoint.
func TestCertificates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		secure := newTLS(t, newReceiver(t, nil))
		w.run(settings.Webhook{ID: "strict", URL: secure}, settings.Webhook{ID: "lenient", URL: secure, SkipVerify: true})
		if a, err := w.Test(t.Context(), "strict"); err != nil || !strings.Contains(a.Error, "certificate") {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err := w.Test(t.Context(), "lenient"); err != nil || a.Error != "" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// What is shown of a delivery tells no secret, not even when the endpoint repeats them.
func TestSecretsAreMasked(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		secret := NewSecret()
		hook := settings.Webhook{ID: "a", Secret: secret, Headers: map[string]string{"Authorization": "Bearer sesame-open"}}
		hook.URL = echo(t) + "/hook?key=query-secret"
		w.run(hook)
		w.put("message", ann, "text")
		w.until("it is delivered", func() bool { return len(w.list(Filter{State: Delivered})) == 1 })
		d, err := Find(t.Context(), w.db, w.list(Filter{})[0].ID, []settings.Webhook{hook})
		ok(t, err)
		shown := fmt.Sprintf("%+v", d)
		for _, word := range []string{"sesame", "query-secret", strings.TrimPrefix(secret, secretPrefix)} {
			if strings.Contains(shown, word) {
				t.Errorf("%s is shown in %s", word, shown)
			}
		}
		if d.Request.Headers["Authorization"] != hidden || d.Request.Headers["Webhook-Id"] != d.EventID ||
			d.Request.Headers["Webhook-Signature"] != hidden || !strings.Contains(d.Request.Body, "text") ||
			!strings.HasSuffix(d.Request.URL, "/hook?"+hidden) || !strings.Contains(d.Response.Body, "Bearer "+hidden) && !strings.Contains(d.Response.Body, hidden) {
			t.Errorf("shown is %s", shown)
		}
	})
}

func TestFilters(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.run(settings.Webhook{ID: "a", URL: "http://127.0.0.1:1", Paused: true}, settings.Webhook{ID: "b", URL: "http://127.0.0.1:1", Paused: true, Events: []string{"message"}})
		begin := time.Now()
		for _, name := range []string{"message", "message.ack", "call.offer"} {
			w.put(name, ann, "")
		}
		for name, c := range map[string]struct {
			f    Filter
			want int
		}{
			"all":        {Filter{}, 4},
			"a name":     {Filter{Event: "message"}, 2},
			"a pattern":  {Filter{Event: "message.*"}, 1},
			"every name": {Filter{Event: "*"}, 4},
			"endpoint":   {Filter{Endpoint: "b"}, 1},
			"state":      {Filter{State: Parked}, 0},
			"since":      {Filter{Since: begin.Add(-time.Minute)}, 4},
			"until":      {Filter{Until: begin.Add(-time.Minute)}, 0},
		} {
			if got := w.list(c.f); len(got) != c.want {
				t.Errorf("%s: %d, want %d", name, len(got), c.want)
			}
		}
		if _, err := List(t.Context(), w.db, Filter{State: "lost"}, "", 1); fault.FieldOf(err) != "state" {
			t.Errorf("an unknown state: %v", err)
		}
		var pages []string
		for after := ""; ; {
			page, err := List(t.Context(), w.db, Filter{}, after, 3)
			ok(t, err)
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				pages = append(pages, d.ID)
			}
			after = page[len(page)-1].ID
		}
		if want := []string{"3-a", "2-a", "1-b", "1-a"}; !slices.Equal(pages, want) {
			t.Errorf("pages %v, want %v", pages, want)
		}
	})
}

// Old events go, undelivered ones never.
func TestRetention(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newReceiver(t, nil)
		w.run(settings.Webhook{ID: "a", URL: r.URL}, settings.Webhook{ID: "b", URL: r.URL, Events: []string{"call.offer"}, Paused: true})
		old := time.Now().Add(-keepFor - time.Hour)
		for _, name := range []string{"message", "call.offer"} {
			for _, at := range []time.Time{old, time.Now()} {
				e, err := messages.NewEvent(name, ann, "", at, struct{}{})
				ok(t, err)
				ok(t, w.store.Emit(t.Context(), e))
				r.next(t)
			}
		}
		w.until("a has all", func() bool { return len(w.list(Filter{State: Delivered})) == 4 })
		ok(t, w.ask(t.Context(), func(r *runner) error { r.clear(); return nil }))
		left := w.list(Filter{})
		if len(left) != 5 { // the old message is gone, the old call waits for b
			t.Errorf("left %+v", left)
		}
		for _, d := range left {
			if d.Event == "message" && d.At.Before(old.Add(time.Minute)) {
				t.Errorf("left is %+v", d)
			}
		}
	})
}

// What is stored in the very moment in which a stream begins is told by it.
func TestFollowWhileSomethingComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.SQLite, openSQLite(t))
	w.run()
	for range 200 {
		_, err := w.db.ExecContext(t.Context(), `DELETE FROM "events"`)
		ok(t, err)
		since := Since(time.Now().Add(-time.Hour))
		var putting sync.WaitGroup
		putting.Go(func() { w.put("message", ann, "now") })
		found := errors.New("found")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err = w.Follow(ctx, since, func(e Told) error {
			if e.ID != "" {
				return found
			}
			return nil
		})
		cancel()
		putting.Wait()
		if !errors.Is(err, found) {
			t.Fatalf("it was not told: %v", err)
		}
	}
}

// A stream tells what comes, and after an interruption what came meanwhile.
func TestFollow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.run()
		follow := func(after string) (told chan Told, end func()) {
			ctx, cancel := context.WithCancel(t.Context())
			told = make(chan Told)
			started := make(chan struct{})
			begun := sync.OnceFunc(func() { close(started) })
			go func() {
				_ = w.Follow(ctx, after, func(e Told) error {
					if e.ID == "" {
						begun()
						return nil
					}
					select {
					case told <- e:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
			}()
			<-started
			return told, cancel
		}
		next := func(told chan Told) Told {
			t.Helper()
			select {
			case e := <-told:
				return e
			case <-time.After(patience):
				t.Fatal("nothing is told")
				return Told{}
			}
		}
		first := w.put("message", ann, "before")
		told, end := follow("")
		second := w.put("message", ann, "second")
		if e := next(told); e.ID != second.ID || e.Name != "message" || !strings.Contains(string(e.Body), "second") {
			t.Errorf("told %s", e.Body)
		}
		end()
		exact, end := follow(At(1))
		if e := next(exact); e.ID != second.ID || e.Seq != 2 {
			t.Errorf("behind the first place is %s", e.Body)
		}
		end()
		since, end := follow(Since(time.Now().Add(-time.Hour)))
		if e := next(since); e.ID != first.ID {
			t.Errorf("since an hour ago there is %s", e.Body)
		}
		end()
		since, end = follow(Since(time.Now().Add(time.Hour)))
		third := w.put("message", ann, "third")
		if e := next(since); e.ID != third.ID {
			t.Errorf("from now on there is %s", e.Body)
		}
		end()
		want := []string{third.ID}
		for range 3 * atOnce {
			want = append(want, w.put("message", ann, "meanwhile").ID)
		}
		told, end = follow(second.ID)
		defer end()
		if e := next(told); e.ID != first.ID { // what may have come in either order comes again
			t.Errorf("told %s first", e.Body)
		}
		for i, id := range want {
			if e := next(told); e.ID != id {
				t.Fatalf("event %d is %s, want %s", i, e.ID, id)
			}
		}
	})
}
