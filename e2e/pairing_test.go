package e2e

import (
	"net/http"
	"path"
	"syscall"
	"testing"
)

// signIn makes the owner through the set-up link and leaves them on the list of numbers.
func (p *panel) signIn(b *tab) {
	p.t.Helper()
	b.open(p.setup())
	b.fill("setup-form", "name", "Ada")
	b.fill("setup-form", "email", ownerEmail)
	b.fill("setup-form", "password", ownerPassword)
	b.submit("setup-form", "submit")
	b.see("new-number")
}

// create makes a number and waits for its page.
func (b *tab) create(name string) (id string) {
	b.t.Helper()
	b.click("new-number")
	b.fill("new-form", "name", name)
	b.submit("new-form", "submit")
	b.see("status")
	return b.id()
}

// id of the number whose page is open.
func (b *tab) id() string { return path.Base(b.path()) }

// TestKilledWhilePairing ends a number's process while its code is on the screen: the page
// says so and offers the way on, and that way leads to the end.
func TestKilledWhilePairing(t *testing.T) { onBothEngines(t, killedWhilePairing) }

func killedWhilePairing(t *testing.T, database ...string) {
	network := startNetwork(t)
	phone := network.addPhone(own, "Ada")
	panel := startPanel(t, network, database...)
	b := newTab(t)
	panel.signIn(b)
	b.create("Interrupted")
	first := b.scan()

	pid := b.fact("pid")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.eval(patience, `document.querySelector('[data-testid="status"][data-reason="worker_killed"]') !== null`,
		"the page says that the process was killed")

	// The way on is another code, which comes by itself.
	b.status("pairing")
	second := first
	poll(t, "another code is on the screen", func() bool { second = b.scan(); return second != first }, b.page)
	phone.scan(second)
	b.status("connected")
	if now := b.fact("pid"); now == pid {
		t.Errorf("the process is still %d", now)
	}
}

// TestAnotherNetwork runs two simulated networks with keys of their own. A panel is on the
// one it was given, and does not take the other for it.
func TestAnotherNetwork(t *testing.T) {
	t.Parallel()
	first, second := startNetwork(t), startNetwork(t)
	if first.rootKey == second.rootKey {
		t.Fatal("two networks have the same root key")
	}
	phone := second.addPhone(own, "Ada")

	_, api := startPanelWithToken(t, second)
	api.pair(api.create("On the second").ID, phone)
	if len(second.connections()) != 1 || len(first.connections()) != 0 {
		t.Errorf("connections to the first: %v, to the second: %v", first.connections(), second.connections())
	}

	// The address of one with the key of the other is nobody's network.
	crossed := &network{process: first.process, addr: first.addr, rootKey: second.rootKey, control: first.control}
	_, api = startPanelWithToken(t, crossed)
	id := api.create("On neither").ID
	poll(t, "the number says that it reaches no network", func() bool { return api.get(id).Reason == "no_network" }, nil)
	if status, body := api.ask(http.MethodGet, "/instances/"+id+"/qr", nil); status != http.StatusConflict {
		t.Errorf("a network that cannot prove itself gives a code: %d: %s", status, body)
	}
}
