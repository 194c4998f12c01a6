package e2e

import (
	"net/http"
	"testing"

	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// network is a running `switchboard simulator`.
type network struct {
	*process
	addr    string
	rootKey string
	control *client // of its control API
}

// startNetwork starts a simulated network in a folder of its own.
func startNetwork(t testing.TB) *network {
	t.Helper()
	n := &network{process: start(t, t.TempDir(), nil, "simulator", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")}
	n.addr = n.line(`^WHATSAPP_SIMULATOR_ADDR=(\S+)$`)
	n.rootKey = n.line(`^WHATSAPP_SIMULATOR_ROOT_KEY=(\S+)$`)
	n.control = &client{t: t, url: n.line(`(http://\S+)/$`) + "/api"}
	return n
}

// connections lists the live connections of linked devices by the number of their account.
func (n *network) connections() map[string]web.Connection {
	n.t.Helper()
	var all []web.Connection
	n.control.call(http.MethodGet, "/connections", nil, http.StatusOK, &all)
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
	n      *network
	number string
	seen   int64         // Seq of the last entry that received has looked at
	inbox  []phone.Entry // what arrived, oldest first
}

// addPhone makes a phone with an account of its own.
func (n *network) addPhone(number, name string) *handset {
	n.t.Helper()
	n.control.call(http.MethodPost, "/phones", map[string]string{"number": number, "name": name}, http.StatusCreated, nil)
	return &handset{n: n, number: number}
}

func (h *handset) call(method, path string, in any, want int, out any) {
	h.n.t.Helper()
	h.n.control.call(method, "/phones/"+h.number+path, in, want, out)
}

// scan links the device that shows the code.
func (h *handset) scan(code string) {
	h.n.t.Helper()
	h.call(http.MethodPost, "/scan", map[string]string{"code": code}, http.StatusOK, nil)
}

// enter links the device that shows a code to type in.
func (h *handset) enter(code string) {
	h.n.t.Helper()
	h.call(http.MethodPost, "/code", map[string]string{"code": code}, http.StatusOK, nil)
}

// answers makes the phone answer every text with prefix and the text.
func (h *handset) answers(prefix string) {
	h.n.t.Helper()
	h.call(http.MethodPatch, "", map[string]any{"answer": web.Answer{On: true, Prefix: prefix}}, http.StatusOK, nil)
}

func (h *handset) send(to, text string) {
	h.n.t.Helper()
	h.call(http.MethodPost, "/messages", map[string]string{"to": to, "text": text}, http.StatusCreated, nil)
}

// state is what the phone says about itself.
func (h *handset) state() web.Phone {
	h.n.t.Helper()
	var p web.Phone
	h.call(http.MethodGet, "", nil, http.StatusOK, &p)
	return p
}

// look reads what has arrived since the last look.
func (h *handset) look() {
	h.n.t.Helper()
	for {
		var page web.Messages
		h.call(http.MethodGet, "/messages?after="+itoa(h.seen), nil, http.StatusOK, &page)
		for _, e := range page.Messages {
			h.remember(e)
		}
		if page.After == h.seen {
			return
		}
		h.seen = page.After
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
	h.n.t.Helper()
	poll(h.n.t, h.number+" receives "+text, func() bool {
		h.look()
		for _, e := range h.inbox {
			if !e.FromMe && e.From == from && e.Text == text {
				return true
			}
		}
		return false
	}, nil)
}

// texts are the texts on the phone from a number, in the order of their arrival.
func (h *handset) texts(from string) []string {
	h.n.t.Helper()
	h.look()
	var all []string
	for _, e := range h.inbox {
		if !e.FromMe && e.From == from {
			all = append(all, e.Text)
		}
	}
	return all
}
