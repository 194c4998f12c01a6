package e2e

import (
	"net/http"
	"strings"
	"testing"

	"switchboard/isolation/pgtest"
)

// TestDatabaseServerStops stops the PostgreSQL server of a whole installation and starts it
// again: the worker and its connection to WhatsApp stay, the panel says what is wrong, and
// nothing that was sent meanwhile is lost.
func TestDatabaseServerStops(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel := startPanel(t, network, "DB_URI="+cluster.New(t).URI)
	b := newTab(t)
	panel.signIn(b)
	b.create("On a server")
	phone.scan(b.scan())
	b.status("connected")
	other.send(own, "before")
	b.reads("message-text", "before")
	number, pid, connection := b.path(), b.fact("pid"), network.connections()[own]

	cluster.Stop()
	other.send(own, "meanwhile")
	poll(t, "the panel is not ready", func() bool { return ready(t, panel) == http.StatusServiceUnavailable }, nil)
	b.open(panel.url)
	if page := b.text("problem"); !strings.Contains(page, "The database does not answer at the moment") {
		t.Errorf("the page says: %s", page)
	}
	cluster.Start(t)
	poll(t, "the panel is ready", func() bool { return ready(t, panel) == http.StatusOK }, nil)
	b.open(panel.url + number)
	b.reads("message-text", "meanwhile")
	b.status("connected")
	if now := b.fact("pid"); now != pid {
		t.Errorf("the worker was replaced: %d, now %d", pid, now)
	}
	if now := network.connections()[own]; now.ID != connection.ID {
		t.Errorf("the connection was replaced: %+v, now %+v", connection, now)
	}
}

func ready(t *testing.T, p *panel) int {
	t.Helper()
	res, err := http.Get(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
