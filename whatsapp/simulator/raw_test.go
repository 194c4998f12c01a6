package simulator_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"

	"switchboard/whatsapp/simulator"
)

// raw is a client that is hardly more than a connection. It sees each stanza as it is and
// runs under the race detector, which whatsmeow's client does not.
type raw struct {
	t     testing.TB
	noise *keys.KeyPair
	jid   types.JID
	lid   types.JID
	gone  chan struct{} // of the present connection

	handling sync.Mutex // of one stanza at a time
	wire     *wire      // the present connection; guarded by handling

	mu      sync.Mutex
	stanzas []*waBinary.Node
	change  chan struct{}
	ids     int
	first   func(*waBinary.Node) // sees each stanza first, in the order of arrival
}

// rawAccount registers an account whose phone is a raw client.
func rawAccount(t testing.TB, n *simulator.Network, number string) *raw {
	t.Helper()
	noise, identity := keys.NewKeyPair(), keys.NewKeyPair()
	signed := identity.CreateSignedPreKey(1)
	lid, err := n.AddAccount(t.Context(), simulator.Primary{
		Number: number, Name: "raw " + number, RegistrationID: 7, NoisePub: *noise.Pub, IdentityPub: *identity.Pub,
		SignedPreKey: simulator.SignedPreKey{ID: 1, Pub: *signed.Pub, Signature: *signed.Signature},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &raw{
		t: t, noise: noise,
		jid: types.NewJID(number, types.DefaultUserServer), lid: types.NewJID(lid, types.HiddenUserServer),
	}
}

// dial connects and shakes hands; what the server says then arrives as stanzas.
func (r *raw) dial(addr string) {
	r.t.Helper()
	r.dialOver(tcp(addr))
}

func (r *raw) dialOver(transport http.RoundTripper) {
	r.t.Helper()
	check(r.t, r.tryDial(transport))
}

func (r *raw) tryDial(transport http.RoundTripper) error {
	user, _ := strconv.ParseUint(r.jid.User, 10, 64)
	w, err := dialWire(context.Background(), transport, r.noise,
		&waWa6.ClientPayload{Username: proto.Uint64(user), Device: proto.Uint32(uint32(r.jid.Device)), Passive: proto.Bool(true)})
	if err != nil {
		r.gone = nil
		return err
	}
	r.handling.Lock()
	r.wire, r.gone = w, w.gone
	r.handling.Unlock()
	r.mu.Lock()
	r.stanzas, r.change = nil, make(chan struct{})
	r.mu.Unlock()
	go w.read(func(frame []byte) {
		r.handling.Lock()
		defer r.handling.Unlock()
		if r.wire == w { // or else it is late, and came over a connection that is gone
			r.receive(frame)
		}
	})
	return nil
}

// login dials, waits for the success and asks for what is waiting.
func (r *raw) login(addr string) {
	r.t.Helper()
	r.dial(addr)
	r.wait("success", func(n *waBinary.Node) bool { return n.Tag == "success" })
	r.activate()
}

func (r *raw) activate() {
	r.t.Helper()
	r.ask("passive", "set", types.ServerJID, waBinary.Node{Tag: "active"})
}

func (r *raw) receive(frame []byte) {
	plain, err := waBinary.Unpack(frame)
	if err != nil {
		r.t.Errorf("frame: %v", err)
		return
	}
	n, err := waBinary.Unmarshal(plain)
	if err != nil {
		r.t.Errorf("stanza: %v", err)
		return
	}
	if r.first != nil {
		r.first(n)
	}
	r.mu.Lock()
	r.stanzas = append(r.stanzas, n)
	close(r.change)
	r.change = make(chan struct{})
	r.mu.Unlock()
}

func (r *raw) send(n waBinary.Node) {
	r.t.Helper()
	payload, err := waBinary.Marshal(n)
	check(r.t, err)
	check(r.t, r.wire.send(payload))
}

// wait returns the first stanza since the login that match accepts.
func (r *raw) wait(what string, match func(*waBinary.Node) bool) *waBinary.Node {
	r.t.Helper()
	timeout := time.After(time.Minute)
	seen := 0
	for {
		r.mu.Lock()
		for ; seen < len(r.stanzas); seen++ {
			if match(r.stanzas[seen]) {
				found := r.stanzas[seen]
				r.mu.Unlock()
				return found
			}
		}
		change := r.change
		r.mu.Unlock()
		select {
		case <-change:
		case <-timeout:
			r.t.Fatalf("no %s", what)
		}
	}
}

func (r *raw) count(match func(*waBinary.Node) bool) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.stanzas {
		if match(n) {
			count++
		}
	}
	return count
}

// ask sends an iq and returns the answer.
func (r *raw) ask(xmlns, kind string, to types.JID, content ...waBinary.Node) *waBinary.Node {
	r.t.Helper()
	r.mu.Lock()
	r.ids++
	id := fmt.Sprintf("q%d", r.ids)
	r.mu.Unlock()
	attrs := waBinary.Attrs{"id": id, "xmlns": xmlns, "type": kind, "to": to}
	r.send(waBinary.Node{Tag: "iq", Attrs: attrs, Content: content})
	return r.wait("answer to "+xmlns, func(n *waBinary.Node) bool { return n.Tag == "iq" && n.Attrs["id"] == id })
}

// message sends a message whose content is no more than a text in place of a ciphertext.
func (r *raw) message(id string, to types.JID, text string, devices ...types.JID) {
	r.t.Helper()
	var participants []waBinary.Node
	for _, d := range devices {
		participants = append(participants, waBinary.Node{Tag: "to", Attrs: waBinary.Attrs{"jid": d}, Content: []waBinary.Node{
			{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "msg"}, Content: []byte(text)},
		}})
	}
	r.send(waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": id, "to": to, "type": "text"},
		Content: []waBinary.Node{{Tag: "participants", Content: participants}}})
}

// confirm acknowledges a message as a client does.
func (r *raw) confirm(n *waBinary.Node) {
	attrs := waBinary.Attrs{"id": n.Attrs["id"], "to": n.Attrs["from"]}
	for _, key := range []string{"participant", "recipient"} {
		if v, ok := n.Attrs[key]; ok {
			attrs[key] = v
		}
	}
	r.send(waBinary.Node{Tag: "receipt", Attrs: attrs})
}

func (r *raw) close() {
	r.wire.close()
	<-r.gone
}

func isAck(id string) func(*waBinary.Node) bool {
	return func(n *waBinary.Node) bool { return n.Tag == "ack" && n.Attrs["id"] == id }
}

func isMessage(id string) func(*waBinary.Node) bool {
	return func(n *waBinary.Node) bool { return n.Tag == "message" && n.Attrs["id"] == id }
}

func text(n *waBinary.Node) string {
	enc := n.GetChildByTag("enc")
	content, _ := enc.Content.([]byte)
	return string(content)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// libsignal sets up its logger at the first use, without a lock: that is better behind us
// before tests run side by side.
func init() { keys.NewKeyPair().CreateSignedPreKey(1) }
