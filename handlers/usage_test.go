package handlers

import (
	"net/http"
	"os"
	"testing"

	"switchboard/auth"
	"switchboard/instances"
)

func TestUsageIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.PID = os.Getpid()
	s.numbers.set(inst)
	page := "/instances/" + string(known)
	b.get(page).has(t, `data-testid="usage-cpu"`, `data-testid="usage-memory"`, `data-testid="usage-files"`, " MiB", `hx-trigger="every 30s"`)
	if got := b.poll(page + "/usage"); got.code != http.StatusOK {
		t.Errorf("%d: %s", got.code, got.body)
	}
	b.get("/").has(t, `data-testid="totals"`, "1 process running, with ")

	inst.PID = 1 << 30 // a process that nobody has measured
	s.numbers.set(inst)
	b.get(page).has(t, "not measured yet")

	inst.Status, inst.PID = instances.Idle, 0
	s.numbers.set(inst)
	b.get(page).has(t, "none now")
	b.get("/").lacks(t, `data-testid="totals"`)
}
