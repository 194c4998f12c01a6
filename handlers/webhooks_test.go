package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/messages"
	"switchboard/webhooks"
)

func TestWebhookPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(99))
	path := "/instances/" + string(known) + "/webhooks"
	if got := b.get(path); got.code != http.StatusOK || !strings.Contains(got.body, "webhook-form") {
		t.Fatalf("the page: %d %s", got.code, got.body)
	}
	got := b.post(path, "url", "nowhere", "events", "message")
	if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, `value="nowhere"`) || !strings.Contains(got.body, "field-error") {
		t.Errorf("a wrong address: %d %s", got.code, got.body)
	}
	got = b.post(path, "url", "https://example.org/hook", "events", "message, message.*", "headers", "Authorization: Bearer sesame\nX-Two: 2", "skip_verify", "yes")
	if got.code != http.StatusCreated || !strings.Contains(got.body, "whsec_") || !strings.Contains(got.body, "certificate is not checked") {
		t.Fatalf("made: %d %s", got.code, got.body)
	}
	list, err := s.webhooks.List(t.Context(), known)
	if err != nil || len(list) != 1 || len(list[0].Events) != 2 || list[0].Headers["Authorization"] != "Bearer sesame" {
		t.Fatalf("kept %+v, %v", list, err)
	}
	one := path + "/" + list[0].ID
	if got := b.get(path); strings.Contains(got.body, "whsec_") || strings.Contains(got.body, "sesame") {
		t.Errorf("the page tells secrets: %s", got.body)
	}
	form := b.get(one)
	if form.code != http.StatusOK || strings.Contains(form.body, "sesame") || !strings.Contains(form.body, "Authorization: •••") {
		t.Errorf("the form: %d %s", form.code, form.body)
	}
	b.post(one, "url", "https://example.org/other", "events", "", "headers", "Authorization: •••")
	b.post(one + "/pause")
	w, err := s.webhooks.Get(t.Context(), known, list[0].ID)
	if err != nil || w.URL != "https://example.org/other" || len(w.Events) != 0 || len(w.Headers) != 1 || w.Headers["Authorization"] != "Bearer sesame" || w.SkipVerify || !w.Paused {
		t.Errorf("changed is %+v, %v", w, err)
	}
	b.post(one + "/resume")
	if got := b.post(one + "/reveal"); !strings.Contains(got.body, w.Secret) {
		t.Errorf("revealed: %s", got.body)
	}
	if got := b.post(one + "/rotate"); strings.Contains(got.body, w.Secret) || !strings.Contains(got.body, "whsec_") {
		t.Errorf("rotated: %s", got.body)
	}
	if got := b.post(one + "/test"); got.code != http.StatusOK || !strings.Contains(got.body, "webhook-tried") {
		t.Errorf("tried: %d %s", got.code, got.body)
	}
	b.post(one + "/delete")
	if got := b.get(path); strings.Contains(got.body, `data-testid="webhook"`) {
		t.Errorf("deleted: %s", got.body)
	}
	if got := b.post("/webhooks", "url", "https://example.org/all"); got.code != http.StatusCreated {
		t.Errorf("for all numbers: %d", got.code)
	}
	if got := b.get(path); !strings.Contains(got.body, "for all numbers") || strings.Contains(got.body, "edit-webhook") {
		t.Errorf("the number's page: %s", got.body)
	}
	// A number whose database cannot be read keeps its webhooks.
	if err := s.database.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.get(path); got.code != http.StatusOK || !strings.Contains(got.body, "cannot be read at the moment") {
		t.Errorf("without a database: %d %s", got.code, got.body)
	}
}

// The page asks each kind of broker for what it needs, and does not show its password again.
func TestBrokerPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(99))
	path := "/instances/" + string(known) + "/webhooks"
	for kind, want := range map[string][]string{
		"":     {`aria-current="true"`, "https://example.com/whatsapp"},
		"amqp": {"RabbitMQ", `name="exchange"`, `name="routing_key"`, `value="amqp"`},
		"nats": {"JetStream", `name="subject"`, `value="nats"`},
		`"><`:  {`value="webhook"`},
	} {
		got := b.get(path + "?kind=" + url.QueryEscape(kind))
		for _, text := range want {
			if got.code != http.StatusOK || !strings.Contains(got.body, text) {
				t.Errorf("kind %q: %d without %s", kind, got.code, text)
			}
		}
	}
	got := b.post(path, "kind", "amqp", "url", "amqp://shop:sesame@mq.example.org", "exchange", "", "routing_key", "")
	if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "name of the queue") || !strings.Contains(got.body, `value="amqp"`) {
		t.Errorf("without a place: %d %s", got.code, got.body)
	}
	got = b.post(path, "kind", "amqp", "url", "amqp://shop:sesame@mq.example.org", "exchange", "amq.topic", "routing_key", "")
	if got.code != http.StatusCreated || !strings.Contains(got.body, "exchange amq.topic · routing key {number}.{event}") || strings.Contains(got.body, "sesame") {
		t.Fatalf("made: %d %s", got.code, got.body)
	}
	list, err := s.webhooks.List(t.Context(), known)
	if err != nil || len(list) != 1 || list[0].URL != "amqp://shop:sesame@mq.example.org" {
		t.Fatalf("kept %+v, %v", list, err)
	}
	one := path + "/" + list[0].ID
	if form := b.get(one); form.code != http.StatusOK || strings.Contains(form.body, "sesame") || !strings.Contains(form.body, "amqp://shop:•••@mq.example.org") || !strings.Contains(form.body, `value="amq.topic"`) {
		t.Errorf("the form: %d %s", form.code, form.body)
	}
	b.post(one, "kind", "amqp", "url", "amqp://shop:•••@mq.example.org", "exchange", "", "routing_key", "events")
	w, err := s.webhooks.Get(t.Context(), known, list[0].ID)
	if err != nil || w.URL != list[0].URL || w.Exchange != "" || w.RoutingKey != "events" {
		t.Errorf("changed is %+v, %v", w, err)
	}
	if got := b.get(path); !strings.Contains(got.body, "queue events") || strings.Contains(got.body, "sesame") {
		t.Errorf("the page: %s", got.body)
	}
}

func TestDeliveryPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(99))
	made, err := s.webhooks.Add(t.Context(), known, webhooks.Wish{URL: new("https://example.org/hook")})
	if err != nil {
		t.Fatal(err)
	}
	for i, state := range []string{"delivered", "parked"} {
		e, err := messages.NewEvent("message", "a@g.us", "", time.Now(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, insert := range []struct {
			statement string
			args      []any
		}{
			{`INSERT INTO "events" ("seq", "id", "name", "chat", "at", "body") VALUES ($1, $2, $3, $4, $5, $6)`, []any{i + 1, e.ID, e.Name, e.Chat, e.At.UnixMilli(), `{"said":"<b>"}`}},
			{`INSERT INTO "deliveries" ("event", "endpoint", "chat", "state", "attempts", "status", "error", "response") VALUES ($1, $2, '', $3, 2, 500, 'No.', '<i>sorry</i>')`, []any{i + 1, made.ID, state}},
		} {
			if _, err := s.database.Exec(insert.statement, insert.args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := b.get("/instances/" + string(known)); strings.Contains(got.body, "webhook-stuck") {
		t.Errorf("a webhook that works is said to be stuck: %s", got.body)
	}
	since := time.Now().Add(-7 * time.Hour).UnixMilli()
	if _, err := s.database.Exec(`INSERT INTO "endpoints" ("id", "failures", "failing_since", "paused_at", "error") VALUES ($1, 9, $2, $2, 'No.')`, made.ID, since); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"", "/webhooks"} {
		if got := b.get("/instances/" + string(known) + where); !strings.Contains(got.body, "taken nothing for 7 hours") {
			t.Errorf("a webhook that is paused, at %q: %s", where, got.body)
		}
	}
	path := "/instances/" + string(known) + "/deliveries"
	got := b.get(path)
	if n := strings.Count(got.body, `data-testid="delivery"`); got.code != http.StatusOK || n != 2 {
		t.Fatalf("%d deliveries, %d: %s", n, got.code, got.body)
	}
	if got := b.get(path + "?state=parked"); strings.Count(got.body, `data-testid="delivery"`) != 1 || !strings.Contains(got.body, "resend-filter") {
		t.Errorf("the parked ones: %s", got.body)
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(got.body)[1]
	one := b.get(path + "/" + id)
	if one.code != http.StatusOK || strings.Contains(one.body, "<i>sorry") || !strings.Contains(one.body, "sorry") || !strings.Contains(one.body, "X-Hub-Signature-256: •••") {
		t.Errorf("one: %d %s", one.code, one.body)
	}
	for _, what := range [][]string{{"what", "chosen", "id", id}, {"what", "parked"}, {"what", "filter", "state", "parked"}, {"what", "chosen"}} {
		if got := b.post(path+"/resend", what...); got.code != http.StatusSeeOther {
			t.Errorf("%v: %d %s", what, got.code, got.body)
		}
	}
	want := `resend {"ids":["` + id + `"]}; resend {"state":"parked"}; resend {"state":"parked"}`
	if got := strings.Join(s.numbers.outbox, "; "); got != want {
		t.Errorf("the worker was asked %s, want %s", got, want)
	}
}
