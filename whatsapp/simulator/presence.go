package simulator

import (
	"maps"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// handlePresence takes a client's presence, which also carries its user's name, or a
// subscription to somebody else's.
func (c *connection) handlePresence(d *device, presence *waBinary.Node) {
	switch attr(presence, "type") {
	case "", "available", "unavailable":
		c.rename(d, attr(presence, "name"))
		if kind := attr(presence, "type"); kind != "" {
			c.setAvailable(d, kind == "available")
		}
	case "subscribe":
		c.subscribe(d, attrJID(presence, "to"))
	case "unsubscribe":
		n := c.n
		n.mu.RLock()
		a := n.find(attrJID(presence, "to"))
		n.mu.RUnlock()
		n.connMu.Lock()
		delete(n.subscribers[a], c)
		delete(c.subscriptions, a)
		n.connMu.Unlock()
	}
}

func (c *connection) rename(d *device, name string) {
	n := c.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if name != "" && d.account.Name != name {
		d.account.Name = name
		n.saveAccount(d.account)
	}
}

// setAvailable counts the account's available connections and tells its subscribers when
// the first comes or the last goes.
func (c *connection) setAvailable(d *device, available bool) {
	n, a := c.n, d.account
	c.mu.Lock()
	changed := c.presence != available
	c.presence = available
	c.mu.Unlock()
	if !changed {
		return
	}
	n.mu.Lock()
	before := a.available > 0
	if available {
		a.available++
	} else {
		a.available--
		a.LastSeen = time.Now().Unix()
		n.saveAccount(a)
	}
	now := a.available > 0
	n.mu.Unlock()
	if before == now {
		return
	}
	n.connMu.Lock()
	listeners := make(map[*connection]string, len(n.subscribers[a]))
	maps.Copy(listeners, n.subscribers[a])
	n.connMu.Unlock()
	for conn, server := range listeners {
		conn.tellPresence(a, server)
	}
}

func (c *connection) subscribe(d *device, to types.JID) {
	n := c.n
	n.mu.RLock()
	a := n.find(to)
	n.mu.RUnlock()
	if a == nil {
		return
	}
	n.connMu.Lock()
	if n.subscribers[a] == nil {
		n.subscribers[a] = map[*connection]string{}
	}
	n.subscribers[a][c] = to.Server
	if c.subscriptions == nil {
		c.subscriptions = map[*account]bool{}
	}
	c.subscriptions[a] = true
	n.connMu.Unlock()
	c.tellPresence(a, to.Server)
}

// tellPresence tells the client of an account's presence, addressed as it subscribed.
func (c *connection) tellPresence(a *account, server string) {
	me := c.device.Load()
	if me == nil {
		return
	}
	n := c.n
	n.mu.RLock()
	attrs := waBinary.Attrs{"from": a.jid(server)}
	hidden := a.blocks(me.account)
	switch {
	case a.available > 0 && !hidden && a.shows("online", me.account):
	case a.LastSeen != 0 && !hidden && a.shows("last", me.account):
		attrs["type"], attrs["last"] = "unavailable", a.LastSeen
	default:
		attrs["type"], attrs["last"] = "unavailable", "deny"
	}
	n.mu.RUnlock()
	c.send(node("presence", attrs))
}

// handleChatState passes "is typing" on to whoever is connected. Nobody gets it later.
func (c *connection) handleChatState(d *device, state *waBinary.Node) {
	n, to := c.n, attrJID(state, "to")
	children := state.GetChildren()
	n.mu.RLock()
	attrs := waBinary.Attrs{}
	var targets []*device
	if to.Server == types.GroupServer {
		if g := n.groups[to.User]; g != nil && g.has(d.account) {
			attrs["from"], attrs["participant"] = to, d.account.jid(types.HiddenUserServer)
			for _, m := range g.Members {
				if a := n.accounts[m.Number]; a != nil && a != d.account {
					targets = append(targets, a.devices...)
				}
			}
		}
	} else if a := n.find(to); a != nil && a != d.account && !a.blocks(d.account) {
		attrs["from"] = d.account.jid(to.Server)
		targets = append(targets, a.devices...)
	}
	n.mu.RUnlock()
	for _, t := range targets {
		if conn := t.queue.connection(); conn != nil {
			conn.send(node("chatstate", attrs, children...))
		}
	}
}
