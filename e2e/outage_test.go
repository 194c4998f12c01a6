package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/isolation/pgtest"
)

var outageTime = flag.Duration("outage", 0, "how long the test of an outage keeps the database server away")

// TestDatabaseServerStops stops the PostgreSQL server of a whole installation and starts it
// again: the worker and its connection to WhatsApp stay, the panel says what is wrong, and
// nothing that was sent meanwhile is lost.
func TestDatabaseServerStops(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	database := cluster.New(t)
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel := startPanel(t, network, "DB_URI="+database.URI)
	b := newTab(t)
	panel.signIn(b)
	b.create("On a server")
	phone.scan(b.scan())
	b.status("connected")
	other.send(own, "before")
	b.reads("message-text", "before")
	number, pid, connection := b.path(), b.fact("pid"), network.connections()[own]

	cluster.Stop()
	sent := 0
	pace := time.NewTicker(chaosPace)
	defer pace.Stop()
	for over := time.After(*outageTime); over != nil; {
		other.send(own, fmt.Sprint("meanwhile ", sent))
		sent++
		select {
		case <-over:
			over = nil
		case <-pace.C:
		}
	}
	poll(t, "the panel is not ready", func() bool { return ready(t, panel) == http.StatusServiceUnavailable }, nil)
	b.open(panel.url)
	if page := b.text("problem"); !strings.Contains(page, "The database does not answer at the moment") {
		t.Errorf("the page says: %s", page)
	}
	cluster.Start(t)
	poll(t, "the panel is ready", func() bool { return ready(t, panel) == http.StatusOK }, nil)
	b.open(panel.url + number)
	b.reads("message-text", fmt.Sprint("meanwhile ", sent-1))
	b.status("connected")
	var inst instance
	inst.Database.Main = "whatsapp_" + strings.TrimPrefix(number, "/instances/")
	for n := range sent {
		text := fmt.Sprint("meanwhile ", n)
		if stored := storedAt(t, database.SuperURI, inst, text); stored != 1 {
			t.Errorf("%q is stored %d times", text, stored)
		}
	}
	if now := b.fact("pid"); now != pid {
		t.Errorf("the worker was replaced: %d, now %d", pid, now)
	}
	if now := network.connections()[own]; now.ID != connection.ID {
		t.Errorf("the connection was replaced: %+v, now %+v", connection, now)
	}
}

// TestDatabaseServerFailsOver ends the PostgreSQL server of an installation for good, while
// messages come, and makes the one that followed it the server. Both stand in DB_URI.
func TestDatabaseServerFailsOver(t *testing.T) {
	t.Parallel()
	// The standby has what was committed, or nothing counts as committed.
	cluster := pgtest.Own(t, "synchronous_commit=on")
	standby := cluster.Standby(t)
	database := cluster.New(t)
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	both := cluster.Host() + "," + standby.Host()
	p, api := startPanelWithToken(t, network, "DB_URI="+strings.Replace(database.URI, cluster.Host(), both, 1)+"&target_session_attrs=read-write")
	inst := api.pair(api.create("On two servers").ID, phone)
	other.send(own, "before")
	poll(t, "the message is stored", func() bool { return storedAt(t, database.SuperURI, inst, "before") == 1 }, nil)
	connection := network.connections()[own]

	cluster.Stop()
	const count = 20
	for n := range count {
		other.send(own, fmt.Sprint("meanwhile ", n))
		if n == count/2 {
			poll(t, "the panel is not ready", func() bool { return ready(t, p) == http.StatusServiceUnavailable }, nil)
			standby.Promote(t)
		}
	}
	poll(t, "the panel is ready", func() bool { return ready(t, p) == http.StatusOK }, nil)
	elsewhere := strings.Replace(database.SuperURI, cluster.Host(), standby.Host(), 1)
	for n := range count {
		text := fmt.Sprint("meanwhile ", n)
		poll(t, text+" is stored", func() bool { return storedAt(t, elsewhere, inst, text) == 1 }, nil)
	}
	if n := storedAt(t, elsewhere, inst, "before"); n != 1 {
		t.Errorf("the earlier message is there %d times", n)
	}
	if now := api.becomes(inst.ID, "connected"); now.PID != inst.PID || network.connections()[own].ID != connection.ID {
		t.Errorf("it was %+v on %+v, and is %+v on %+v", inst, connection, now, network.connections()[own])
	}
}

// storedAt counts the messages with that text in a number's database on a server.
func storedAt(t *testing.T, super string, inst instance, text string) (n int) {
	t.Helper()
	main := mainDatabase(t, super, inst.Database.Main)
	defer main.Close()
	if err := main.QueryRow(`SELECT count(*) FROM "messages" WHERE "text" = $1`, text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
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
