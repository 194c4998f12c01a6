package e2e

import (
	"path"
	"syscall"
	"testing"
	"time"
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

// TestKilledWhilePairing ends a number's process while its code is on the screen: within
// three seconds the page says so and offers the way on, and that way leads to the end.
func TestKilledWhilePairing(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	phone := network.addPhone(own, "Ada")
	panel := startPanel(t, network)
	b := newTab(t)
	panel.signIn(b)
	b.create("Interrupted")
	first := b.scan()

	pid := b.fact("pid")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.eval(3*time.Second, `document.querySelector('[data-testid="status"][data-reason="worker_killed"] [data-testid="next-step"] :is(a, button)') !== null`,
		"the page says that the process was killed, with a next step")

	// It starts again by itself, with another code.
	b.status("pairing")
	second := b.scan()
	if second == first {
		t.Error("the code of the dead process is still on the screen")
	}
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
	api.becomes(id, "reconnecting")
	if got := api.get(id); got.Reason == "" {
		t.Errorf("a network that cannot prove itself leads to %+v", got)
	}
}
