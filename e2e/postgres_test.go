package e2e

import (
	"testing"

	"switchboard/isolation/pgtest"
)

// TestOnPostgres walks the short way of a number whose databases are on a PostgreSQL server.
func TestOnPostgres(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel := startPanel(t, network, "DB_URI="+pgtest.New(t).URI)
	b := newTab(t)
	panel.signIn(b)
	b.create("On a server")
	phone.scan(b.scan())
	b.status("connected")
	b.fill("send-form", "send-to", "+"+friend)
	b.fill("send-form", "send-text", "Hello from a server")
	b.submit("send-form", "send-submit")
	other.receives(own, "Hello from a server")
	other.send(own, "Hello back")
	b.reads("message-text", "Hello back")

	pid, port := b.fact("pid"), b.fact("port")
	b.click("delete")
	b.fill("delete-form", "confirm-name", "On a server")
	b.submit("delete-form", "confirm-delete")
	poll(t, "process and port are gone", func() bool { return !alive(pid) && !listening(port) }, nil)
}
