package simulator

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/util/jsontime"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// newsletter is a channel; guarded by Network.mu. Who follows one reads messages that are
// not encrypted, and sees nobody else who does.
type newsletter struct {
	ID          string          `json:"-"` // digits
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Picture     string          `json:"picture,omitempty"` // id
	Owner       string          `json:"owner"`             // number
	Created     int64           `json:"created"`
	Invite      string          `json:"invite"`
	Followers   map[string]bool `json:"followers,omitempty"` // numbers; true = muted
	Posts       []post          `json:"posts,omitempty"`
}

// post is one message of a channel.
type post struct {
	ServerID  int               `json:"server_id"`
	ID        string            `json:"id"`
	Type      string            `json:"type"`
	At        int64             `json:"at"`
	Content   []byte            `json:"content"`
	MediaType string            `json:"media_type,omitempty"`
	Reactions map[string]string `json:"reactions,omitempty"` // by number
}

// maxPosts is how many messages of a channel are kept.
const maxPosts = 1000

// The numbers of the GraphQL queries about channels.
const (
	fetchNewsletter       = "6563316087068696"
	subscribedNewsletters = "6388546374527196"
	muteNewsletter        = "6274038279359549"
	unmuteNewsletter      = "6068417879924485"
	createNewsletter      = "6234210096708695"
	unfollowNewsletter    = "6392786840836363"
	followNewsletter      = "9926858900719341"
)

func (l *newsletter) jid() types.JID { return types.NewJID(l.ID, types.NewsletterServer) }

// describeTo needs mu. It is what somebody gets to know of a channel.
func (l *newsletter) describeTo(a *account) *types.NewsletterMetadata {
	m := &types.NewsletterMetadata{
		ID: l.jid(), State: types.WrappedNewsletterState{Type: "ACTIVE"},
		ThreadMeta: types.NewsletterThreadMetadata{
			CreationTime:      jsontime.UnixString{Time: time.Unix(l.Created, 0)},
			InviteCode:        l.Invite,
			Name:              types.NewsletterText{Text: l.Name, ID: strconv.FormatInt(l.Created, 10), UpdateTime: jsontime.UnixMicroString{Time: time.Unix(l.Created, 0)}},
			Description:       types.NewsletterText{Text: l.Description, ID: strconv.FormatInt(l.Created, 10), UpdateTime: jsontime.UnixMicroString{Time: time.Unix(l.Created, 0)}},
			SubscriberCount:   len(l.Followers),
			VerificationState: "UNVERIFIED",
			Settings:          types.NewsletterSettings{ReactionCodes: types.NewsletterReactionSettings{Value: "ALL"}},
		},
		ViewerMeta: &types.NewsletterViewerMetadata{Mute: "OFF", Role: "GUEST"},
	}
	if l.Picture != "" {
		m.ThreadMeta.Picture = &types.ProfilePictureInfo{
			ID: l.Picture, Type: "IMAGE", URL: "https://" + pictureHost + picturePath(l.Picture), DirectPath: picturePath(l.Picture),
		}
		m.ThreadMeta.Preview = types.ProfilePictureInfo{
			ID: l.Picture, Type: "PREVIEW", URL: "https://" + pictureHost + picturePath(l.Picture), DirectPath: picturePath(l.Picture),
		}
	}
	muted, follows := l.Followers[a.Number]
	if follows {
		m.ViewerMeta.Role = "SUBSCRIBER"
	}
	if muted {
		m.ViewerMeta.Mute = "ON"
	}
	if l.Owner == a.Number {
		m.ViewerMeta.Role = "OWNER"
	}
	return m
}

// saveNewsletter needs mu.
func (n *Network) saveNewsletter(l *newsletter) {
	n.state.journal.later(op{
		`INSERT INTO "newsletters" ("id", "data") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "data" = excluded."data"`,
		[]any{l.ID, document(l)},
	})
}

// graphError is an error in the answer to a GraphQL query.
func graphError(code int, text string) []byte {
	return document(map[string]any{"data": nil, "errors": []any{map[string]any{
		"message": text, "extensions": map[string]any{"error_code": code, "is_retryable": false, "severity": "CRITICAL"},
	}}})
}

// newsletterQuery answers a GraphQL query about channels. known is false for another query.
func (n *Network) newsletterQuery(d *device, query string, raw []byte) (answer []byte, known bool) {
	var request struct {
		Variables struct {
			Input struct {
				Key  string `json:"key"`
				Type string `json:"type"`
			} `json:"input"`
			ID  string `json:"newsletter_id"`
			New struct {
				Name        string `json:"name"`
				Description string `json:"description"`
				Picture     []byte `json:"picture"`
			} `json:"newsletter_input"`
		} `json:"variables"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return graphError(400, "Bad Request"), true
	}
	v, a := request.Variables, d.account
	n.mu.Lock()
	defer n.mu.Unlock()
	id, _, _ := strings.Cut(v.ID, "@")
	l := n.newsletters[id]
	result := func(name string, what any) ([]byte, bool) {
		return document(map[string]any{"data": map[string]any{name: what}}), true
	}
	switch query {
	case fetchNewsletter:
		id, _, _ := strings.Cut(v.Input.Key, "@")
		if l = n.newsletters[id]; v.Input.Type == string(types.NewsletterKeyTypeInvite) {
			l = n.newsletterBehind(v.Input.Key)
		}
		if l == nil {
			return graphError(404, "Not Found"), true
		}
		return result("xwa2_newsletter", l.describeTo(a))
	case subscribedNewsletters:
		all := []*types.NewsletterMetadata{}
		for _, l := range n.newsletters {
			if _, follows := l.Followers[a.Number]; follows || l.Owner == a.Number {
				all = append(all, l.describeTo(a))
			}
		}
		slices.SortFunc(all, func(x, y *types.NewsletterMetadata) int { return strings.Compare(x.ID.User, y.ID.User) })
		return result("xwa2_newsletter_subscribed", all)
	case createNewsletter:
		in := v.New
		if in.Name == "" || len([]rune(in.Name)) > maxSubject {
			return graphError(406, "Not Acceptable"), true
		}
		l = &newsletter{
			ID: n.newGroupID(), Name: in.Name, Description: in.Description, Owner: a.Number, Created: unixNow(),
			Invite: token(16), Followers: map[string]bool{},
		}
		if len(in.Picture) > 0 {
			l.Picture = strconv.FormatInt(time.Now().UnixNano(), 10)
			if err := os.WriteFile(n.state.picture(l.Picture), in.Picture, 0o600); err != nil {
				n.log.Error("picture could not be stored", "err", err)
				return graphError(500, "Internal Server Error"), true
			}
		}
		n.newsletters[l.ID] = l
		n.saveNewsletter(l)
		n.tellMex(a, "xwa2_notify_newsletter_on_join", l.describeTo(a))
		return result("xwa2_newsletter_create", l.describeTo(a))
	case followNewsletter, unfollowNewsletter, muteNewsletter, unmuteNewsletter:
	default:
		return nil, false
	}
	if l == nil {
		return graphError(404, "Not Found"), true
	}
	_, follows := l.Followers[a.Number]
	if l.Owner == a.Number && query == unfollowNewsletter || !follows && query != followNewsletter && l.Owner != a.Number {
		return graphError(405, "Not Allowed"), true
	}
	switch query {
	case followNewsletter:
		if !follows && l.Owner != a.Number {
			l.Followers[a.Number] = false
			n.tellMex(a, "xwa2_notify_newsletter_on_join", l.describeTo(a))
		}
	case unfollowNewsletter:
		role := l.describeTo(a).ViewerMeta.Role
		delete(l.Followers, a.Number)
		n.tellMex(a, "xwa2_notify_newsletter_on_leave", map[string]any{"id": l.jid(), "role": role})
	case muteNewsletter, unmuteNewsletter:
		l.Followers[a.Number] = query == muteNewsletter
		n.tellMex(a, "xwa2_notify_newsletter_on_mute_change", map[string]any{"id": l.jid(), "mute": l.describeTo(a).ViewerMeta.Mute})
	}
	n.saveNewsletter(l)
	name := map[string]string{
		followNewsletter: "xwa2_newsletter_join_v2", unfollowNewsletter: "xwa2_newsletter_leave_v2",
		muteNewsletter: "xwa2_newsletter_mute_v2", unmuteNewsletter: "xwa2_newsletter_unmute_v2",
	}[query]
	return result(name, l.describeTo(a))
}

// newsletterBehind needs mu. It finds a channel by its invite code.
func (n *Network) newsletterBehind(code string) *newsletter {
	for _, l := range n.newsletters {
		if code != "" && l.Invite == code {
			return l
		}
	}
	return nil
}

// tellMex needs mu. It tells all devices of an account of a change in words of GraphQL.
func (n *Network) tellMex(a *account, name string, what any) {
	body := document(map[string]any{"data": map[string]any{name: what}})
	for _, d := range a.devices {
		n.notify(d, "mex", types.ServerJID, nil, data("update", waBinary.Attrs{"op_name": strings.TrimPrefix(name, "xwa2_")}, body))
	}
}

// handleNewsletter answers questions about messages of channels.
func (c *connection) handleNewsletter(d *device, iq *waBinary.Node, first waBinary.Node) {
	n := c.n
	jid := attrJID(&first, "jid")
	if jid.IsEmpty() {
		jid = attrJID(iq, "to")
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	l := n.newsletters[jid.User]
	if l == nil {
		c.fail(iq, 404, "item-not-found")
		return
	}
	switch first.Tag {
	case "messages":
		most, before := attrInt(&first, "count"), attrInt(&first, "before")
		if most <= 0 {
			most = 50
		}
		var out []waBinary.Node
		for _, p := range slices.Backward(l.Posts) {
			if before != 0 && p.ServerID >= before {
				continue
			}
			if len(out) == most {
				break
			}
			out = append(out, p.node(len(l.Followers)))
		}
		slices.Reverse(out) // oldest first
		c.result(iq, node("messages", waBinary.Attrs{"jid": l.jid(), "t": unixNow()}, out...))
	case "live_updates":
		c.result(iq, node("live_updates", waBinary.Attrs{"duration": "300"}))
	default:
		c.unknown(iq)
	}
}

// node describes a message of a channel. Every follower counts as a view.
func (p *post) node(views int) waBinary.Node {
	count := map[string]int{}
	for _, code := range p.Reactions {
		count[code]++
	}
	parts := []waBinary.Node{
		data("plaintext", waBinary.Attrs{"mediatype": p.MediaType}, p.Content),
		node("views_count", waBinary.Attrs{"count": views}),
	}
	if len(count) > 0 {
		var reactions []waBinary.Node
		for code, times := range count {
			reactions = append(reactions, node("reaction", waBinary.Attrs{"code": code, "count": times}))
		}
		parts = append(parts, node("reactions", nil, reactions...))
	}
	return node("message", waBinary.Attrs{"id": p.ID, "server_id": p.ServerID, "t": p.At, "type": p.Type}, parts...)
}

// routeNewsletter takes a message of a channel's owner, or a reaction of anybody who follows
// it.
func (n *Network) routeNewsletter(sender *device, to types.JID, msg *waBinary.Node) (out []delivery, serverID, failure int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.newsletters[to.User]
	if l == nil {
		return nil, 0, ackNotFound
	}
	if reaction, ok := child(msg, "reaction"); ok {
		_, follows := l.Followers[sender.account.Number]
		at := slices.IndexFunc(l.Posts, func(p post) bool { return p.ServerID == attrInt(msg, "server_id") })
		switch {
		case !follows && l.Owner != sender.account.Number:
			return nil, 0, ackForbidden
		case at < 0:
			return nil, 0, ackNotFound
		}
		p := &l.Posts[at]
		if p.Reactions == nil {
			p.Reactions = map[string]string{}
		}
		if p.Reactions[sender.account.Number] = attr(&reaction, "code"); attr(&reaction, "code") == "" {
			delete(p.Reactions, sender.account.Number)
		}
		n.saveNewsletter(l)
		update := node("notification", waBinary.Attrs{"from": l.jid(), "type": "newsletter", "id": n.nextID(), "t": unixNow()},
			node("live_updates", nil, p.node(len(l.Followers))))
		return n.toReaders(l, sender, update), p.ServerID, 0
	}
	plain, ok := child(msg, "plaintext")
	switch {
	case l.Owner != sender.account.Number:
		return nil, 0, ackForbidden
	case !ok || attr(msg, "edit") != "":
		return nil, 0, ackRefused // changing messages of channels is not simulated
	}
	p := post{
		ServerID: 100, ID: attr(msg, "id"), Type: attr(msg, "type"), At: unixNow(), Content: content(&plain), MediaType: attr(&plain, "mediatype"),
	}
	if last := len(l.Posts); last > 0 {
		p.ServerID = l.Posts[last-1].ServerID + 1
	}
	l.Posts = append(l.Posts, p)
	l.Posts = l.Posts[max(0, len(l.Posts)-maxPosts):]
	n.saveNewsletter(l)
	stanza := node("message", waBinary.Attrs{"from": l.jid(), "id": p.ID, "server_id": p.ServerID, "t": p.At, "type": p.Type}, plain)
	return n.toReaders(l, sender, stanza), p.ServerID, 0
}

// toReaders needs mu. It addresses a stanza to every device of those who have a channel, but
// for the one that it comes from.
func (n *Network) toReaders(l *newsletter, sender *device, stanza waBinary.Node) (out []delivery) {
	readers := map[string]bool{l.Owner: true}
	for number := range l.Followers {
		readers[number] = true
	}
	for number := range readers {
		a := n.accounts[number]
		if a == nil {
			continue
		}
		for _, d := range a.devices {
			if d != sender {
				out = append(out, delivery{d, stanza})
			}
		}
	}
	return out
}
