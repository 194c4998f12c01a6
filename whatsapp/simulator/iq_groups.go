package simulator

import (
	"slices"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const maxSubject = 100

// groupChange is one request about groups. Its methods hold Network.mu.
type groupChange struct {
	c   *connection
	d   *device
	iq  *waBinary.Node
	req waBinary.Node
}

// handleGroup answers everything about groups.
func (c *connection) handleGroup(d *device, iq *waBinary.Node, first waBinary.Node, set bool) {
	n := c.n
	to := attrJID(iq, "to")
	r := groupChange{c, d, iq, first}
	n.mu.Lock()
	defer n.mu.Unlock()
	if to.User == "" {
		r.general(set)
		return
	}
	g := n.groups[to.User]
	if set {
		r.change(g)
	} else {
		r.query(g)
	}
}

// general is about no group in particular.
func (r groupChange) general(set bool) {
	n := r.c.n
	switch {
	case set && r.req.Tag == "create":
		r.create()
	case set && r.req.Tag == "leave":
		var left []waBinary.Node
		for _, g := range r.req.GetChildren() {
			left = append(left, r.leave(attrJID(&g, "id")))
		}
		r.c.result(r.iq, node("leave", nil, left...))
	case r.req.Tag == "participating":
		var groups []waBinary.Node
		for _, g := range n.groups {
			if g.has(r.d.account) {
				groups = append(groups, n.groupNode(g))
			}
		}
		r.c.result(r.iq, node("groups", nil, groups...))
	case r.req.Tag == "invite":
		r.invited(attr(&r.req, "code"), set)
	default:
		r.c.unknown(r.iq)
	}
}

func (r groupChange) create() {
	n, now := r.c.n, unixNow()
	subject := attr(&r.req, "subject")
	if subject == "" || len([]rune(subject)) > maxSubject {
		r.c.fail(r.iq, 406, "not-acceptable")
		return
	}
	creator := r.d.account
	g := &group{
		ID: n.newGroupID(), Subject: subject, SubjectAt: now, SubjectBy: creator.Number, Created: now, Creator: creator.Number,
		Invite: token(16), Members: []member{{creator.Number, superadmin}},
	}
	var failed []waBinary.Node
	for _, part := range r.req.GetChildren() {
		switch part.Tag {
		case "participant":
			jid := attrJID(&part, "jid")
			switch a := n.find(jid); {
			case a == nil:
				failed = append(failed, node("participant", waBinary.Attrs{"jid": jid, "error": 404}))
			case g.has(a):
			case !a.shows("groupadd", creator):
				failed = append(failed, node("participant", waBinary.Attrs{"jid": jid, "error": 403}))
			default:
				g.Members = append(g.Members, member{Number: a.Number})
			}
		case "parent":
			g.Community = true
		case "linked_parent":
			parent := n.groups[attrJID(&part, "jid").User]
			if code, text := parent.mayRule(creator); code != 0 || !parent.Community {
				r.c.fail(r.iq, max(code, 403), text)
				return
			}
			g.Parent = parent.ID
		default:
			g.setting(part)
		}
	}
	n.addGroup(g)
	n.saveGroup(g)
	created := n.groupNode(g)
	r.c.result(r.iq, node("group", created.Attrs, append(failed, created.GetChildren()...)...))
	n.tellGroup(g, creator, n.groupDevices(g), node("create", waBinary.Attrs{"type": "new", "key": token(12)}, created))
	if g.Community {
		n.announcements(g, creator)
	}
}

// announcements needs mu. It makes the group in which a community's admins write to all.
func (n *Network) announcements(community *group, by *account) {
	g := &group{
		ID: n.newGroupID(), Subject: community.Subject, SubjectAt: community.SubjectAt, SubjectBy: by.Number,
		Created: community.Created, Creator: by.Number, Invite: token(16), Announce: true,
		Parent: community.ID, DefaultSub: true, Members: slices.Clone(community.Members),
	}
	n.addGroup(g)
	n.saveGroup(g)
	n.tellGroup(g, by, n.groupDevices(g), node("create", waBinary.Attrs{"type": "new", "key": token(12)}, n.groupNode(g)))
}

// subGroup describes a group of a community.
func (g *group) subGroup() waBinary.Node {
	out := node("group", waBinary.Attrs{"id": g.ID, "subject": g.Subject, "s_t": g.SubjectAt})
	if g.DefaultSub {
		out.Content = []waBinary.Node{node("default_sub_group", nil)}
	}
	return out
}

// link makes groups part of a community, or takes them out.
func (r groupChange) link(g *group) {
	n, by := r.c.n, r.d.account
	linking := r.req.Tag == "links"
	list := r.req
	if link, ok := child(&r.req, "link"); linking && ok {
		list = link
	}
	if !g.Community {
		r.c.fail(r.iq, 405, "not-allowed")
		return
	}
	var answer []waBinary.Node
	for _, ch := range list.GetChildren() {
		jid := attrJID(&ch, "jid")
		sub := n.groups[jid.User]
		attrs := waBinary.Attrs{"jid": jid}
		code, text := sub.mayRule(by)
		switch {
		case code != 0:
		case sub.Community || linking && sub.Parent != "" || !linking && sub.Parent != g.ID || sub.DefaultSub:
			code, text = 409, "conflict"
		}
		if code != 0 {
			r.c.fail(r.iq, code, text)
			return
		}
		sub.Parent = ""
		change := node("unlink", waBinary.Attrs{"unlink_type": "parent_group", "unlink_reason": "unlink_group"}, g.subGroup())
		if linking {
			sub.Parent = g.ID
			change = node("link", waBinary.Attrs{"link_type": "parent_group"}, g.subGroup())
		}
		n.saveGroup(sub)
		n.tellGroup(sub, by, n.groupDevices(sub), change)
		answer = append(answer, node("group", attrs))
	}
	r.c.result(r.iq, node(r.req.Tag, nil, answer...))
}

// setting takes over one of the settings that need no more than a flag or a number. It
// reports whether the tag is one.
func (g *group) setting(s waBinary.Node) bool {
	switch s.Tag {
	case "locked", "unlocked":
		g.Locked = s.Tag == "locked"
	case "announcement", "not_announcement":
		g.Announce = s.Tag == "announcement"
	case "ephemeral", "not_ephemeral":
		g.Ephemeral = attrInt(&s, "expiration")
	case "member_add_mode":
		g.AdminAdd = string(content(&s)) == string(types.GroupMemberAddModeAdmin)
	case "membership_approval_mode":
		join, _ := child(&s, "group_join")
		g.Approval = attr(&join, "state") == "on"
	default:
		return false
	}
	return true
}

func (r groupChange) leave(jid types.JID) waBinary.Node {
	n, g := r.c.n, r.c.n.groups[jid.User]
	attrs := waBinary.Attrs{"id": jid}
	if code, _ := g.mayRead(r.d.account); code != 0 {
		attrs["error"] = code
		return node("group", attrs)
	}
	told := n.groupDevices(g)
	gone := n.participantNode(*g.member(r.d.account))
	n.dropMember(g, r.d.account.Number)
	n.tellGroup(g, r.d.account, told, node("remove", waBinary.Attrs{"v_id": g.Version, "prev_v_id": g.Version - 1}, gone))
	return node("group", attrs)
}

// query reads one group.
func (r groupChange) query(g *group) {
	n := r.c.n
	if code, text := g.mayRead(r.d.account); code != 0 {
		r.c.fail(r.iq, code, text)
		return
	}
	switch r.req.Tag {
	case "query":
		r.c.result(r.iq, n.groupNode(g))
	case "invite":
		if !g.isAdmin(r.d.account) {
			r.c.fail(r.iq, 401, "not-authorized")
			return
		}
		r.c.result(r.iq, node("invite", waBinary.Attrs{"code": g.Invite}))
	case "sub_groups":
		var subs []waBinary.Node
		for _, sub := range n.groups {
			if sub.Parent == g.ID {
				subs = append(subs, sub.subGroup())
			}
		}
		r.c.result(r.iq, node("sub_groups", nil, subs...))
	case "pictures":
		if g.Picture == "" {
			r.c.fail(r.iq, 404, "item-not-found")
			return
		}
		r.c.result(r.iq, node("pictures", nil, pictureNode(g.Picture, "image")))
	case "membership_approval_requests":
		var requests []waBinary.Node
		for _, q := range g.Requests {
			attrs := waBinary.Attrs{"request_time": q.At}
			n.name(attrs, "jid", "phone_number", q.Number)
			requests = append(requests, node("membership_approval_request", attrs))
		}
		r.c.result(r.iq, node("membership_approval_requests", nil, requests...))
	default:
		r.c.unknown(r.iq)
	}
}

// change changes one group.
func (r groupChange) change(g *group) {
	n, by := r.c.n, r.d.account
	may := g.mayRule
	switch r.req.Tag {
	case "subject", "description":
		may = g.mayEdit
	case "add":
		if g != nil && !g.AdminAdd {
			may = g.mayRead
		}
	}
	if code, text := may(by); code != 0 {
		r.c.fail(r.iq, code, text)
		return
	}
	switch r.req.Tag {
	case "add", "remove", "promote", "demote":
		r.members(g)
		return
	case "membership_requests_action":
		r.decide(g)
		return
	case "links", "unlink":
		r.link(g)
		return
	}
	var told waBinary.Node
	switch r.req.Tag {
	case "subject":
		subject := string(content(&r.req))
		if subject == "" || len([]rune(subject)) > maxSubject {
			r.c.fail(r.iq, 406, "not-acceptable")
			return
		}
		g.Subject, g.SubjectAt, g.SubjectBy = subject, unixNow(), by.Number
		attrs := waBinary.Attrs{"subject": subject, "s_t": g.SubjectAt}
		n.name(attrs, "s_o", "s_o_pn", by.Number)
		told = node("subject", attrs)
	case "description":
		told = r.describe(g)
	case "invite":
		delete(n.invites, g.Invite)
		g.OldInvites = append(g.OldInvites, g.Invite)
		g.Invite = token(16)
		n.invites[g.Invite] = g
		n.saveGroup(g)
		invite := node("invite", waBinary.Attrs{"code": g.Invite})
		r.c.result(r.iq, invite)
		n.tellGroup(g, by, n.groupDevices(g), invite)
		return
	default:
		if !g.setting(r.req) {
			r.c.unknown(r.iq)
			return
		}
		attrs := waBinary.Attrs{"v_id": strconv.FormatInt(g.Version+1, 10)}
		told = waBinary.Node{Tag: r.req.Tag, Attrs: with(r.req.Attrs, attrs), Content: r.req.Content}
		if r.req.Tag == "ephemeral" && g.Ephemeral == 0 {
			told = node("not_ephemeral", nil)
		}
	}
	n.saveGroup(g)
	r.c.result(r.iq)
	n.tellGroup(g, by, n.groupDevices(g), told)
}

func (r groupChange) describe(g *group) waBinary.Node {
	attrs := waBinary.Attrs{"id": attr(&r.req, "id")}
	g.DescriptionAt, g.DescriptionBy = unixNow(), r.d.account.Number
	if attr(&r.req, "delete") == "true" {
		g.Description, g.DescriptionID = "", ""
		return node("description", attrs, node("delete", nil))
	}
	body, _ := child(&r.req, "body")
	g.Description, g.DescriptionID = string(content(&body)), attr(&r.req, "id")
	return node("description", attrs, data("body", nil, []byte(g.Description)))
}

// members adds, removes, promotes or demotes.
func (r groupChange) members(g *group) {
	n, by, action := r.c.n, r.d.account, r.req.Tag
	var answer, changed []waBinary.Node
	var joined []string
	told := n.groupDevices(g)
	for _, p := range r.req.GetChildren() {
		jid := attrJID(&p, "jid")
		a := n.find(jid)
		failure := 0
		switch {
		case a == nil:
			failure = 404
		case action == "add":
			switch {
			case g.has(a):
				failure = 409
			case !a.shows("groupadd", by):
				failure = 403
			default:
				joined = append(joined, a.Number)
			}
		case !g.has(a):
			failure = 404
		case g.member(a).Role == superadmin && a != by:
			failure = 403
		}
		if failure != 0 {
			answer = append(answer, node("participant", waBinary.Attrs{"jid": jid, "error": failure}))
			continue
		}
		switch action {
		case "add":
			g.Members = append(g.Members, member{Number: a.Number})
		case "promote":
			if m := g.member(a); m.Role == "" {
				m.Role = admin
			}
		case "demote":
			g.member(a).Role = ""
		}
		is := n.participantNode(*g.member(a))
		if action == "remove" {
			n.dropMember(g, a.Number)
		}
		answer, changed = append(answer, is), append(changed, is)
	}
	n.saveGroup(g)
	r.c.result(r.iq, node(action, nil, answer...))
	if len(changed) == 0 {
		return
	}
	n.tellGroup(g, by, told, node(action, waBinary.Attrs{"v_id": g.Version, "prev_v_id": g.Version - 1}, changed...))
	n.welcome(g, by, joined, "")
}

// welcome needs mu. It tells new members of the whole group.
func (n *Network) welcome(g *group, by *account, joined []string, reason string) {
	for _, number := range joined {
		n.tellGroup(g, by, n.accounts[number].devices, node("create", waBinary.Attrs{"reason": reason}, n.groupNode(g)))
	}
}

// invited answers about a link, or lets somebody in by it.
func (r groupChange) invited(code string, join bool) {
	n, a := r.c.n, r.d.account
	g := n.invites[code]
	if g == nil || code == "" {
		for _, other := range n.groups {
			if slices.Contains(other.OldInvites, code) {
				r.c.fail(r.iq, 410, "gone")
				return
			}
		}
		r.c.fail(r.iq, 406, "not-acceptable")
		return
	}
	switch {
	case !join:
		r.c.result(r.iq, n.groupNode(g))
		return
	case g.has(a):
	case g.Approval:
		if !slices.ContainsFunc(g.Requests, func(q request) bool { return q.Number == a.Number }) {
			g.Requests = append(g.Requests, request{a.Number, time.Now().Unix()})
			n.saveGroup(g)
		}
		r.c.result(r.iq, node("membership_approval_request", waBinary.Attrs{"jid": g.jid()}))
		return
	default:
		n.admit(g, a, a, "invite")
	}
	r.c.result(r.iq, node("group", waBinary.Attrs{"jid": g.jid()}))
}

// admit needs mu. It makes somebody a member.
func (n *Network) admit(g *group, a, by *account, reason string) {
	told := n.groupDevices(g)
	g.Members = append(g.Members, member{Number: a.Number})
	n.saveGroup(g)
	n.tellGroup(g, by, told, node("add", waBinary.Attrs{"v_id": g.Version, "prev_v_id": g.Version - 1, "reason": reason},
		n.participantNode(member{Number: a.Number})))
	n.welcome(g, by, []string{a.Number}, reason)
}

// decide lets people in who asked, or not.
func (r groupChange) decide(g *group) {
	n := r.c.n
	action := waBinary.Node{}
	if all := r.req.GetChildren(); len(all) > 0 {
		action = all[0]
	}
	var answer []waBinary.Node
	for _, p := range action.GetChildren() {
		jid := attrJID(&p, "jid")
		a := n.find(jid)
		at := slices.IndexFunc(g.Requests, func(q request) bool { return a != nil && q.Number == a.Number })
		if at < 0 {
			answer = append(answer, node("participant", waBinary.Attrs{"jid": jid, "error": 404}))
			continue
		}
		g.Requests = slices.Delete(g.Requests, at, at+1)
		if action.Tag == "approve" && !g.has(a) {
			n.admit(g, a, r.d.account, "linked_group_join")
		}
		answer = append(answer, n.participantNode(member{Number: a.Number}))
	}
	n.saveGroup(g)
	r.c.result(r.iq, node("membership_requests_action", nil, node(action.Tag, nil, answer...)))
}
