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
		`{"region":"ZZ"}`: "region", `{"new_chat_pause":9223372036854775807}`: "new_chat_pause", `{"per_minute":-1}`: "per_minute", `{"days":"x"}`: "days",
	} {
		if p := s.wantProblem(s.send(s.operator, "PATCH", path, body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
	s.wantProblem(s.send(s.operator, "PATCH", path, `{"unknown":1}`), http.StatusUnprocessableEntity)
	s.wantProblem(s.send(s.look, "PATCH", path, `{"reply":""}`), http.StatusForbidden)
}
