package simulator

import (
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// call is one that rings. What is said in it is not simulated.
type call struct {
	caller, callee *account
	answered       bool
	since          time.Time
}

// ringTime is how long a call rings at most.
const ringTime = 2 * time.Minute

// handleCall passes offers of calls and what follows on to the other side, while they ring.
func (c *connection) handleCall(d *device, stanza *waBinary.Node) {
	n := c.n
	children := stanza.GetChildren()
	if len(children) != 1 {
		c.ack(stanza, waBinary.Attrs{"error": ackRefused})
		return
	}
	what := children[0]
	id, to := attr(&what, "call-id"), attrJID(stanza, "to")
	n.mu.Lock()
	defer n.mu.Unlock()
	other := n.find(to)
	for id, old := range n.calls {
		if time.Since(old.since) > ringTime {
			delete(n.calls, id)
		}
	}
	ringing := n.calls[id]
	switch {
	case other == nil || id == "":
		c.ack(stanza, waBinary.Attrs{"error": ackNotFound})
		return
	case what.Tag == "offer":
		if ringing != nil {
			c.ack(stanza, waBinary.Attrs{"error": ackRefused})
			return
		}
		n.calls[id] = &call{caller: d.account, callee: other, since: time.Now()}
		if other.blocks(d.account) {
			c.ack(stanza, nil) // rings for the caller alone
			return
		}
	case ringing == nil || d.account != ringing.caller && d.account != ringing.callee:
		c.ack(stanza, waBinary.Attrs{"error": ackNotFound})
		return
	case what.Tag == "reject", what.Tag == "terminate":
		delete(n.calls, id)
	case what.Tag == "accept":
		ringing.answered = true
	}
	c.ack(stanza, nil)
	creator := d.account
	if ringing != nil {
		creator = ringing.caller
	}
	what.Attrs["call-creator"] = creator.jid(types.HiddenUserServer)
	what.Attrs["caller_pn"] = creator.jid(types.DefaultUserServer)
	from := d.account.jid(types.HiddenUserServer)
	targets := other.devices
	if what.Tag != "offer" {
		for _, own := range d.account.devices { // they ring too
			if own != d {
				targets = append(targets[:len(targets):len(targets)], own)
			}
		}
	}
	for _, t := range targets {
		n.push(t, node("call", waBinary.Attrs{
			"from": from, "id": n.nextID(), "t": unixNow(), "platform": d.Platform, "version": "2.26.1", "notify": d.account.Name,
		}, what))
	}
}
