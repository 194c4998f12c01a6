package simulator

import (
	"encoding/json"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// privacyDefaults are the settings of a new account.
var privacyDefaults = []struct{ name, value string }{
	{"readreceipts", "all"}, {"last", "all"}, {"online", "all"}, {"profile", "all"}, {"status", "all"},
	{"groupadd", "all"}, {"calladd", "all"}, {"messages", "all"}, {"defense", "off"}, {"stickers", "contacts"},
}

func knownPrivacy(name string) bool {
	return slices.ContainsFunc(privacyDefaults, func(d struct{ name, value string }) bool { return d.name == name })
}

// shows needs Network.mu. The network does not know address books: "contacts" is everybody.
func (a *account) shows(category string, to *account) bool {
	return a == to || a.Privacy[category] != "none"
}

// blocks needs Network.mu.
func (a *account) blocks(other *account) bool {
	return slices.Contains(a.Blocked, other.Number)
}

// tellOwn notifies the account's other devices of a change.
func (n *Network) tellOwn(d *device, change waBinary.Node) {
	for _, o := range n.devicesOf(d.account) {
		if o != d {
			n.notify(o, "account_sync", d.account.jid(types.DefaultUserServer), nil, change)
		}
	}
}

// tellWatchers notifies the devices of everybody who knows the account.
func (n *Network) tellWatchers(a *account, kind string, change waBinary.Node) {
	var watchers []*device
	n.mu.RLock()
	for number := range a.Watchers {
		if w := n.accounts[number]; w != nil {
			watchers = append(watchers, w.devices...)
		}
	}
	n.mu.RUnlock()
	for _, w := range watchers {
		n.notify(w, kind, a.jid(types.DefaultUserServer), nil, change)
	}
}

func (c *connection) handlePrivacy(d *device, iq *waBinary.Node, first waBinary.Node, set bool) {
	n, a := c.n, d.account
	if first.Tag == "tokens" {
		for _, t := range first.GetChildren() {
			n.issueToken(d, attrJID(&t, "jid"), attr(&t, "t"))
		}
		c.result(iq)
		return
	}
	n.mu.Lock()
	if set {
		for _, category := range first.GetChildren() {
			name, value := attr(&category, "name"), attr(&category, "value")
			if !knownPrivacy(name) {
				n.mu.Unlock()
				c.fail(iq, 400, "bad-request")
				return
			}
			if a.Privacy == nil {
				a.Privacy = map[string]string{}
			}
			a.Privacy[name] = value
		}
		n.saveAccount(a)
	}
	var categories []waBinary.Node
	for _, setting := range privacyDefaults {
		value := setting.value
		if own := a.Privacy[setting.name]; own != "" {
			value = own
		}
		categories = append(categories, node("category", waBinary.Attrs{"name": setting.name, "value": value}))
	}
	n.mu.Unlock()
	if set {
		n.tellOwn(d, node("privacy", nil, first.GetChildren()...))
	}
	c.result(iq, node("privacy", nil, categories...))
}

// issueToken hands d's user's token of trust to somebody, who shows it when writing back.
func (n *Network) issueToken(d *device, to types.JID, at string) {
	n.mu.RLock()
	a := n.find(to)
	var targets []*device
	if a != nil {
		targets = slices.Clone(a.devices)
	}
	n.mu.RUnlock()
	for _, t := range targets {
		n.notify(t, "privacy_token", d.account.jid(types.DefaultUserServer),
			waBinary.Attrs{"sender_lid": d.account.jid(types.HiddenUserServer)},
			node("tokens", nil, data("token", waBinary.Attrs{"type": "trusted_contact", "t": at}, []byte(token(16)))))
	}
}

func (c *connection) handleBlocklist(d *device, iq *waBinary.Node, first waBinary.Node, set bool) {
	n, a := c.n, d.account
	n.mu.Lock()
	if set {
		other := n.find(attrJID(&first, "jid"))
		if other == nil {
			n.mu.Unlock()
			c.fail(iq, 404, "item-not-found")
			return
		}
		a.Blocked = slices.DeleteFunc(slices.Clone(a.Blocked), func(number string) bool { return number == other.Number })
		if attr(&first, "action") == "block" {
			a.Blocked = append(a.Blocked, other.Number)
		}
		n.saveAccount(a)
	}
	var items []waBinary.Node
	var jids []types.JID
	for _, number := range a.Blocked {
		if other := n.accounts[number]; other != nil {
			jid := other.jid(types.HiddenUserServer)
			jids = append(jids, jid)
			items = append(items, node("item", waBinary.Attrs{"jid": jid, "pn_jid": other.jid(types.DefaultUserServer)}))
		}
	}
	n.mu.Unlock()
	hash := participantHash(jids)
	if set {
		n.tellOwn(d, node("blocklist", waBinary.Attrs{"action": "modify", "dhash": hash},
			node("item", waBinary.Attrs{"jid": attrJID(&first, "jid"), "action": attr(&first, "action")})))
	}
	c.result(iq, node("list", waBinary.Attrs{"dhash": hash}, items...))
}

func (c *connection) handleStatus(d *device, iq *waBinary.Node, first waBinary.Node, set bool) {
	if set {
		c.n.setAbout(d, string(content(&first)))
		c.result(iq)
		return
	}
	c.result(iq, node("privacy", nil, node("list", waBinary.Attrs{"type": "contacts", "default": "true"})))
}

func (n *Network) setAbout(d *device, about string) {
	n.mu.Lock()
	d.account.About = about
	n.saveAccount(d.account)
	shown := d.account.shows("status", nil)
	n.mu.Unlock()
	if shown {
		n.tellWatchers(d.account, "status", data("set", nil, []byte(about)))
	}
}

// updateTextStatus is the number of the GraphQL query by which clients set their about text.
const updateTextStatus = "9152604461510864"

// handleMex answers the GraphQL queries that are simulated.
func (c *connection) handleMex(d *device, iq *waBinary.Node, query waBinary.Node) {
	if attr(&query, "query_id") != updateTextStatus {
		answer, known := c.n.newsletterQuery(d, attr(&query, "query_id"), content(&query))
		if !known {
			c.unknown(iq)
			return
		}
		c.result(iq, data("result", nil, answer))
		return
	}
	var request struct {
		Variables struct {
			Input types.SetStatusInput `json:"input"`
		} `json:"variables"`
	}
	if err := json.Unmarshal(content(&query), &request); err != nil {
		c.fail(iq, 400, "bad-request")
		return
	}
	about := ""
	if text := request.Variables.Input.Text; text != nil {
		about = *text
	}
	c.n.setAbout(d, about)
	c.result(iq, data("result", nil, []byte(`{"data":{"xwa2_update_text_status":{"result":"SUCCESS"}}}`)))
}
