package simulator

import (
	"bytes"
	"os"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

var jpegMagic = []byte{0xff, 0xd8, 0xff}

// handlePicture answers questions about pictures of users and groups, and sets them. There
// is one size: the preview is the picture.
func (c *connection) handlePicture(d *device, iq *waBinary.Node, first waBinary.Node, set bool) {
	target := attrJID(iq, "target")
	if set {
		c.setPicture(d, iq, target, first)
		return
	}
	n := c.n
	n.mu.RLock()
	id, code, text := "", 404, "item-not-found"
	if g := n.groups[target.User]; target.Server == types.GroupServer {
		switch {
		case g != nil && g.has(d.account):
			id = g.Picture
		case g != nil:
			code, text = 401, "not-authorized"
		}
	} else if a := n.find(target); a != nil {
		if !a.shows("profile", d.account) || a.blocks(d.account) {
			code, text = 401, "not-authorized"
		} else {
			id = a.Picture
		}
	}
	n.mu.RUnlock()
	switch {
	case id == "":
		c.fail(iq, code, text)
	case attr(&first, "id") == id:
		c.result(iq, node("picture", waBinary.Attrs{"status": "304"}))
	default:
		kind := attr(&first, "type")
		if kind == "" {
			kind = "image"
		}
		c.result(iq, pictureNode(id, kind))
	}
}

// pictureNode says where a picture is.
func pictureNode(id, kind string) waBinary.Node {
	return node("picture", waBinary.Attrs{
		"id": id, "type": kind, "url": "https://" + pictureHost + picturePath(id), "direct_path": picturePath(id),
	})
}

func (c *connection) setPicture(d *device, iq *waBinary.Node, target types.JID, picture waBinary.Node) {
	n := c.n
	raw := content(&picture)
	id := ""
	if len(raw) > 0 {
		if !bytes.HasPrefix(raw, jpegMagic) {
			c.fail(iq, 406, "not-acceptable")
			return
		}
		id = strconv.FormatInt(time.Now().UnixNano(), 10)
		if err := os.WriteFile(n.state.picture(id), raw, 0o600); err != nil {
			n.log.Error("picture could not be stored", "err", err)
			c.fail(iq, 500, "internal-server-error")
			return
		}
	}
	change := func(jid, author types.JID) waBinary.Node {
		if id == "" {
			return node("delete", waBinary.Attrs{"jid": jid, "author": author})
		}
		return node("set", waBinary.Attrs{"jid": jid, "id": id, "author": author})
	}
	if target.Server == types.GroupServer {
		n.mu.Lock()
		g := n.groups[target.User]
		if code, text := g.mayEdit(d.account); code != 0 {
			n.mu.Unlock()
			c.fail(iq, code, text)
			return
		}
		g.Picture = id
		n.saveGroup(g)
		members := n.groupDevices(g)
		n.mu.Unlock()
		for _, m := range members {
			n.notify(m, "picture", target, nil, change(target, d.account.jid(types.HiddenUserServer)))
		}
	} else {
		if !target.IsEmpty() && target.User != d.account.Number && target.User != d.account.LID {
			c.fail(iq, 403, "forbidden")
			return
		}
		n.mu.Lock()
		d.account.Picture = id
		n.saveAccount(d.account)
		n.mu.Unlock()
		me := d.account.jid(types.DefaultUserServer)
		n.tellOwn(d, node("picture", nil))
		n.tellWatchers(d.account, "picture", change(me, me))
	}
	if id == "" {
		c.result(iq)
		return
	}
	c.result(iq, node("picture", waBinary.Attrs{"id": id}))
}
