package api

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"switchboard/instances"
)

func TestStats(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, status := range []instances.Status{instances.Connected, instances.Connected, instances.Failed} {
		s.supervisor.list = append(s.supervisor.list, instances.Instance{ID: instances.ID(fmt.Sprint(i)), Owner: s.ownerID, Status: status, PID: 4711, Restarts: i})
	}
	mine := s.add(instances.Instance{Status: instances.PairingPhone, PID: 4711})
	s.supervisor.boot = instances.Boot{Total: 9, Done: 5}
	one := usage{CPUPercent: 1.5, RSSBytes: 19 << 20, OwnBytes: 6 << 20, OpenFiles: 21}
	four := usage{CPUPercent: 6, RSSBytes: 76 << 20, OwnBytes: 24 << 20, OpenFiles: 84}
	ask := func(token string) (got stats) {
		answer := s.send(token, "GET", "/stats", "")
		s.wantStatus(answer, http.StatusOK)
		into(t, answer, &got)
		return got
	}
	for token, want := range map[string]stats{
		s.owner:    {Total: 4, ByStatus: map[instances.Status]int{"connected": 2, "failed": 1, "pairing": 1}, Restarts: 3, Resources: four, Boot: boot{9, 5}},
		s.operator: {Total: 1, ByStatus: map[instances.Status]int{"pairing": 1}, Resources: one, Boot: boot{9, 5}},
		s.other:    {ByStatus: map[instances.Status]int{}, Boot: boot{9, 5}},
	} {
		if got := ask(token); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	s.supervisor.rollout = instances.Rollout{Version: "2", Old: "1", Total: 4, Done: 1, Stopped: mine, Name: "Support"}
	want := rollout{Version: "2", From: "1", Total: 4, Done: 1, Stopped: true, At: mine}
	if got := ask(s.operator).Rollout; got == nil || *got != want {
		t.Errorf("%+v", got)
	}
	want.At = ""
	if got := ask(s.other).Rollout; got == nil || *got != want {
		t.Errorf("where an update stopped is told to somebody else: %+v", got)
	}
}
