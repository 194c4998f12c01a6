package simulator

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// handleIQ answers every question a client asks: an unanswered one blocks its caller for 75
// seconds.
func (c *connection) handleIQ(iq *waBinary.Node) {
	kind := attr(iq, "type")
	if kind == "result" || kind == "error" {
		c.answered(iq)
		return
	}
	c.n.stats.iqs.Add(1)
	set := kind == "set"
	children := iq.GetChildren()
	var first waBinary.Node
	if len(children) > 0 {
		first = children[0]
	}
	switch xmlns := attr(iq, "xmlns"); {
	case xmlns == "w:p":
		c.result(iq)
		return
	case xmlns == "md" && c.handleMD(iq, first):
		return
	}
	d := c.device.Load()
	if d == nil {
		c.fail(iq, 401, "not-authorized")
		return
	}
	switch attr(iq, "xmlns") {
	case "passive":
		c.result(iq)
		if first.Tag == "active" {
			d.queue.activate(c, &c.n.stats)
		}
	case "encrypt":
		c.handleEncrypt(d, iq, first, set)
	case "usync":
		c.handleUsync(d, iq, first)
	case "w:m":
		c.handleMediaConn(iq)
	case "w:sync:app:state":
		c.handleAppState(d, iq, first)
	case "privacy":
		c.handlePrivacy(d, iq, first, set)
	case "blocklist":
		c.handleBlocklist(d, iq, first, set)
	case "status":
		c.handleStatus(d, iq, first, set)
	case "w:mex":
		c.handleMex(d, iq, first)
	case "w:profile:picture":
		c.handlePicture(d, iq, first, set)
	case "w:g2":
		c.handleGroup(d, iq, first, set)
	case "newsletter":
		c.handleNewsletter(d, iq, first)
	case "w:biz":
		c.handleBusiness(iq, first)
	case "disappearing_mode", "tos", "urn:xmpp:whatsapp:dirty":
		c.result(iq)
	case "urn:xmpp:whatsapp:push":
		if set {
			c.result(iq)
		} else {
			c.result(iq, node("settings", nil))
		}
	default:
		c.unknown(iq)
	}
}

// handleMD answers what a client may ask before it is logged in, and a logout. It reports
// whether it did.
func (c *connection) handleMD(iq *waBinary.Node, first waBinary.Node) bool {
	switch first.Tag {
	case "link_code_companion_reg":
		c.handleLinkCode(iq, first)
		return true
	case "remove-companion-device":
		d := c.device.Load()
		if d == nil {
			return false
		}
		target := c.companion(d, attrJID(&first, "jid"))
		if target == nil {
			c.fail(iq, 404, "item-not-found")
			return true
		}
		conn := target.queue.connection()
		c.n.unlink(target)
		c.result(iq)
		switch {
		case target == d:
			c.ended.Store(true) // it goes by itself
		case conn != nil:
			conn.finish(deviceRemoved(), goodbye)
		}
		return true
	}
	return c.handlePasskey(iq, first)
}

// companion is the linked device of d's own account that jid names.
func (c *connection) companion(d *device, jid types.JID) *device {
	c.n.mu.RLock()
	defer c.n.mu.RUnlock()
	target := c.n.findDevice(jid)
	if target == nil || target.account != d.account || target.ID == 0 {
		return nil
	}
	return target
}

func (c *connection) result(iq *waBinary.Node, children ...waBinary.Node) {
	c.send(node("iq", answerTo(iq, "result"), children...))
}

func (c *connection) fail(iq *waBinary.Node, code int, text string) {
	c.send(node("iq", answerTo(iq, "error"), node("error", waBinary.Attrs{"code": code, "text": text})))
}

// unknown says that the simulated network does not have this.
func (c *connection) unknown(iq *waBinary.Node) {
	c.n.stats.unknownIqs.Add(1)
	c.n.log.Debug("question not known", "xmlns", attr(iq, "xmlns"))
	c.fail(iq, 501, "feature-not-implemented")
}

func answerTo(iq *waBinary.Node, kind string) waBinary.Attrs {
	from := attrJID(iq, "to")
	if from.IsEmpty() {
		from = types.ServerJID
	}
	return waBinary.Attrs{"id": attr(iq, "id"), "type": kind, "from": from}
}
