package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"switchboard/freeport"
	"switchboard/isolation/pgtest"
)

// TestDatabaseServerIsNotUpYet starts the panel before its database server, as a machine that was
// switched on may do: it waits, says so once, and goes on by itself. A command says why it cannot work,
// and whoever does not want to wait stops the panel.
func TestDatabaseServerIsNotUpYet(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	vars := []string{"APP_PORT=0", "DB_URI=" + cluster.New(t).URI}
	cluster.Stop()
	p := &panel{t: t, dir: t.TempDir(), vars: vars, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	p.process = start(t, p.dir, append(vars, fmt.Sprintf("APP_PORT=%d", port)), "serve")
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
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/sign-in": http.StatusServiceUnavailable} {
		res, err := http.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != want || want != http.StatusOK && !strings.Contains(string(said), "The database does not answer") {
			t.Errorf("meanwhile, %s answers %d: %s, %v", path, res.StatusCode, said, err)
		}
	}
	cluster.Start(t)
	p.url = p.line(`^Switchboard is at (http\S+)$`)
	poll(t, "the panel is ready", func() bool { return ready(t, p) == http.StatusOK }, nil)
	p.stop()
	if said := strings.Count(strings.Join(p.lines, "\n"), "waits for it"); said != 1 {
		t.Errorf("it said %d times that it waits", said)
	}
}
