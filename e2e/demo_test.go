package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/whatsapp/simulator/web"
)

// TestDemo opens the one link that demo prints, and talks to the phone that answers. Nothing
// around it counts, not even a .env that would stop every other command.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("APP_PORT=none\nDB_URI=mysql://x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	demo := start(t, dir, []string{"STORAGE_DIR=/nowhere"}, "demo")
	link := demo.line(`(http\S+)$`)
	demo.line(`^Press Ctrl-C`)

	b := newTab(t)
	b.open(link)
	b.submit("link-form", "submit")
	b.see("simulated")
	b.create("My first number")
	b.see("countdown")

	// The page of the phones is one click away from the code.
	phones, _, _ := strings.Cut(b.href("simulated-scan"), "#")
	network := &network{process: demo, control: web.NewClient(phones)}
	(&handset{network: network, number: "491700000001"}).scan(b.scan())
	b.status("connected")
	b.fill("send-form", "send-to", "+491700000003")
	b.fill("send-form", "send-text", "Is anybody there?")
	b.submit("send-form", "send-submit")
	b.reads("message-text", "You said: Is anybody there?")

	if printed := strings.Count(strings.Join(demo.lines, "\n"), "http"); printed != 1 {
		t.Errorf("demo printed %d links", printed)
	}
	if code := demo.stop(); code != 0 {
		t.Errorf("demo ended with %d", code)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 { // .env and storages
		t.Errorf("demo has left %v, %v", entries, err)
	}
}
