package simulator

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// handleReceipt acknowledges a receipt, takes it as the acknowledgement of a delivered
// message where it is one, and passes it on.
func (c *connection) handleReceipt(d *device, receipt *waBinary.Node) {
	n := c.n
	n.stats.receipts.Add(1)
	to, participant, kind := attrJID(receipt, "to"), attrJID(receipt, "participant"), attr(receipt, "type")
	switch kind {
	case "", "inactive", "sender":
		for _, id := range receiptIDs(receipt) {
			n.acknowledge(d, stanzaKey("message", id, to, participant, ""))
		}
	case "retry":
		n.stats.retries.Add(1)
	case "server-error":
		n.keepMediaRequest(d, receipt)
	}
	for _, o := range n.routeReceipt(d, receipt, to, participant, kind) {
		n.push(o.to, o.stanza)
	}
	c.ack(receipt, nil)
}

func receiptIDs(receipt *waBinary.Node) []string {
	ids := []string{attr(receipt, "id")}
	if list, ok := child(receipt, "list"); ok {
		for _, item := range list.GetChildren() {
			ids = append(ids, attr(&item, "id"))
		}
	}
	return ids
}

// routeReceipt says who gets to know of a receipt. The addressing stays the one that the
// message had: clients look their messages up by it.
func (n *Network) routeReceipt(d *device, receipt *waBinary.Node, to, participant types.JID, kind string) []delivery {
	n.mu.RLock()
	defer n.mu.RUnlock()
	attrs := waBinary.Attrs{"id": attr(receipt, "id"), "t": unixNow(), "type": kind}
	if v := attr(receipt, "category"); v != "" {
		attrs["category"] = v
	}
	group := to.Server == types.GroupServer || to.Server == types.BroadcastServer
	author := to
	if group {
		author = participant
		attrs["from"], attrs["participant"] = to, d.jid(author.Server)
	} else {
		attrs["from"] = d.jid(author.Server)
	}
	target := n.find(author)
	if target == nil {
		return nil
	}
	own := with(attrs, nil) // for the reader's other devices
	if group {
		own["recipient"] = author.ToNonAD()
	} else {
		own["recipient"] = to.ToNonAD()
	}
	if recipient := attrJID(receipt, "recipient"); !recipient.IsEmpty() {
		attrs["recipient"] = recipient
	}
	content := receipt.GetChildren()

	var out []delivery
	switch kind {
	case "retry", "sender", "peer_msg", "hist_sync":
		// To the one device that sent the message.
		if one := target.device(author.Device); one != nil && one != d {
			out = append(out, delivery{one, node("receipt", attrs, content...)})
		}
		return out
	case "server-error":
		// To the phone, which has what is asked for.
		if one := target.device(0); target == d.account && one != nil && one != d {
			out = append(out, delivery{one, node("receipt", attrs, content...)})
		}
		return out
	case "read-self", "played-self":
	default:
		if target != d.account {
			for _, one := range target.devices {
				out = append(out, delivery{one, node("receipt", attrs, content...)})
			}
		}
	}
	switch kind {
	case "read", "played", "read-self", "played-self":
		for _, one := range d.account.devices {
			if one != d {
				out = append(out, delivery{one, node("receipt", own, content...)})
			}
		}
	}
	return out
}
