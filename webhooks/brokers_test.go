package webhooks

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchboard/egress"
	"switchboard/engine"
	"switchboard/settings"
	"switchboard/sinks"
	"switchboard/sinks/sinkstest"
)

// taken is an event that came out of a broker.
type taken struct{ id, chat, text string }

// sequence checks that events come out of a broker in order within each chat, whatever comes
// twice, and that a repetition has the same id.
type sequence struct {
	t    *testing.T
	ids  map[string]string // by chat and text
	next map[string]int    // by chat
}

func newSequence(t *testing.T) *sequence {
	return &sequence{t, map[string]string{}, map[string]int{}}
}

// add takes what came and returns how many different events did.
func (s *sequence) add(e taken) int {
	s.t.Helper()
	key := e.chat + " " + e.text
	if before, again := s.ids[key]; again {
		if before != e.id {
			s.t.Errorf("%s came as %s and as %s", key, before, e.id)
		}
		return len(s.ids)
	}
	s.ids[key] = e.id
	if want := fmt.Sprint(s.next[e.chat]); e.text != want {
		s.t.Fatalf("in %s came %s, want %s", e.chat, e.text, want)
	}
	s.next[e.chat]++
	return len(s.ids)
}

// talk puts count further events into each of a few chats, numbered from the first.
func (w *world) talk(first, count int) (chats int) {
	list := []string{ann, bob, group}
	for i := range count {
		for _, chat := range list {
			w.put("message", chat, fmt.Sprint(first+i))
		}
	}
	return len(list)
}

// says has a test event sent and checks what is said about it.
func (w *world) says(id, want string) Attempt {
	w.t.Helper()
	a, err := w.Test(w.t.Context(), id)
	if err != nil || !strings.Contains(a.Error, want) || want == "" && a.Error != "" {
		w.t.Errorf("%s: %+v, %v; want %q", id, a, err, want)
	}
	return a
}

// tellsNo checks that words are neither logged nor shown of any delivery or endpoint. It
// stops what delivers.
func (w *world) tellsNo(hooks []settings.Webhook, words ...string) {
	w.t.Helper()
	all, err := Standings(w.t.Context(), w.db)
	ok(w.t, err)
	shown := fmt.Sprintf("%+v", all)
	for _, d := range w.list(Filter{}) {
		one, err := Find(w.t.Context(), w.db, d.ID, hooks)
		ok(w.t, err)
		shown += fmt.Sprintf("%+v\n", one)
	}
	for _, hook := range hooks {
		shown += fmt.Sprintf("%+v %+v\n", Masked(hook, false), Masked(hook, true))
	}
	w.stop()
	shown += w.log.String()
	for _, word := range words {
		if i := strings.Index(shown, word); i >= 0 {
			w.t.Errorf("%s is told: %s", word, shown[max(0, i-200):i+len(word)])
		}
	}
}

// sends opens a sink and returns what sends an event to it and checks what is said about it.
func sends(t *testing.T, to sinks.Target) func(id string, wait time.Duration, want string) {
	s := sinks.Open(to, egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}))
	t.Cleanup(s.Close)
	return func(id string, wait time.Duration, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if a := s.Send(ctx, sinks.Message{ID: id, Event: "x", At: time.Now(), Body: []byte("{}")}); !strings.Contains(a.Error, want) || want == "" && a.Error != "" {
			t.Errorf("%s: %+v, want %q", id, a, want)
		}
	}
}

// freezes checks that a broker that answers no more is not waited for, and takes events when
// it goes on.
func freezes(t *testing.T, to sinks.Target, freeze, thaw func()) {
	t.Helper()
	send := sends(t, to)
	send("first", patience, "")
	freeze()
	defer thaw()
	for i := range 2 * sinks.AtOnce {
		send(fmt.Sprint("frozen ", i), 50*time.Millisecond, "did not answer in time")
	}
	thaw()
	send("last", patience, "")
}

func TestRabbitMQ(t *testing.T) {
	if testing.Short() {
		t.Skip("RabbitMQ is left out of short tests")
	}
	t.Parallel()
	b := sinkstest.NewRabbitMQ(t)
	w := newWorld(t, engine.SQLite, openSQLite(t))
	w.pace.timeout = usualPace.timeout // RabbitMQ leaves whoever gives a wrong password waiting
	secret := NewSecret()
	wrong := strings.Replace(b.URL(), sinkstest.Password, "mistaken", 1)
	hooks := []settings.Webhook{
		{ID: "all", Exchange: "amq.topic", RoutingKey: "{number}.{event}.{chat}", Secret: secret, Headers: map[string]string{"X-Mine": "header-secret"}, Events: []string{"message"}},
		{ID: "calls", RoutingKey: "calls", Events: []string{"call.*"}},
		{ID: "wrong", Exchange: "amq.topic", RoutingKey: "x", URL: wrong, Events: []string{"call.*"}},
		{ID: "absent", Exchange: "nowhere", RoutingKey: "x"},
		{ID: "unroutable", Exchange: "amq.direct", RoutingKey: "nobody"},
		{ID: "no queue", RoutingKey: "nobody"},
		{ID: "vhost", Exchange: "amq.topic", RoutingKey: "x", URL: b.URL() + "elsewhere"},
		{ID: "strict", Exchange: "amq.topic", RoutingKey: "x", URL: b.SecureURL()},
		{ID: "lenient", RoutingKey: "calls", URL: b.SecureURL(), SkipVerify: true},
		{ID: "private", RoutingKey: "x", URL: "amqp://guest:" + sinkstest.Password + "@10.0.0.1/"},
		{ID: "closed", RoutingKey: "x", URL: "amqp://guest:" + sinkstest.Password + "@127.0.0.1:1/"},
	}
	for i := range hooks {
		hooks[i].Kind = "amqp"
		if hooks[i].URL == "" {
			hooks[i].URL = b.URL()
		}
		if hooks[i].Events == nil {
			hooks[i].Events = []string{"nothing"}
		}
	}
	all, calls := b.Queue("all", "amq.topic", "shop_20260101120000.message.#"), b.Queue("calls", "", "")
	w.run(hooks...)

	const each = 20
	chats := w.talk(0, each)
	seen := newSequence(t)
	for came, killed := 0, false; came < chats*2*each; {
		select {
		case d, open := <-all:
			if !open {
				all = nil
				break
			}
			g, err := parse(d.Body)
			ok(t, err)
			if came = seen.add(taken{d.MessageId, g.Chat, g.Text}); came == chats*each/2 && !killed {
				killed = true
				// In the middle of it. What it had not acknowledged, and what it had but nobody has
				// read yet, comes all the same.
				b.Kill()
				w.talk(each, each)
				w.until("it is noticed", func() bool { return !w.standing("all").FailingSince.IsZero() })
				b.Start()
				all, calls = b.Queue("all", "amq.topic", "shop_20260101120000.message.#"), b.Queue("calls", "", "")
				continue
			}
			ok(t, d.Ack(false))
			verifier, err := standard.NewWebhook(secret)
			ok(t, err)
			header := map[string][]string{}
			for name, value := range d.Headers {
				header[name] = []string{value.(string)}
			}
			if err := verifier.Verify(d.Body, header); err != nil || d.Headers["X-Mine"] != "header-secret" {
				t.Errorf("headers %v: %v", d.Headers, err)
			}
			if d.Type != "message" || d.ContentType != "application/json" || d.DeliveryMode != 2 || time.Since(d.Timestamp) > time.Hour {
				t.Errorf("properties %+v", d)
			}
			if key := "shop_20260101120000.message." + strings.ReplaceAll(g.Chat, ".", "_"); d.RoutingKey != key {
				t.Errorf("routing key %s, want %s", d.RoutingKey, key)
			}
		case <-time.After(patience):
			t.Fatalf("nothing comes after %d events: %+v", came, w.standing("all"))
		}
	}
	w.until("all are delivered", func() bool { return len(w.list(Filter{Endpoint: "all", State: Delivered})) == 2*chats*each })
	if d := w.list(Filter{Endpoint: "all"}); d[0].Status != 0 || d[0].Error != "" {
		t.Errorf("delivered is %+v", d[0])
	}

	// One that the filters let through goes to the queue, and is told of where it cannot go.
	w.put("call.offer", ann, "ring")
	select {
	case d := <-calls:
		if g, err := parse(d.Body); err != nil || g.Text != "ring" || d.RoutingKey != "calls" {
			t.Errorf("%s came", d.Body)
		}
	case <-time.After(patience):
		t.Fatal("the call does not come")
	}
	w.until("it is refused", func() bool {
		d := w.list(Filter{Endpoint: "wrong"})
		return len(d) == 1 && d[0].State == Pending && strings.Contains(d[0].Error, "the password of this address is wrong")
	})
	for id, want := range map[string]string{
		"all": "", "calls": "", "lenient": "", "absent": `no exchange "nowhere"`, "unroutable": `No queue is bound to the exchange "amq.direct"`,
		"no queue": `no queue "nobody"`, "vhost": "virtual host", "strict": "certificate", "private": "EGRESS_ALLOW", "closed": "Nothing answers",
	} {
		if id == "all" { // a test event is no message, so nobody would get it
			want = "No queue is bound"
		}
		w.says(id, want)
	}
	if a := w.says("absent", "no exchange"); a.Status != 404 || !strings.HasPrefix(a.Response, "404 NOT_FOUND") {
		t.Errorf("the answer is %+v", a)
	}
	w.tellsNo(hooks, sinkstest.Password, "mistaken", "header-secret", secret)
	queue := sinks.Target{Kind: sinks.AMQP, URL: b.URL(), RoutingKey: "calls"}
	send := sends(t, queue)
	send("first", patience, "")
	b.Fill(true)
	send("no room", 5*time.Second, "short of memory or of disk space")
	b.Fill(false)
	send("last", patience, "")
	freezes(t, queue, b.Freeze, b.Thaw)
}

func TestNATS(t *testing.T) {
	if testing.Short() {
		t.Skip("NATS is left out of short tests")
	}
	t.Parallel()
	b, tls := sinkstest.NewNATS(t, false), sinkstest.NewNATS(t, true)
	b.Stream("events", "whatsapp.>")
	tls.Stream("events", "whatsapp.>")
	w := newWorld(t, engine.SQLite, openSQLite(t))
	w.pace.timeout = usualPace.timeout // who may not publish gets no answer
	secret := NewSecret()
	const subject = "whatsapp.{number}.{event}.{chat}"
	hooks := []settings.Webhook{
		{ID: "all", Subject: subject, Secret: secret, Headers: map[string]string{"X-Mine": "header-secret"}, Events: []string{"message"}},
		{ID: "wrong", Subject: subject, URL: strings.Replace(b.URL("guest"), sinkstest.Password, "mistaken", 1), Events: []string{"call.*"}},
		{ID: "token", Subject: subject, URL: strings.Replace(b.URL("guest"), "guest:"+sinkstest.Password, "tokensecret", 1)},
		{ID: "absent", Subject: "nowhere.{event}"},
		{ID: "mute", Subject: subject, URL: b.URL("mute")},
		{ID: "strict", Subject: subject, URL: tls.URL("guest")},
		{ID: "lenient", Subject: subject, URL: tls.URL("guest"), SkipVerify: true},
		{ID: "plain", Subject: subject, URL: strings.Replace(b.URL("guest"), "nats://", "tls://", 1)},
		{ID: "private", Subject: subject, URL: "nats://guest:" + sinkstest.Password + "@10.0.0.1"},
		{ID: "closed", Subject: subject, URL: "nats://guest:" + sinkstest.Password + "@127.0.0.1:1"},
	}
	for i := range hooks {
		hooks[i].Kind = "nats"
		if hooks[i].URL == "" {
			hooks[i].URL = b.URL("guest")
		}
		if hooks[i].Events == nil {
			hooks[i].Events = []string{"nothing"}
		}
	}
	w.run(hooks...)

	const each = 30
	chats := w.talk(0, each)
	w.until("some are delivered", func() bool { return len(w.list(Filter{State: Delivered})) > each/2 })
	b.Kill()
	w.talk(each, each)
	w.until("it is noticed", func() bool { return !w.standing("all").FailingSince.IsZero() })
	b.Start()
	w.until("all are delivered", func() bool { return len(w.list(Filter{Endpoint: "all", State: Delivered})) == 2*chats*each })
	if n, err := w.Resend(t.Context(), Filter{Endpoint: "all", Event: "message"}); err != nil || n != int64(2*chats*each) {
		t.Fatal(n, err)
	}
	w.until("all are delivered again", func() bool { return w.standing("all").Pending == 0 })
	d, err := Find(t.Context(), w.db, w.list(Filter{Endpoint: "all"})[0].ID, hooks)
	ok(t, err)
	if d.Status != 0 || !strings.Contains(d.Response.Body, "stream events") || !strings.Contains(d.Response.Body, "had already") {
		t.Errorf("the answer to a repetition is %+v", d)
	}
	seen := newSequence(t)
	all := b.Read("events")
	for _, m := range all {
		g, err := parse(m.Data())
		ok(t, err)
		seen.add(taken{m.Headers().Get("Nats-Msg-Id"), g.Chat, g.Text})
		if want := "whatsapp.shop_20260101120000.message." + strings.ReplaceAll(g.Chat, ".", "_"); m.Subject() != want {
			t.Errorf("subject %s, want %s", m.Subject(), want)
		}
		verifier, err := standard.NewWebhook(secret)
		ok(t, err)
		h := m.Headers()
		if err := verifier.Verify(m.Data(), map[string][]string(h)); err != nil || h.Get("X-Mine") != "header-secret" || h.Get("Event-Type") != "message" {
			t.Errorf("headers %v: %v", h, err)
		}
	}
	// The server drops what it has already.
	if len(all) != 2*chats*each || len(seen.ids) != len(all) {
		t.Errorf("the stream has %d messages of %d events, want %d", len(all), len(seen.ids), 2*chats*each)
	}

	w.put("call.offer", ann, "ring")
	w.until("it is refused", func() bool {
		d := w.list(Filter{Endpoint: "wrong"})
		return len(d) == 1 && d[0].State == Pending && strings.Contains(d[0].Error, "user name and password")
	})
	for id, want := range map[string]string{
		"all": "", "lenient": "", "token": "or the token", "absent": `No stream at this NATS server takes the subject "nowhere.test"`,
		"mute": "may not publish", "strict": "certificate", "plain": "no TLS", "private": "EGRESS_ALLOW", "closed": "Nothing answers",
	} {
		w.says(id, want)
	}
	w.tellsNo(hooks, sinkstest.Password, "mistaken", "tokensecret", "header-secret", secret)
	freezes(t, sinks.Target{Kind: sinks.NATS, URL: b.URL("guest"), Subject: "whatsapp.x"}, b.Freeze, b.Thaw)
}
