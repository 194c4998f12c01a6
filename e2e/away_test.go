package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"switchboard/isolation/pgtest"
)

// TestDatabaseServerIsNotUpYet starts the panel before its database server, as a machine that was
// switched on may do: it waits, says so once, and goes on by itself. A command says why it cannot work,
// and whoever does not want to wait stops the panel.
func TestDatabaseServerIsNotUpYet(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	vars := []string{"APP_PORT=0", "DB_URI=" + cluster.New(t).URI}
	cluster.Stop()
	p := &panel{t: t, dir: t.TempDir(), vars: vars}
	p.process = start(t, p.dir, vars, "serve")
	other := start(t, t.TempDir(), vars, "serve")
	if out, err := commandIn(p.dir, vars, "", "user", "list"); err == nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, "does not answer; check that it runs") {
		t.Errorf("a command says %q, %v", out, err)
	}
	const waits = `does not answer.* Switchboard waits for it\.$`
	p.line(waits)
	other.line(waits)
	if code := other.stop(); code != 0 {
		t.Errorf("stopped, it ends with %d", code)
	}
	if left, err := os.ReadDir(other.cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
	cluster.Start(t)
	p.url = p.line(`^Switchboard is at (http\S+)$`)
	poll(t, "the panel is ready", func() bool { return ready(t, p) == http.StatusOK }, nil)
	said := strings.Count(strings.Join(p.lines, "\n"), "waits for it")
	if said != 1 {
		t.Errorf("it said %d times that it waits", said)
	}
}
