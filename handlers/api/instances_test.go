package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/instances"
)

func TestInstanceAsJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.FixedZone("CET", 3600))
	id := s.add(instances.Instance{
		Phone: "491700000001", JID: "491700000001:7@s.whatsapp.net", Desired: instances.Running,
		Status: instances.Reconnecting, Reason: instances.NoProof, Since: at, PID: 4711, Port: 3001,
		Database: instances.Database{Engine: "sqlite", Main: "whatsapp_x", Keys: "keys_x"}, Restarts: 2, CreatedAt: at, StartedAt: at,
		Limits: instances.Limits{Memory: 1 << 20, CPU: 50, OpenFiles: 7}, // without control groups, no processor is limited
	})
	got := s.send(s.operator, "GET", "/instances/"+string(id), "")
	s.wantStatus(got, http.StatusOK)
	const want = `{"id":"support_20261123070000","name":"Support","phone":"491700000001","jid":"491700000001:7@s.whatsapp.net",` +
		`"desired":"running","status":"reconnecting","reason":"no_proof","since":"2026-11-23T07:00:00Z","pid":4711,"port":3001,` +
		`"database":{"engine":"sqlite","main":"whatsapp_x","keys":"keys_x"},"restarts":2,"created_at":"2026-11-23T07:00:00Z",` +
		`"started_at":"2026-11-23T07:00:00Z","resources":{"cpu_percent":1.5,"rss_bytes":19922944,"own_bytes":6291456,"open_files":21},` +
		`"limits":{"memory_bytes":1048576,"cpu_percent":null,"open_files":7,"log_bytes":null,"disk_bytes":null}}`
	if strings.TrimSpace(got.body) != want {
		t.Errorf("got  %s\nwant %s", got.body, want)
	}
	s.supervisor.list[0] = instances.Instance{ID: id, Owner: s.operatorID}
	var empty map[string]any
	into(t, s.send(s.owner, "GET", "/instances/"+string(id), ""), &empty)
	for _, name := range []string{"since", "pid", "port", "created_at", "started_at", "resources"} {
		if v, ok := empty[name]; !ok || v != nil {
			t.Errorf("without anything to tell, %s is %v", name, v)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := s.send(s.operator, "POST", "/instances", `{"name":"Sales","phone":"+49 170 0000001"}`)
	s.wantStatus(got, http.StatusCreated)
	var made instance
	into(t, got, &made)
	if want := "/wa/api/v1/instances/" + string(made.ID); got.Header.Get("Location") != want {
		t.Errorf("Location is %q, want %q", got.Header.Get("Location"), want)
	}
	if made.Status != instances.Provisioning || made.Desired != instances.Running || made.Name != "Sales" {
		t.Errorf("made %+v", made)
	}
	if p := s.wantProblem(s.send(s.operator, "POST", "/instances", `{"name":"sales"}`), http.StatusConflict); p.Field != "name" {
		t.Errorf("the name in use is told for the field %q", p.Field)
	}
	var all []instance
	into(t, s.send(s.owner, "GET", "/instances", ""), &all)
	if len(all) != 1 || all[0].ID != made.ID {
		t.Errorf("the owner sees %+v", all)
	}
}

func TestCreateAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	create := func(token, name, key string) reply {
		return s.send(token, "POST", "/instances", fmt.Sprintf(`{"name":%q}`, name), "Idempotency-Key", key)
	}
	var first, again, others instance
	into(t, create(s.operator, "Sales", "k1"), &first)
	got := create(s.operator, "Sales", "k1")
	s.wantStatus(got, http.StatusCreated)
	into(t, got, &again)
	if first.ID != again.ID || len(s.supervisor.list) != 1 {
		t.Error("the same key made a second number")
	}
	into(t, create(s.other, "Help", "k1"), &others)
	if others.Name != "Help" {
		t.Error("two people's keys are mixed up")
	}
	if p := s.wantProblem(create(s.operator, "Warehouse", "k1"), http.StatusUnprocessableEntity); p.Field != "Idempotency-Key" {
		t.Errorf("a key used for another number is told for the field %q", p.Field)
	}
	s.wantProblem(create(s.operator, "x", strings.Repeat("k", 201)), http.StatusUnprocessableEntity)
	s.wantProblem(create(s.operator, "x", "schlüssel"), http.StatusUnprocessableEntity)
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, c := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"empty":           {" ", 400, ""},
		"no object":       {`["Sales"]`, 400, ""},
		"null":            {`null`, 400, ""},
		"cut off":         {`{"name":"Sal`, 400, ""},
		"no JSON":         {`{name:Sales}`, 400, ""},
		"two":             {`{"name":"a"}{"name":"b"}`, 400, ""},
		"no UTF-8":        {"{\"name\":\"Sal\xffes\"}", 400, ""},
		"too large":       {`{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, ""},
		"unknown member":  {`{"name":"Sales","colour":"red"}`, 422, "colour"},
		"wrong type":      {`{"name":7}`, 422, "name"},
		"no name":         {`{}`, 422, "name"},
		"long name":       {`{"name":"` + strings.Repeat("x", 300) + `"}`, 422, "name"},
		"control in name": {`{"name":"a\u0000b"}`, 422, "name"},
	} {
		p := s.wantProblem(s.send(s.operator, "POST", "/instances", c.body), c.status)
		if p.Field != c.field || (c.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != c.field || p.Errors[0].Detail != p.Detail)) {
			t.Errorf("%s: %+v, want the field %q", name, p, c.field)
		}
	}
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "nonsense/"} {
		s.wantProblem(s.send(s.operator, "POST", "/instances", `{"name":"x"}`, "Content-Type", media), http.StatusUnsupportedMediaType)
	}
	s.wantStatus(s.send(s.operator, "POST", "/instances", `{"name":"x"}`, "Content-Type", "application/json; charset=utf-8"), http.StatusCreated)
	if len(s.supervisor.list) != 1 {
		t.Errorf("bad bodies made numbers: %+v", s.supervisor.list)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Desired: instances.Running, Status: instances.Connected}))
	var got instance
	into(t, s.send(s.operator, "PATCH", path, `{"name":"Help","desired":"stopped"}`), &got)
	if got.Name != "Help" || got.Desired != instances.Stopped {
		t.Errorf("changed to %+v", got)
	}
	into(t, s.send(s.operator, "PATCH", path, `{"desired":"running"}`), &got)
	if got.Name != "Help" || got.Desired != instances.Running {
		t.Errorf("changed to %+v", got)
	}
	calls := len(s.supervisor.calls)
	for body, field := range map[string]string{
		`{}`: "", `{"desired":"paused"}`: "desired", `{"name":"x","desired":1}`: "desired", `{"name":"x","desired":"off"}`: "desired",
		`{"name":""}`: "name", `{"status":"connected"}`: "status",
	} {
		if p := s.wantProblem(s.send(s.operator, "PATCH", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: field %q, want %q", body, p.Field, field)
		}
	}
	if len(s.supervisor.calls) != calls {
		t.Errorf("a refused change changed something: %v", s.supervisor.calls[calls:])
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Desired: instances.Running, Status: instances.Connected}))
	commands := []string{"start", "stop", "restart", "reconnect", "logout", "pair"}
	for _, command := range commands {
		got := s.send(s.operator, "POST", path+"/"+command, "")
		s.wantStatus(got, http.StatusOK)
		var i instance
		if into(t, got, &i); i.Name != "Support" {
			t.Errorf("%s answers %s", command, got.body)
		}
	}
	s.wantStatus(s.send(s.operator, "DELETE", path, ""), http.StatusAccepted)
	if want := append(commands, "delete"); !slices.Equal(s.supervisor.calls, want) {
		t.Errorf("the supervisor was told %v, want %v", s.supervisor.calls, want)
	}
	var i instance
	if into(t, s.send(s.operator, "GET", path, ""), &i); i.Status != instances.Deleting {
		t.Errorf("after DELETE the status is %s", i.Status)
	}
}

func TestFaultsBecomeStatusCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected})) + "/start"
	for kind, status := range map[fault.Kind]int{
		fault.Internal:        http.StatusInternalServerError,
		fault.Invalid:         http.StatusUnprocessableEntity,
		fault.NotFound:        http.StatusNotFound,
		fault.Conflict:        http.StatusConflict,
		fault.Forbidden:       http.StatusForbidden,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Throttled:       http.StatusTooManyRequests,
		fault.TooLarge:        http.StatusRequestEntityTooLarge,
		fault.Unavailable:     http.StatusServiceUnavailable,
	} {
		s.supervisor.refuse = fault.Wrap(kind, "Not like this.", errors.New("a secret detail"))
		got := s.send(s.operator, "POST", path, "")
		if p := s.wantProblem(got, status); p.Detail != "Not like this." {
			t.Errorf("kind %d reads %q", kind, p.Detail)
		}
	}
	s.supervisor.refuse = errors.New("a secret detail")
	if got := s.send(s.operator, "POST", path, ""); got.StatusCode != http.StatusInternalServerError || strings.Contains(got.body, "secret") {
		t.Errorf("%d: a foreign error reads %s", got.StatusCode, got.body)
	}
}

func TestListIsNeverNull(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all []json.RawMessage
	if into(t, s.send(s.owner, "GET", "/instances", ""), &all); all == nil {
		t.Error("an empty list is null")
	}
}

// Programs look for the number in "phone", whoever gave it.
func TestPhoneOfAPairedNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.LoggedOut, JID: "491700000001:3@s.whatsapp.net"}))
	var got instance
	into(t, s.send(s.operator, "GET", path, ""), &got)
	if got.Phone != "491700000001" || got.JID != "491700000001:3@s.whatsapp.net" {
		t.Errorf("phone %q, jid %q", got.Phone, got.JID)
	}
}
