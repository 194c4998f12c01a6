package e2e

import (
	"context"
	"testing"
	"time"

	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// network is a running `switchboard simulator`.
type network struct {
	*process
	addr    string
	rootKey string
	control *web.Client
}

// startNetwork starts a simulated network in a folder of its own.
func startNetwork(t testing.TB) *network {
	t.Helper()
	n := &network{process: start(t, t.TempDir(), nil, "simulator", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")}
	n.addr = n.line(`^WHATSAPP_SIMULATOR_ADDR=(\S+)$`)
	n.rootKey = n.line(`^WHATSAPP_SIMULATOR_ROOT_KEY=(\S+)$`)
	n.control = web.NewClient(n.line(`(http://\S+)/$`))
	return n
}

// must gives up the test if a request to the network failed.
func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// connections lists the live connections of linked devices by the number of their account.
func (n *network) connections() map[string]web.Connection {
	n.t.Helper()
	all, err := n.control.Connections(within(n.t, patience))
	n.must(err)
	linked := make(map[string]web.Connection)
	for _, c := range all {
		if c.Device != 0 {
			linked[c.Number] = c
		}
	}
	return linked
}

// handset is a simulated phone in a person's hand.
type handset struct {
	*network
	number string
	seen   int64         // Seq of the last entry that look has read
	inbox  []phone.Entry // everything on the phone, in the order of arrival
}

// addPhone makes a phone with an account of its own.
func (n *network) addPhone(number, name string) *handset {
	n.t.Helper()
	_, err := n.control.AddPhone(within(n.t, patience), number, name)
	n.must(err)
	return &handset{network: n, number: number}
}

// scan links the device that shows the code.
func (h *handset) scan(code string) {
	h.t.Helper()
	_, err := h.control.Scan(within(h.t, patience), h.number, code)
	h.must(err)
}

// enter links the device that shows a code to type in.
func (h *handset) enter(code string) {
	h.t.Helper()
	_, err := h.control.EnterCode(within(h.t, patience), h.number, code)
	h.must(err)
}

// answers makes the phone answer every text with prefix and the text.
func (h *handset) answers(prefix string) {
	h.t.Helper()
	h.must(h.control.SetAnswer(within(h.t, patience), h.number, web.Answer{On: true, Prefix: prefix}))
}

// send sends a text. Unlike the other methods it may be called by several goroutines at once.
func (h *handset) send(to, text string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if _, err := h.control.Send(ctx, h.number, to, text); err != nil {
		h.t.Errorf("send to %s: %v", to, err)
	}
}

// state is what the phone says about itself.
func (h *handset) state() web.Phone {
	h.t.Helper()
	p, err := h.control.Phone(within(h.t, patience), h.number)
	h.must(err)
	return p
}

// look reads what is new on the phone; if there is nothing, it waits that long.
func (h *handset) look(wait time.Duration) {
	h.t.Helper()
	for {
		page, err := h.control.Messages(within(h.t, patience), h.number, h.seen, wait)
		h.must(err)
		for _, e := range page.Messages {
			h.remember(e)
		}
		if page.After == h.seen {
			return
		}
		h.seen, wait = page.After, 0
	}
}

// remember keeps an entry once: a change of it, a delivery for example, comes again.
func (h *handset) remember(e phone.Entry) {
	for i, old := range h.inbox {
		if old.ID == e.ID && old.FromMe == e.FromMe {
			h.inbox[i] = e
			return
		}
	}
	h.inbox = append(h.inbox, e)
}

// receives waits until a text from somebody is on the phone.
func (h *handset) receives(from, text string) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); ; h.look(time.Second) {
		for _, e := range h.inbox {
			if !e.FromMe && e.From == from && e.Text == text {
				return
			}
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s never received %q from %s", h.number, text, from)
		}
	}
}

// texts counts the texts on the phone from a number.
func (h *handset) texts(from string) map[string]int {
	h.t.Helper()
	h.look(0)
	all := make(map[string]int)
	for _, e := range h.inbox {
		if !e.FromMe && e.From == from {
			all[e.Text]++
		}
	}
	return all
}
