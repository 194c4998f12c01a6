package e2e

import (
	"net/http"
	"testing"
)

// TestBoot starts a panel with paired numbers again. It answers before they are up, tells how
// far they are, and each of them logs in once.
func TestBoot(t *testing.T) {
	t.Parallel()
	const count = 8
	f := startFleet(t, count, 30200)
	f.stop()
	logins := f.logins()
	f.restart(t)
	var stats struct {
		Total int
		Boot  struct{ Total, Done int }
	}
	ask := func() {
		f.api.call(http.MethodGet, "/stats", nil, http.StatusOK, &stats)
		if stats.Total != count || stats.Boot.Total != count {
			t.Fatalf("of %d numbers it tells %+v", count, stats)
		}
	}
	ask()
	if stats.Boot.Done == count {
		t.Log("all numbers were up before the first question")
	}
	poll(t, "the start is over", func() bool { ask(); return stats.Boot.Done == count }, nil)
	f.connected()
	if more := f.logins() - logins; more != count {
		t.Errorf("%d numbers logged in %d times", count, more)
	}
}
