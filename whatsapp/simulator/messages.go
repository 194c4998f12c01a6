package simulator

import (
	"maps"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Errors in the acknowledgement of a message.
const (
	ackForbidden = 403
	ackNotFound  = 404
	ackRefused   = 400
)

// delivery is one stanza for one device.
type delivery struct {
	to     *device
	stanza waBinary.Node
}

// handleMessage routes a message. It is acknowledged once it is on disk, by which time it
// may have been delivered already.
func (c *connection) handleMessage(d *device, msg *waBinary.Node) {
	n := c.n
	to := attrJID(msg, "to")
	if code := n.refusal(d); code != 0 {
		c.ack(msg, waBinary.Attrs{"error": code})
		return
	}
	direct, isDirect := directEnc(msg)
	again := ""
	if isDirect {
		again = attr(msg, "participant") + "|" + attr(&direct, "count")
	}
	if !d.recent.add(to.String() + "|" + attr(msg, "id") + "|" + again) {
		n.state.journal.committed(func(error) { c.ack(msg, nil) })
		return
	}
	var out []delivery
	var phash string
	var failure, serverID int
	switch {
	case isDirect:
		out, failure = n.routeDirect(d, to, msg)
	case to.Server == types.GroupServer:
		out, phash, failure = n.routeGroup(d, to, msg)
	case to.Server == types.BroadcastServer:
		out, failure = n.routeStatus(d, to, msg)
	case to.Server == types.NewsletterServer:
		out, serverID, failure = n.routeNewsletter(d, to, msg)
	case to.Server == types.DefaultUserServer || to.Server == types.HiddenUserServer:
		out, phash, failure = n.routeUser(d, to, msg)
	default:
		failure = ackRefused
	}
	if failure != 0 {
		c.ack(msg, waBinary.Attrs{"error": failure})
		return
	}
	n.stats.messages.Add(1)
	for _, o := range out {
		n.push(o.to, o.stanza)
	}
	n.state.journal.committed(func(err error) {
		if err != nil {
			n.log.Error("message could not be stored", "err", err)
			c.close() // the client tries again
			return
		}
		var extra waBinary.Attrs
		switch {
		case phash != "":
			extra = waBinary.Attrs{"phash": phash}
		case serverID != 0:
			extra = waBinary.Attrs{"server_id": serverID}
		}
		c.ack(msg, extra)
	})
}

// ack acknowledges a stanza of the client.
func (c *connection) ack(stanza *waBinary.Node, extra waBinary.Attrs) {
	attrs := waBinary.Attrs{"class": stanza.Tag, "id": attr(stanza, "id"), "from": attrJID(stanza, "to"), "t": unixNow()}
	if stanza.Tag != "message" {
		attrs["type"] = attr(stanza, "type")
	}
	if participant := attrJID(stanza, "participant"); !participant.IsEmpty() {
		attrs["participant"] = participant
	}
	maps.Copy(attrs, extra)
	c.send(node("ack", attrs))
}

// directEnc returns the encrypted content of a message for one single device: an answer to
// a retry receipt, or one between devices of an account.
func directEnc(msg *waBinary.Node) (waBinary.Node, bool) {
	if _, ok := child(msg, "participants"); ok {
		return waBinary.Node{}, false
	}
	enc, ok := child(msg, "enc")
	return enc, ok && attr(&enc, "type") != "skmsg"
}

// envelope is what all copies of a message have in common.
func (n *Network) envelope(sender *device, msg *waBinary.Node) waBinary.Attrs {
	n.mu.RLock()
	name := sender.account.Name
	n.mu.RUnlock()
	attrs := waBinary.Attrs{"id": attr(msg, "id"), "type": attr(msg, "type"), "t": unixNow(), "notify": name}
	for _, key := range []string{"edit", "category", "push_priority"} {
		if v := attr(msg, key); v != "" {
			attrs[key] = v
		}
	}
	return attrs
}

func with(attrs, extra waBinary.Attrs) waBinary.Attrs {
	out := make(waBinary.Attrs, len(attrs)+len(extra))
	maps.Copy(out, attrs)
	maps.Copy(out, extra)
	return out
}

// parts sorts a message's children: the content per device, the sender's device identity,
// and the rest, which every device gets.
type parts struct {
	enc      map[types.JID]waBinary.Node
	order    []types.JID
	identity []waBinary.Node
	rest     []waBinary.Node
}

func split(msg *waBinary.Node) parts {
	p := parts{enc: map[types.JID]waBinary.Node{}}
	for _, ch := range msg.GetChildren() {
		switch ch.Tag {
		case "participants":
			for _, to := range ch.GetChildren() {
				jid := attrJID(&to, "jid")
				if enc, ok := child(&to, "enc"); ok && to.Tag == "to" {
					p.enc[jid] = enc
					p.order = append(p.order, jid)
				}
			}
		case "device-identity":
			if len(content(&ch)) > 0 { // a phone has none
				p.identity = []waBinary.Node{ch}
			}
		case "tctoken", "cstoken": // between client and server
		default:
			p.rest = append(p.rest, ch)
		}
	}
	return p
}

// contentFor is what a device gets: its own content first, then what all get.
func (p *parts) contentFor(enc waBinary.Node) []waBinary.Node {
	out := append(make([]waBinary.Node, 0, 2+len(p.rest)), enc)
	if attr(&enc, "type") == "pkmsg" {
		out = append(out, p.identity...)
	}
	return append(out, p.rest...)
}

// routeUser delivers a message to the devices of a user and the sender's other devices. The
// hash is not empty when the client does not know all devices there are.
func (n *Network) routeUser(sender *device, to types.JID, msg *waBinary.Node) (out []delivery, phash string, failure int) {
	p := split(msg)
	envelope := n.envelope(sender, msg)
	n.mu.RLock()
	defer n.mu.RUnlock()
	receiver := n.find(to)
	if receiver == nil {
		return nil, "", ackNotFound
	}
	server := to.Server
	from := sender.jid(server)
	blocked := receiver.blocks(sender.account)
	named := map[*device]bool{sender: true}
	strangers := false
	for _, jid := range p.order {
		d := n.findDevice(jid)
		if d == nil || d.account != receiver && d.account != sender.account {
			strangers = true
			continue
		}
		if d == sender || named[d] {
			continue
		}
		named[d] = true
		var attrs waBinary.Attrs
		if d.account == sender.account {
			attrs = with(envelope, waBinary.Attrs{"from": from, "recipient": to.ToNonAD()})
			attrs["peer_recipient_"+short(alternate(server))] = receiver.jid(alternate(server))
		} else {
			if blocked {
				continue // the sender is not told
			}
			attrs = with(envelope, waBinary.Attrs{"from": from})
			attrs["sender_"+short(alternate(server))] = sender.jid(alternate(server)).ToNonAD()
		}
		out = append(out, delivery{d, node("message", attrs, p.contentFor(p.enc[jid])...)})
	}
	present := len(sender.account.devices)
	if receiver != sender.account {
		present += len(receiver.devices)
	}
	if strangers || len(named) != present {
		current := sender.account.deviceJIDs(server)
		if receiver != sender.account {
			current = append(current, receiver.deviceJIDs(server)...)
		}
		phash = participantHash(current)
	}
	return out, phash, 0
}

func short(server string) string {
	if server == types.HiddenUserServer {
		return "lid"
	}
	return "pn"
}

// routeDirect delivers a message that is meant for one device.
func (n *Network) routeDirect(sender *device, to types.JID, msg *waBinary.Node) ([]delivery, int) {
	envelope := n.envelope(sender, msg)
	children := msg.GetChildren()
	kept := make([]waBinary.Node, 0, len(children))
	for _, ch := range children {
		if ch.Tag == "device-identity" && len(content(&ch)) == 0 {
			continue
		}
		kept = append(kept, ch)
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	var attrs waBinary.Attrs
	target := to
	switch to.Server {
	case types.GroupServer:
		target = attrJID(msg, "participant")
		g := n.groups[to.User]
		if g == nil {
			return nil, ackNotFound
		}
		if !g.has(sender.account) {
			return nil, ackForbidden
		}
		attrs = with(envelope, g.senderAttrs(sender))
	case types.BroadcastServer:
		target = attrJID(msg, "participant")
		attrs = with(envelope, statusAttrs(to, sender, target.Server))
	default:
		attrs = with(envelope, waBinary.Attrs{"from": sender.jid(to.Server)})
		other := alternate(to.Server)
		switch recipient := attrJID(msg, "recipient"); {
		case !recipient.IsEmpty():
			attrs["recipient"] = recipient
			if a := n.find(recipient); a != nil {
				attrs["peer_recipient_"+short(alternate(recipient.Server))] = a.jid(alternate(recipient.Server))
			}
		case to.User != sender.account.Number && to.User != sender.account.LID:
			attrs["sender_"+short(other)] = sender.jid(other).ToNonAD()
		}
	}
	d := n.findDevice(target)
	if d == nil {
		return nil, ackNotFound
	}
	if attr(msg, "category") == "peer" && d.account != sender.account {
		return nil, ackForbidden
	}
	if d.account.blocks(sender.account) && to.Server != types.GroupServer {
		return nil, 0
	}
	return []delivery{{d, node("message", attrs, kept...)}}, 0
}

// routeStatus delivers a status update to the devices that it names.
func (n *Network) routeStatus(sender *device, to types.JID, msg *waBinary.Node) ([]delivery, int) {
	if to != types.StatusBroadcastJID {
		return nil, ackRefused
	}
	p := split(msg)
	envelope := n.envelope(sender, msg)
	n.mu.RLock()
	defer n.mu.RUnlock()
	var out []delivery
	for _, jid := range p.order {
		d := n.findDevice(jid)
		if d == nil || d == sender || d.account.blocks(sender.account) {
			continue
		}
		attrs := with(envelope, statusAttrs(to, sender, jid.Server))
		out = append(out, delivery{d, node("message", attrs, p.contentFor(p.enc[jid])...)})
	}
	return out, 0
}

func statusAttrs(to types.JID, sender *device, server string) waBinary.Attrs {
	other := alternate(server)
	return waBinary.Attrs{"from": to, "participant": sender.jid(server), "participant_" + short(other): sender.jid(other).ToNonAD()}
}
