package simulator

import (
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// handleUsync answers what WhatsApp lets its users ask about each other.
func (c *connection) handleUsync(d *device, iq *waBinary.Node, usync waBinary.Node) {
	query, _ := child(&usync, "query")
	list, ok := child(&usync, "list")
	if !ok {
		c.fail(iq, 400, "bad-request")
		return
	}
	var users []waBinary.Node
	seen := map[types.JID]bool{}
	c.n.mu.Lock()
	for _, user := range list.GetChildren() {
		jid := attrJID(&user, "jid").ToNonAD()
		if !jid.IsEmpty() {
			if seen[jid] {
				continue // a note to oneself names the same user twice
			}
			seen[jid] = true
		}
		users = append(users, c.n.describe(d.account, user, jid, &query))
	}
	c.n.mu.Unlock()
	c.result(iq, node("usync", waBinary.Attrs{"sid": attr(&usync, "sid"), "index": "0", "last": "true", "mode": attr(&usync, "mode"), "context": attr(&usync, "context")},
		node("result", nil, query.GetChildren()...), node("list", nil, users...)))
}

// describe needs mu. It answers about one user in the form in which was asked.
func (n *Network) describe(asker *account, user waBinary.Node, jid types.JID, query *waBinary.Node) waBinary.Node {
	attrs := waBinary.Attrs{}
	var parts []waBinary.Node
	a := n.find(jid)
	if contact, ok := child(&user, "contact"); ok && jid.IsEmpty() {
		text := content(&contact)
		number, _, _ := strings.Cut(string(text), "@")
		number = strings.TrimPrefix(number, "+")
		a = n.accounts[number]
		pn := types.NewJID(number, types.DefaultUserServer)
		wanted, _ := child(query, "contact")
		switch {
		case a == nil:
			attrs["jid"] = pn
			parts = append(parts, data("contact", waBinary.Attrs{"type": "out"}, text))
			return node("user", attrs, parts...)
		case attr(&wanted, "addressing_mode") == "lid":
			attrs["jid"], attrs["pn_jid"] = a.jid(types.HiddenUserServer), pn
		default:
			attrs["jid"] = pn
		}
		parts = append(parts, data("contact", waBinary.Attrs{"type": "in"}, text))
	} else {
		attrs["jid"] = jid
	}
	for _, q := range query.GetChildren() {
		switch q.Tag {
		case "devices":
			parts = append(parts, n.deviceList(asker, a))
		case "lid":
			if a != nil {
				parts = append(parts, node("lid", waBinary.Attrs{"val": a.jid(types.HiddenUserServer)}))
			}
		case "status":
			if a != nil && a.About != "" && a.shows("status", asker) {
				parts = append(parts, data("status", waBinary.Attrs{"t": unixNow()}, []byte(a.About)))
			}
		case "picture":
			if a != nil && a.Picture != "" && a.shows("profile", asker) {
				parts = append(parts, node("picture", waBinary.Attrs{"id": a.Picture}))
			}
		case "business":
			if a != nil && a.Business != nil {
				parts = append(parts, a.Business.verified())
			}
		case "disappearing_mode":
			if a != nil {
				parts = append(parts, node("disappearing_mode", waBinary.Attrs{"duration": "0", "t": "0"}))
			}
		}
	}
	return node("user", attrs, parts...)
}

// deviceList needs mu. Whoever asks is told of later changes.
func (n *Network) deviceList(asker, a *account) waBinary.Node {
	if a == nil {
		return node("devices", nil, node("error", waBinary.Attrs{"code": 404, "text": "item-not-found"}))
	}
	if a != asker && !a.Watchers[asker.Number] {
		if a.Watchers == nil {
			a.Watchers = map[string]bool{}
		}
		a.Watchers[asker.Number] = true
		n.saveAccount(a)
	}
	list := make([]waBinary.Node, len(a.devices))
	for i, d := range a.devices {
		list[i] = node("device", waBinary.Attrs{"id": int(d.ID)})
		if d.ID != 0 {
			list[i].Attrs["key-index"] = d.KeyIndex
		}
	}
	return node("devices", nil, node("device-list", waBinary.Attrs{"hash": participantHash(a.deviceJIDs(types.DefaultUserServer))}, list...))
}
