package api

import (
	"net/http"
	"testing"

	"switchboard/instances"
)

func TestHabits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected})) + "/settings"
	var now habits
	into(t, s.send(s.operator, "GET", path, ""), &now)
	if now != (habits{Download: true}) {
		t.Errorf("never set: %+v", now)
	}
	got := s.send(s.operator, "PATCH", path, `{"reply":"Closed.","new_chat_pause":90,"zone":"Europe/Rome"}`)
	s.wantStatus(got, http.StatusOK)
	got = s.send(s.operator, "PATCH", path, `{"reply":"Open.","quiet_from":60}`)
	s.wantStatus(got, http.StatusOK)
	want := habits{Reply: "Open.", NewChatPause: 90, Zone: "Europe/Rome", QuietFrom: 60, Download: true}
	into(t, got, &now)
	if now != want {
		t.Errorf("answered is %+v", now)
	}
	into(t, s.send(s.operator, "GET", path, ""), &now)
	if now != want {
		t.Errorf("stored is %+v", now)
	}
	for body, field := range map[string]string{
		`{"proxy":"nonsense"}`: "proxy", `{"region":"ZZ"}`: "region", `{"new_chat_pause":9223372036854775807}`: "new_chat_pause", `{"per_minute":-1}`: "per_minute", `{"days":"x"}`: "days",
	} {
		if p := s.wantProblem(s.send(s.operator, "PATCH", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
	s.wantProblem(s.send(s.operator, "PATCH", path, `{"unknown":1}`), http.StatusUnprocessableEntity)
	s.wantProblem(s.send(s.look, "PATCH", path, `{"reply":""}`), http.StatusForbidden)
}

// A proxy's password goes in and never comes out; what is shown stands for what is kept.
func TestProxy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.add(instances.Instance{Status: instances.Connected})
	path := "/instances/" + string(id) + "/settings"
	const kept, shown = "socks5://joe:secret@proxy.example.com:1080", "socks5://joe:xxxxx@proxy.example.com:1080"
	for _, step := range []struct{ body, shown, kept string }{
		{`{"proxy":"socks5://joe:secret@proxy.example.com"}`, shown, kept},
		{`{"reply":"Open."}`, shown, kept},
		{`{"proxy":"` + shown + `"}`, shown, kept},
		{`{"proxy":""}`, "", ""},
	} {
		got := s.send(s.operator, "PATCH", path, step.body)
		s.wantStatus(got, http.StatusOK)
		var answered, now habits
		into(t, got, &answered)
		into(t, s.send(s.operator, "GET", path, ""), &now)
		set, err := s.settings.Get(t.Context(), id)
		if err != nil || answered.Proxy != step.shown || now.Proxy != step.shown || set.Proxy != step.kept {
			t.Errorf("%s: answered %q, shown %q, kept %q, %v", step.body, answered.Proxy, now.Proxy, set.Proxy, err)
		}
	}
}
