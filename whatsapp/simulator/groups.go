package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const (
	admin      = "admin"
	superadmin = "superadmin"
)

// group is a group chat; guarded by Network.mu. Its members are addressed by their LIDs, as
// in all groups that WhatsApp makes today.
type group struct {
	ID            string    `json:"-"` // digits
	Subject       string    `json:"subject"`
	SubjectAt     int64     `json:"subject_at"`
	SubjectBy     string    `json:"subject_by"`
	Created       int64     `json:"created"`
	Creator       string    `json:"creator"`
	Description   string    `json:"description,omitempty"`
	DescriptionID string    `json:"description_id,omitempty"`
	DescriptionBy string    `json:"description_by,omitempty"`
	DescriptionAt int64     `json:"description_at,omitempty"`
	Announce      bool      `json:"announce,omitempty"` // only admins write
	Locked        bool      `json:"locked,omitempty"`   // only admins change subject, description and picture
	AdminAdd      bool      `json:"admin_add,omitempty"`
	Approval      bool      `json:"approval,omitempty"` // joining by link needs an admin
	Ephemeral     int       `json:"ephemeral,omitempty"`
	Invite        string    `json:"invite,omitempty"`
	OldInvites    []string  `json:"old_invites,omitempty"`
	Picture       string    `json:"picture,omitempty"`
	Community     bool      `json:"community,omitempty"`   // holds groups and no messages
	Parent        string    `json:"parent,omitempty"`      // id of the community it belongs to
	DefaultSub    bool      `json:"default_sub,omitempty"` // the community's group for announcements
	Version       int64     `json:"version"`               // counts changes
	Members       []member  `json:"members"`
	Requests      []request `json:"requests,omitempty"`
}

type member struct {
	Number string `json:"number"`
	Role   string `json:"role,omitempty"` // "", admin or superadmin
}

// request is somebody who asked to join.
type request struct {
	Number string `json:"number"`
	At     int64  `json:"at"`
}

func (g *group) jid() types.JID { return types.NewJID(g.ID, types.GroupServer) }

func (g *group) member(a *account) *member {
	for i := range g.Members {
		if g.Members[i].Number == a.Number {
			return &g.Members[i]
		}
	}
	return nil
}

func (g *group) has(a *account) bool { return g.member(a) != nil }

func (g *group) isAdmin(a *account) bool {
	m := g.member(a)
	return m != nil && m.Role != ""
}

// mayRead returns an error for somebody to whom the group does not show itself.
func (g *group) mayRead(a *account) (code int, text string) {
	switch {
	case g == nil:
		return 404, "item-not-found"
	case !g.has(a):
		return 403, "forbidden"
	}
	return 0, ""
}

// mayEdit is about subject, description and picture.
func (g *group) mayEdit(a *account) (code int, text string) {
	if code, text = g.mayRead(a); code == 0 && g.Locked && !g.isAdmin(a) {
		return 403, "forbidden"
	}
	return code, text
}

// mayRule is about members and settings.
func (g *group) mayRule(a *account) (code int, text string) {
	if code, text = g.mayRead(a); code == 0 && !g.isAdmin(a) {
		return 403, "forbidden"
	}
	return code, text
}

// addGroup needs mu.
func (n *Network) addGroup(g *group) {
	n.groups[g.ID] = g
	n.invites[g.Invite] = g
}

// newGroupID needs mu.
func (n *Network) newGroupID() string {
	for {
		id := fmt.Sprintf("120363%012d", rand.Int64N(1_000_000_000_000))
		if n.groups[id] == nil {
			return id
		}
	}
}

// saveGroup needs mu.
func (n *Network) saveGroup(g *group) {
	if n.groups[g.ID] != g {
		return // its last member is gone
	}
	g.Version++
	n.state.journal.later(op{
		`INSERT INTO "groups" ("id", "data") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "data" = excluded."data"`,
		[]any{g.ID, document(g)},
	})
}

// groupDevices needs mu.
func (n *Network) groupDevices(g *group) []*device {
	var out []*device
	for _, m := range g.Members {
		if a := n.accounts[m.Number]; a != nil {
			out = append(out, a.devices...)
		}
	}
	return out
}

// senderAttrs says who wrote into the group.
func (g *group) senderAttrs(d *device) waBinary.Attrs {
	return waBinary.Attrs{
		"from": g.jid(), "participant": d.jid(types.HiddenUserServer), "addressing_mode": "lid",
		"participant_pn": d.account.jid(types.DefaultUserServer),
	}
}

// routeGroup delivers a message to all devices of all members. A device that the sender did
// not know gets the part for all, finds that it has no key for it and asks the sender.
func (n *Network) routeGroup(sender *device, to types.JID, msg *waBinary.Node) (out []delivery, phash string, failure int) {
	p := split(msg)
	envelope := n.envelope(sender, msg)
	n.mu.RLock()
	defer n.mu.RUnlock()
	g := n.groups[to.User]
	switch {
	case g == nil:
		return nil, "", ackNotFound
	case !g.has(sender.account), g.Community, g.Announce && !g.isAdmin(sender.account):
		return nil, "", ackForbidden
	}
	own := make(map[*device]waBinary.Node, len(p.enc))
	for jid, enc := range p.enc {
		if d := n.findDevice(jid); d != nil {
			own[d] = enc
		}
	}
	attrs := with(envelope, g.senderAttrs(sender))
	members := n.groupDevices(g)
	jids := make([]types.JID, len(members))
	for i, d := range members {
		jids[i] = d.jid(types.HiddenUserServer)
		if d == sender {
			continue
		}
		content := p.rest
		if enc, ok := own[d]; ok {
			content = p.contentFor(enc)
		}
		if len(content) > 0 {
			out = append(out, delivery{d, node("message", attrs, content...)})
		}
	}
	if current := participantHash(jids); current != attr(msg, "phash") {
		phash = current
	}
	return out, phash, 0
}

// groupNode needs mu. It describes a group.
func (n *Network) groupNode(g *group) waBinary.Node {
	attrs := waBinary.Attrs{
		"id": g.ID, "subject": g.Subject, "creation": g.Created, "s_t": g.SubjectAt, "addressing_mode": "lid",
		"size": len(g.Members), "p_v_id": g.Version, "a_v_id": g.Version,
	}
	n.name(attrs, "creator", "creator_pn", g.Creator)
	n.name(attrs, "s_o", "s_o_pn", g.SubjectBy)
	parts := make([]waBinary.Node, 0, len(g.Members)+6)
	for _, m := range g.Members {
		parts = append(parts, n.participantNode(m))
	}
	if g.DescriptionID != "" {
		by := waBinary.Attrs{"id": g.DescriptionID, "t": g.DescriptionAt}
		n.name(by, "participant", "participant_pn", g.DescriptionBy)
		parts = append(parts, node("description", by, data("body", nil, []byte(g.Description))))
	}
	mode := types.GroupMemberAddModeAllMember
	if g.AdminAdd {
		mode = types.GroupMemberAddModeAdmin
	}
	parts = append(parts, data("member_add_mode", nil, []byte(mode)))
	for tag, on := range map[string]bool{"announcement": g.Announce, "locked": g.Locked} {
		if on {
			parts = append(parts, node(tag, nil))
		}
	}
	if g.Approval {
		parts = append(parts, node("membership_approval_mode", nil, node("group_join", waBinary.Attrs{"state": "on"})))
	}
	if g.Community {
		parts = append(parts, node("parent", waBinary.Attrs{"default_membership_approval_mode": "request_required"}))
	}
	if g.Parent != "" {
		parts = append(parts, node("linked_parent", waBinary.Attrs{"jid": types.NewJID(g.Parent, types.GroupServer)}))
	}
	if g.DefaultSub {
		parts = append(parts, node("default_sub_group", nil))
	}
	if g.Ephemeral > 0 {
		parts = append(parts, node("ephemeral", waBinary.Attrs{"expiration": g.Ephemeral}))
	}
	return node("group", attrs, parts...)
}

// name needs mu. It puts both addresses of somebody into attrs.
func (n *Network) name(attrs waBinary.Attrs, lid, pn, number string) {
	if a := n.accounts[number]; a != nil {
		attrs[lid], attrs[pn] = a.jid(types.HiddenUserServer), a.jid(types.DefaultUserServer)
	}
}

// participantNode needs mu.
func (n *Network) participantNode(m member) waBinary.Node {
	attrs := waBinary.Attrs{"type": m.Role}
	n.name(attrs, "jid", "phone_number", m.Number)
	return node("participant", attrs)
}

// tellGroup needs mu. It notifies devices of a change that somebody made.
func (n *Network) tellGroup(g *group, by *account, to []*device, change waBinary.Node) {
	extra := waBinary.Attrs{"addressing_mode": "lid", "notify": by.Name}
	n.name(extra, "participant", "participant_pn", by.Number)
	for _, d := range to {
		n.notify(d, "w:gp2", g.jid(), extra, change)
	}
}

// dropMember needs mu. A group without an admin gets its oldest member as one; a group
// without members is gone.
func (n *Network) dropMember(g *group, number string) {
	g.Members = slices.DeleteFunc(g.Members, func(m member) bool { return m.Number == number })
	if len(g.Members) == 0 {
		delete(n.groups, g.ID)
		delete(n.invites, g.Invite)
		n.state.journal.later(op{`DELETE FROM "groups" WHERE "id" = $1`, []any{g.ID}})
		return
	}
	if !slices.ContainsFunc(g.Members, func(m member) bool { return m.Role != "" }) {
		g.Members[0].Role = admin
	}
	n.saveGroup(g)
}
