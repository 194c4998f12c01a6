package simulator_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"switchboard/whatsapp/simulator"
)

// Clients that are thrown out again and again, and repeat what was not acknowledged, lose
// nothing and keep their order.
func TestNothingIsLostInTurmoil(t *testing.T) {
	t.Parallel()
	const pairs, messages, blows = 4, 60, 12
	n := startNetwork(t, t.TempDir(), "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for p := range pairs {
		a, b := rawAccount(t, n, fmt.Sprintf("49151%08d", 2*p)), rawAccount(t, n, fmt.Sprintf("49151%08d", 2*p+1))
		all.Go(func() {
			for i := range messages {
				id := fmt.Sprint("M", i)
				for !a.deliver(ctx, n, id, b.lid) && ctx.Err() == nil {
				}
			}
		})
		all.Go(func() { b.collect(ctx, n, messages) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		all.Wait()
	}()
	everybody := []uint16{0}
	for blow := range blows {
		for p := range 2 * pairs {
			n.Drop(simulator.Target{Number: fmt.Sprintf("49151%08d", p), Device: &everybody[0]})
		}
		if blow%4 == 0 {
			check(t, n.Restart(ctx))
		}
		select {
		case <-done:
		case <-time.After(20 * time.Millisecond):
		}
	}
	<-done
	if ctx.Err() != nil {
		t.Fatal("not finished in time")
	}
}

// connected logs in again if the connection is gone. It reports whether there is one.
func (r *raw) connected(n *simulator.Network) bool {
	if r.gone != nil {
		select {
		case <-r.gone:
		default:
			return true
		}
	}
	if r.tryDial(tcp(n.Addr())) != nil {
		return false
	}
	payload, err := waBinary.Marshal(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "active", "xmlns": "passive", "type": "set", "to": types.ServerJID},
		Content: []waBinary.Node{{Tag: "active"}}})
	check(r.t, err)
	return r.wire.send(payload) == nil
}

// deliver sends a message and reports whether it was acknowledged before the connection broke.
func (r *raw) deliver(ctx context.Context, n *simulator.Network, id string, to types.JID) bool {
	if !r.connected(n) {
		return false
	}
	payload, err := waBinary.Marshal(waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": id, "to": to, "type": "text"}, Content: []waBinary.Node{{
		Tag: "participants", Content: []waBinary.Node{{Tag: "to", Attrs: waBinary.Attrs{"jid": to}, Content: []waBinary.Node{
			{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "msg"}, Content: []byte(id)},
		}}},
	}}})
	check(r.t, err)
	if r.wire.send(payload) != nil {
		return false
	}
	for {
		r.mu.Lock()
		change, acked := r.change, false
		for _, s := range r.stanzas {
			acked = acked || isAck(id)(s)
		}
		r.mu.Unlock()
		if acked {
			return true
		}
		select {
		case <-change:
		case <-r.gone:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// collect confirms messages until the last one has come, and checks their order. One that
// was confirmed on a connection that broke may come twice, but in its place.
func (r *raw) collect(ctx context.Context, n *simulator.Network, messages int) {
	next := 0
	done := make(chan struct{})
	r.first = func(s *waBinary.Node) {
		if s.Tag != "message" {
			return
		}
		var got int
		if _, err := fmt.Sscanf(text(s), "M%d", &got); err != nil || got > next {
			r.t.Errorf("%q came where M%d was due", text(s), next)
		}
		payload, err := waBinary.Marshal(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": s.Attrs["id"], "to": s.Attrs["from"]}})
		check(r.t, err)
		_ = r.wire.send(payload) // lost with its connection: the message comes again
		if got == next {
			if next++; next == messages {
				close(done)
			}
		}
	}
	for ctx.Err() == nil {
		if !r.connected(n) {
			continue
		}
		select {
		case <-done:
			return
		case <-r.gone:
		case <-ctx.Done():
		}
	}
}
