package handlers

import (
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
)

// The list says what goes on with all numbers together, and is silent when nothing does.
func TestTheListTellsOfTheFleet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	s.numbers.set(inst)
	stopped := instances.Rollout{Version: "2.0", Old: "1.0", Total: 3, Stopped: inst.ID, Name: inst.Name}
	elsewhere := stopped
	elsewhere.Stopped, elsewhere.Name = "somebodys_20240101120000", "Somebody's"
	for _, c := range []struct {
		boot    instances.Boot
		rollout instances.Rollout
		want    string // "" for nothing
	}{
		{instances.Boot{}, instances.Rollout{}, ""},
		{instances.Boot{Total: 200, Done: 200}, instances.Rollout{Version: "2.0", Total: 3, Done: 3}, ""},
		{instances.Boot{Total: 200, Done: 37}, instances.Rollout{}, "Starting: 37 of 200 numbers"},
		{instances.Boot{}, instances.Rollout{Version: "2.0", Total: 3, Done: 1}, "1 of 3 numbers changed to version 2.0"},
		{instances.Boot{}, stopped, "“" + inst.Name + "” did not come back with it, so it runs with version 1.0 again"},
		{instances.Boot{}, elsewhere, "One number did not come back"},
	} {
		s.numbers.mu.Lock()
		s.numbers.boot, s.numbers.rollout = c.boot, c.rollout
		s.numbers.mu.Unlock()
		body := b.get("/").body
		told := strings.Contains(body, `data-testid="boot"`) || strings.Contains(body, `data-testid="rollout"`)
		if told != (c.want != "") || !strings.Contains(body, c.want) {
			t.Errorf("%+v %+v: told %v, want %q", c.boot, c.rollout, told, c.want)
		}
		if strings.Contains(body, "Somebody") {
			t.Error("the name of another person's number is told")
		}
	}
}
