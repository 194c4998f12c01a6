package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/webhooks"
	"switchboard/webhooks/webhookstest"
)

// desk is a real one, over a database that every number has and a worker that only notes what
// it is asked.
func (s *site) desk() webhooks.Desk {
	return webhooks.Desk{Settings: &s.settings, Workers: s.supervisor, Read: webhookstest.Reader(s.database)}
}

func (s *supervisor) Outbox(_ context.Context, v instances.Viewer, id instances.ID, what string, in, out any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if err := s.do(v, id, what+" "+string(text), nil); err != nil {
		return err
	}
	switch out := out.(type) {
	case *webhooks.Count:
		out.Count = 1
	case *webhooks.Attempt:
		*out = webhooks.Attempt{Status: 418, Error: "The endpoint answered with the status 418.", Latency: 7 * time.Millisecond}
	}
	return nil
}

// Events tells what the test puts into told, and where it began.
func (s *supervisor) Events(ctx context.Context, v instances.Viewer, id instances.ID, after string, tell func(json.RawMessage) error) error {
	s.streaming.Add(1)
	defer s.streaming.Done()
	if err := s.do(v, id, "events "+string(id)+" after "+after, nil); err != nil {
		return err
	}
	if err := tell(nil); err != nil {
		return err
	}
	told := s.told
	if s.tells != nil {
		told = s.tells[id]
	}
	for {
		select {
		case e := <-told:
			line, err := json.Marshal(e)
			if err == nil {
				err = tell(line)
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected})) + "/webhooks"
	if got := s.send(s.operator, "GET", path, ""); strings.TrimSpace(got.body) != "[]" {
		t.Errorf("without webhooks: %s", got.body)
	}
	got := s.send(s.operator, "POST", path, `{"url":"https://example.org/hook?key=sesame","events":["message.*"],"headers":{"authorization":"Bearer sesame"}}`)
	s.wantStatus(got, http.StatusCreated)
	var made webhook
	into(t, got, &made)
	if !strings.HasPrefix(made.Secret, "whsec_") || made.Shared || made.CreatedAt == nil || made.Headers["Authorization"] == "Bearer sesame" {
		t.Errorf("made is %s", got.body)
	}
	one := path + "/" + made.ID
	// Who only looks sees no secret at all.
	if got := s.send(s.operator, "GET", path, ""); strings.Contains(got.body, made.Secret) || strings.Contains(got.body, "Bearer") || !strings.Contains(got.body, `"standing"`) || !strings.Contains(got.body, "key=sesame") {
		t.Errorf("the list is %s", got.body)
	}
	s.supervisor.list[0].Owner = s.lookID
	if got := s.send(s.look, "GET", path, ""); strings.Contains(got.body, "sesame") || !strings.Contains(got.body, "example.org/hook") {
		t.Errorf("whoever looks sees %s", got.body)
	}
	s.wantProblem(s.send(s.look, "POST", one+"/reveal", ""), http.StatusForbidden)
	s.supervisor.list[0].Owner = s.operatorID
	s.wantProblem(s.send(s.other, "GET", one, ""), http.StatusNotFound)

	var shown secret
	into(t, s.send(s.operator, "POST", one+"/reveal", ""), &shown)
	if shown.Secret != made.Secret {
		t.Errorf("revealed is %q", shown.Secret)
	}
	into(t, s.send(s.operator, "POST", one+"/rotate", ""), &shown)
	if shown.Secret == made.Secret || !strings.HasPrefix(shown.Secret, "whsec_") {
		t.Errorf("rotated is %q", shown.Secret)
	}
	got = s.send(s.operator, "PATCH", one, `{"paused":true,"headers":{"Authorization":"•••","X-New":"1"},"chats":["*@G.US"]}`)
	s.wantStatus(got, http.StatusOK)
	kept, err := s.settings.Get(t.Context(), s.supervisor.list[0].ID)
	if w := kept.Webhooks[0]; err != nil || !w.Paused || w.Headers["Authorization"] != "Bearer sesame" || w.Headers["X-New"] != "1" || w.Chats[0] != "*@g.us" || w.Events[0] != "message.*" {
		t.Errorf("kept is %+v, %v", kept.Webhooks, err)
	}
	for body, field := range map[string]string{
		`{}`: "url", `{"url":"ftp://example.org"}`: "url", `{"url":"https://x","secret":"short"}`: "secret",
		`{"url":"https://x","events":["no name"]}`: "events", `{"url":"https://x","events":["mesage"]}`: "events", `{"url":"https://x","events":["connection.up"]}`: "events", `{"url":"https://x","chats":["4917"]}`: "chats",
		`{"url":"https://x","headers":{"Webhook-Id":"1"}}`: "headers", `{"url":"https://x","headers":{"X":"a\nb"}}`: "headers",
	} {
		if p := s.wantProblem(s.send(s.operator, "POST", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
	var tried attempt
	into(t, s.send(s.operator, "POST", one+"/test", ""), &tried)
	if tried.Delivered || tried.Status != 418 || tried.Latency != 7 {
		t.Errorf("the test gave %+v", tried)
	}
	s.wantStatus(s.send(s.operator, "POST", one+"/resume", ""), http.StatusNoContent)
	s.wantStatus(s.send(s.operator, "DELETE", one, ""), http.StatusNoContent)
	s.wantProblem(s.send(s.operator, "DELETE", one, ""), http.StatusNotFound)
	if got := strings.Join(s.supervisor.calls, ", "); got != `test {"webhook":"`+made.ID+`"}, resume {"webhook":"`+made.ID+`"}` {
		t.Errorf("the worker was asked %s", got)
	}
}

// A broker's password is kept, shown to nobody, and does not follow the address elsewhere.
func TestBrokers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected})) + "/webhooks"
	for _, c := range []struct{ body, change, elsewhere, kept string }{
		{
			`{"kind":"amqp","url":"amqps://shop:sesame%2Fopen@mq.example.org/orders","exchange":"amq.topic"}`,
			`{"url":"amqps://shop:•••@mq.example.org/other","routing_key":"{event}"}`,
			`{"url":"amqps://shop:•••@elsewhere.example.org/"}`,
			"amqps://shop:sesame%2Fopen@mq.example.org/other",
		},
		{
			`{"kind":"nats","url":"tls://sesame@mq.example.org"}`,
			`{"url":"tls://•••@mq.example.org","subject":"a.{event}"}`,
			`{"url":"tls://•••@elsewhere.example.org"}`,
			"tls://sesame@mq.example.org",
		},
		{
			`{"url":"https://shop:sesame@example.org/hook"}`,
			`{"url":"https://shop:•••@example.org/hook?x"}`,
			`{"url":"https://shop:•••@example.org:8443/hook"}`,
			"https://shop:sesame@example.org/hook?x",
		},
	} {
		got := s.send(s.operator, "POST", path, c.body)
		s.wantStatus(got, http.StatusCreated)
		var made webhook
		into(t, got, &made)
		all := got.body + s.send(s.operator, "GET", path, "").body
		changed := s.send(s.operator, "PATCH", path+"/"+made.ID, c.change)
		s.wantStatus(changed, http.StatusOK)
		if p := s.wantProblem(s.send(s.operator, "PATCH", path+"/"+made.ID, c.elsewhere), http.StatusUnprocessableEntity); p.Field != "url" || !strings.Contains(p.Detail, "password") {
			t.Errorf("another host: %+v", p)
		}
		if p := s.wantProblem(s.send(s.operator, "PATCH", path+"/"+made.ID, `{"kind":"other"}`), http.StatusUnprocessableEntity); p.Field != "kind" {
			t.Errorf("another kind: %+v", p)
		}
		if all += changed.body; strings.Contains(all, "sesame") || !strings.Contains(all, "•••@") {
			t.Errorf("told is %s", all)
		}
		w, err := s.settings.Get(t.Context(), s.supervisor.list[0].ID)
		if last := w.Webhooks[len(w.Webhooks)-1]; err != nil || last.URL != c.kept || made.Kind != webhooks.KindOf(last) {
			t.Errorf("kept is %+v, %v", last, err)
		}
	}
	for body, field := range map[string]string{
		`{"kind":"kafka","url":"kafka://x"}`: "kind", `{"kind":"amqp","url":"https://x"}`: "url", `{"kind":"amqp","url":"amqp://"}`: "url",
		`{"kind":"amqp","url":"amqp://x?certfile=/etc/passwd","exchange":"x"}`: "url", `{"kind":"amqp","url":"amqp://x"}`: "routing_key",
		`{"kind":"amqp","url":"amqp://x","exchange":"x","routing_key":"{what}"}`: "routing_key",
		`{"kind":"amqp","url":"amqp://x","exchange":"x","routing_key":"a b"}`:    "routing_key", `{"url":"amqp://x"}`: "url",
		`{"kind":"nats","url":"amqp://x"}`: "url", `{"kind":"nats","url":"nats://x","subject":"a..b"}`: "subject",
		`{"kind":"nats","url":"nats://x","subject":"a.>"}`: "subject", `{"kind":"nats","url":"nats://x","headers":{"Nats-Rollup":"all"}}`: "headers",
	} {
		if p := s.wantProblem(s.send(s.operator, "POST", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
}

func TestWebhooksForAllNumbers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	below := "/instances/" + string(s.add(instances.Instance{})) + "/webhooks"
	ok := webhooks.Variables{URLs: []string{"https://example.org/gowa"}, Secret: "secret"}.Set(t.Context(), &s.settings)
	if ok != nil {
		t.Fatal(ok)
	}
	s.wantProblem(s.send(s.operator, "GET", "/webhooks", ""), http.StatusForbidden)
	s.wantProblem(s.send(s.operator, "POST", "/webhooks", `{"url":"https://example.org"}`), http.StatusForbidden)
	got := s.send(s.owner, "POST", "/webhooks", `{"url":"https://example.org/all"}`)
	s.wantStatus(got, http.StatusCreated)
	var made webhook
	into(t, got, &made)
	// Everybody sees them at their own numbers, and cannot change them there.
	if got := s.send(s.operator, "GET", below, ""); strings.Count(got.body, `"shared":true`) != 2 || strings.Contains(got.body, "whsec_") {
		t.Errorf("the number has %s", got.body)
	}
	s.wantProblem(s.send(s.operator, "DELETE", below+"/"+made.ID, ""), http.StatusNotFound)
	s.wantProblem(s.send(s.operator, "POST", below+"/"+made.ID+"/reveal", ""), http.StatusForbidden)
	s.wantProblem(s.send(s.owner, "PATCH", "/webhooks/variable_1", `{"paused":true}`), http.StatusConflict)
	var shown secret
	into(t, s.send(s.owner, "POST", "/webhooks/variable_1/reveal", ""), &shown)
	if shown.Secret != "secret" {
		t.Errorf("the secret of the variable is %q", shown.Secret)
	}
	s.wantStatus(s.send(s.owner, "DELETE", "/webhooks/"+made.ID, ""), http.StatusNoContent)
	if err := (webhooks.Variables{}).Set(t.Context(), &s.settings); err != nil {
		t.Fatal(err)
	}
	if got := s.send(s.owner, "GET", "/webhooks", ""); strings.TrimSpace(got.body) != "[]" {
		t.Errorf("left are %s", got.body)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.add(instances.Instance{Status: instances.Connected})
	path := "/instances/" + string(id) + "/deliveries"
	made, err := s.desk().Add(t.Context(), id, webhooks.Wish{URL: new("https://example.org/x?y=zzzz")})
	if err != nil {
		t.Fatal(err)
	}
	for i, state := range []string{"delivered", "parked", "pending"} {
		e, err := messages.NewEvent("message", "a@g.us", "", time.Now(), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.database.Exec(`INSERT INTO "events" ("seq", "id", "name", "chat", "at", "body") VALUES ($1, $2, $3, $4, $5, '{}')`, i+1, e.ID, e.Name, e.Chat, e.At.UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.database.Exec(`INSERT INTO "deliveries" ("event", "endpoint", "chat", "state", "response") VALUES ($1, $2, $3, $4, 'thanks')`, i+1, made.ID, e.Chat, state); err != nil {
			t.Fatal(err)
		}
	}
	var all []delivery
	into(t, s.send(s.operator, "GET", path, ""), &all)
	if len(all) != 3 || all[0].State != webhooks.Pending || all[0].Request != nil {
		t.Fatalf("deliveries %+v", all)
	}
	for query, want := range map[string]int{
		"?state=parked": 1, "?event=call.*": 0, "?webhook=" + made.ID: 3, "?limit=2": 2, "?after=" + all[0].ID: 2,
		"?since=2020-01-01T00:00:00Z": 3, "?until=2020-01-01T00:00:00Z": 0,
	} {
		var found []delivery
		into(t, s.send(s.operator, "GET", path+query, ""), &found)
		if len(found) != want {
			t.Errorf("%s: %d, want %d", query, len(found), want)
		}
	}
	for _, query := range []string{"?state=lost", "?limit=0", "?since=yesterday", "?after=x"} {
		s.wantProblem(s.send(s.operator, "GET", path+query, ""), http.StatusUnprocessableEntity)
	}
	var one delivery
	into(t, s.send(s.operator, "GET", path+"/"+all[2].ID, ""), &one)
	if one.Response == nil || one.Response.Body != "thanks" || one.Request.URL != "https://example.org/x?•••" || one.Request.Headers["Webhook-Id"] != one.EventID {
		t.Errorf("one is %+v %+v", one.Request, one.Response)
	}
	s.wantProblem(s.send(s.operator, "GET", path+"/9-x", ""), http.StatusNotFound)
	s.supervisor.refuse = fault.InField("ids", "This is no id of a delivery.")
	s.wantProblem(s.send(s.operator, "POST", path+"/nothing/resend", ""), http.StatusNotFound)
	s.wantStatus(s.send(s.operator, "POST", path+"/"+all[1].ID+"/resend", ""), http.StatusAccepted)
	s.wantStatus(s.send(s.operator, "POST", path+"/resend", `{"state":"parked"}`), http.StatusAccepted)
	s.wantStatus(s.send(s.operator, "POST", path+"/resend", `{"all":true}`), http.StatusAccepted)
	s.wantProblem(s.send(s.operator, "POST", path+"/resend", `{}`), http.StatusUnprocessableEntity)
	s.wantProblem(s.send(s.other, "POST", path+"/resend", `{"all":true}`), http.StatusNotFound)
	want := `resend {"ids":["` + all[1].ID + `"]}, resend {"state":"parked"}, resend {}`
	if got := strings.Join(s.supervisor.calls, ", "); got != want {
		t.Errorf("the worker was asked %s, want %s", got, want)
	}
}

// A stream of several numbers is resumed without a gap, whichever of them had come how far.
func TestAStreamOfSeveralNumbersIsResumed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, idle := s.add(instances.Instance{Status: instances.Connected, PID: 1}), instances.ID("shop_20261123070000"), instances.ID("idle_20261123070000")
	now := time.Now()
	s.supervisor.list = append(s.supervisor.list,
		instances.Instance{ID: b, Name: "Shop", Owner: s.operatorID, Status: instances.Connected, PID: 2},
		instances.Instance{ID: idle, Name: "Idle", Owner: s.operatorID, Status: instances.Idle, Since: now.Add(-time.Hour)})
	s.supervisor.tells = map[instances.ID]chan webhooks.Told{a: make(chan webhooks.Told), b: make(chan webhooks.Told), idle: make(chan webhooks.Told)}
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	var lines *bufio.Reader
	open := func(last string) (end func()) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.operator)
		r.Header.Set("Last-Event-ID", last)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = bufio.NewReader(res.Body)
		return func() { _ = res.Body.Close() }
	}
	id := func() string {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				return strings.TrimSpace(id)
			}
		}
	}
	tell := func(number instances.ID, e webhooks.Told) {
		if e.ID != "" {
			e.Name, e.Body = "message", json.RawMessage(`{}`)
		} else {
			s.supervisor.tells[number] <- e // when it takes the second one, the stream knows of the first
		}
		s.supervisor.tells[number] <- e
	}
	last := uuid.Must(uuid.NewV7()).String()
	end := open(last)
	tell(a, webhooks.Told{Seq: 7, ID: "a7"})
	if got, want := id(), "a7;"+string(b)+"="+last; got != want { // b has told nothing yet
		t.Errorf("the id is %q, want %q", got, want)
	}
	tell(b, webhooks.Told{Seq: 4})
	tell(a, webhooks.Told{Seq: 8, ID: "a8"})
	left := id()
	if want := "a8;" + string(b) + "=#4"; left != want {
		t.Errorf("the id is %q, want %q", left, want)
	}
	tell(b, webhooks.Told{Seq: 5, ID: "b5"})
	if got, want := id(), "b5;"+string(a)+"=#8"; got != want { // a may have more
		t.Errorf("the id is %q, want %q", got, want)
	}
	tell(a, webhooks.Told{Seq: 8, End: true})
	tell(b, webhooks.Told{Seq: 6, ID: "b6"})
	if got := id(); got != "b6" { // nobody is behind
		t.Errorf("the id is %q", got)
	}
	end()
	s.supervisor.streaming.Wait() // or it would be told what is for the next one
	s.supervisor.mu.Lock()
	s.supervisor.calls = nil
	s.supervisor.mu.Unlock()
	end = open(left)
	defer end()
	tell(a, webhooks.Told{Seq: 9, ID: "a9"})
	tell(b, webhooks.Told{Seq: 6, ID: "b6"})
	tell(idle, webhooks.Told{Seq: 1, End: true})
	id()
	s.supervisor.mu.Lock()
	defer s.supervisor.mu.Unlock()
	calls := strings.Join(s.supervisor.calls, ", ")
	for _, want := range []string{"events " + string(a) + " after a8", "events " + string(b) + " after #4", "events " + string(idle) + " after a8"} {
		if !strings.Contains(calls, want) {
			t.Errorf("the workers were asked %s", calls)
		}
	}
}

// A stream has the events of the numbers that the token sees, and ends with the token.
func TestEventStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.supervisor.told = make(chan webhooks.Told)
	id := s.add(instances.Instance{Status: instances.Connected})
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	open := func(token, query string, headers ...string) (*http.Response, *bufio.Reader) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res, bufio.NewReader(res.Body)
	}
	res, lines := open(s.operator, "?event=message.*", "Last-Event-ID", "the-last")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("it answers %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	for i, name := range []string{"call.offer", "message.ack"} {
		s.supervisor.told <- webhooks.Told{Seq: int64(i), ID: fmt.Sprint("id", i), Name: name, Body: json.RawMessage(`{"n":1}`)}
	}
	var got string
	for !strings.Contains(got, "data") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		got += line
	}
	if !strings.HasSuffix(got, "id: id1\nevent: message.ack\ndata: {\"n\":1}\n") || strings.Contains(got, "call") {
		t.Errorf("it says %q", got)
	}
	s.supervisor.mu.Lock()
	if calls := strings.Join(s.supervisor.calls, ", "); calls != "events "+string(id)+" after the-last" {
		t.Errorf("the worker was asked %s", calls)
	}
	s.supervisor.mu.Unlock()
	if res, _ := open(s.other, "?instance="+string(id)); res.StatusCode != http.StatusNotFound {
		t.Errorf("a number of somebody else: %d", res.StatusCode)
	}
	if res, _ := open("swb_wrong", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", res.StatusCode)
	}
	// A token that is revoked ends what was begun with it.
	all, err := s.auth.ListTokens(t.Context(), "operator@example.org")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := s.auth.RevokeToken(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := lines.ReadString('\n'); err != nil {
			break
		}
	}
}
