package whatsapp

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// What WhatsApp takes, in characters.
const (
	maxGroupName  = 100
	maxGroupTopic = 2048
)

// Group is a group or a community. Its members in JSON are called as clients of
// go-whatsapp-web-multidevice know them; addresses that are not known are "".
type Group struct {
	JID                           string
	OwnerJID                      string
	OwnerPN                       string
	Name                          string
	NameSetAt                     time.Time
	NameSetBy                     string
	NameSetByPN                   string
	Topic                         string
	TopicID                       string
	TopicSetAt                    time.Time
	TopicSetBy                    string
	TopicSetByPN                  string
	TopicDeleted                  bool
	IsLocked                      bool
	IsAnnounce                    bool
	AnnounceVersionID             string
	IsEphemeral                   bool
	DisappearingTimer             uint32 // seconds
	IsIncognito                   bool
	IsParent                      bool // a community
	DefaultMembershipApprovalMode string
	LinkedParentJID               string // of the community it belongs to
	IsDefaultSubGroup             bool
	IsJoinApprovalRequired        bool
	AddressingMode                string
	GroupCreated                  time.Time
	CreatorCountryCode            string
	ParticipantVersionID          string
	ParticipantCount              int
	Participants                  []GroupMember
	MemberAddMode                 string
	Suspended                     bool
}

// GroupMember is somebody in a group. JID is the form that the group uses for them.
type GroupMember struct {
	JID          string
	PhoneNumber  string
	LID          string
	IsAdmin      bool
	IsSuperAdmin bool
	DisplayName  string
	Error        int
	AddRequest   *AddRequest
}

// AddRequest is what an invitation is made of, for somebody who could not be added.
type AddRequest struct {
	Code       string
	Expiration time.Time
}

// NewGroup is what CreateGroup needs.
type NewGroup struct {
	Name         string
	Participants []string // phone numbers or addresses
	Community    bool
	Parent       string // id of the community in which to make it; may be ""
}

// Groups returns the groups that this number is in. WhatsApp gives 500 at most.
func (s *Session) Groups(ctx context.Context) (all []Group, err error) {
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		joined, err := a.client.GetJoinedGroups(ctx)
		if err != nil {
			return err
		}
		all = make([]Group, len(joined))
		for i, g := range joined {
			all[i] = a.group(ctx, g, false)
		}
		return nil
	})
	return all, err
}

// Group returns one group of this number's.
func (s *Session) Group(ctx context.Context, id string) (g Group, err error) {
	err = s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		info, err := a.client.GetGroupInfo(ctx, jid)
		if err != nil {
			return err
		}
		g = a.group(ctx, info, true)
		return nil
	})
	return g, err
}

// GroupBehind returns what an invite link says about its group. Nobody joins by it.
func (s *Session) GroupBehind(ctx context.Context, link string) (g Group, err error) {
	code, err := inviteCode(link)
	if err != nil {
		return g, err
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		info, err := a.client.GetGroupInfoFromLink(ctx, code)
		if err != nil {
			return err
		}
		g = a.group(ctx, info, true)
		return nil
	})
	return g, err
}

// JoinGroup joins by an invite link and returns the group's id. waits is true when an admin
// has to approve first.
func (s *Session) JoinGroup(ctx context.Context, link string) (id string, waits bool, err error) {
	code, err := inviteCode(link)
	if err != nil {
		return "", false, err
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		jid, err := a.client.JoinGroupWithLink(ctx, code)
		if err != nil {
			return err
		}
		id = jid.String()
		// The answer to a join and to a request for one look alike from here.
		_, err = a.client.GetGroupInfo(ctx, jid)
		if waits = errors.Is(err, whatsmeow.ErrNotInGroup); waits {
			return nil
		}
		return err
	})
	return id, waits, err
}

// inviteCode reads the code at the end of an invite link.
func inviteCode(link string) (string, error) {
	code := strings.TrimSpace(link)
	for _, prefix := range []string{"https://", "http://", "chat.whatsapp.com/", "invite/"} {
		code = strings.TrimPrefix(code, prefix)
	}
	code, _, _ = strings.Cut(code, "?")
	if code = strings.TrimSuffix(code, "/"); code == "" || strings.ContainsAny(code, "/:. ") || !utf8.ValidString(code) {
		return "", fault.InField("link", "This is not an invite link of a group. It looks like https://chat.whatsapp.com/AbC….")
	}
	return code, nil
}

// CreateGroup makes a group or a community. Those who could not be added are in its
// Participants with an Error.
func (s *Session) CreateGroup(ctx context.Context, n NewGroup) (g Group, err error) {
	name, err := groupText("title", n.Name, maxGroupName)
	if err != nil {
		return g, err
	}
	if name == "" {
		return g, fault.InField("title", "Give the group a name.")
	}
	wanted, err := people("participants", n.Participants)
	if err != nil {
		return g, err
	}
	request := whatsmeow.ReqCreateGroup{Name: name}
	request.IsParent = n.Community
	if n.Parent != "" {
		if request.LinkedParentJID, err = groupID("community", n.Parent); err != nil {
			return g, err
		}
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		if request.Participants, err = a.members(ctx, "participants", wanted); err != nil {
			return err
		}
		info, err := a.client.CreateGroup(ctx, request)
		if err != nil {
			return err
		}
		g = a.group(ctx, info, true)
		return s.messages.NameChat(ctx, g.JID, g.Name)
	})
	return g, err
}

// LeaveGroup leaves a group.
func (s *Session) LeaveGroup(ctx context.Context, id string) error {
	return s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		// WhatsApp says yes to leaving a group that one is not in.
		if _, err := a.client.GetGroupInfo(ctx, jid); err != nil {
			return err
		}
		return a.client.LeaveGroup(ctx, jid)
	})
}

// SubGroup is a group of a community.
type SubGroup struct {
	GroupID string `json:"group_id"`
	Name    string `json:"name"`
	Default bool   `json:"is_default"` // the one for announcements
}

// SubGroups lists the groups of a community.
func (s *Session) SubGroups(ctx context.Context, community string) (out []SubGroup, err error) {
	err = s.inGroup(ctx, community, func(ctx context.Context, a *account, jid types.JID) error {
		all, err := a.client.GetSubGroups(ctx, jid)
		if err != nil {
			return err
		}
		out = make([]SubGroup, len(all))
		for i, g := range all {
			out[i] = SubGroup{GroupID: g.JID.String(), Name: g.Name, Default: g.IsDefaultSubGroup}
		}
		return nil
	})
	return out, err
}

// LinkGroup makes a group part of a community, or takes it out.
func (s *Session) LinkGroup(ctx context.Context, community, group string, linked bool) error {
	child, err := groupID("group_id", group)
	if err != nil {
		return err
	}
	return s.inGroup(ctx, community, func(ctx context.Context, a *account, jid types.JID) error {
		if linked {
			return a.client.LinkGroup(ctx, jid, child)
		}
		return a.client.UnlinkGroup(ctx, jid, child)
	})
}

// inGroup is with for what is about one group.
func (s *Session) inGroup(ctx context.Context, id string, do func(ctx context.Context, a *account, jid types.JID) error) error {
	jid, err := groupID("group_id", id)
	if err != nil {
		return err
	}
	return s.with(ctx, func(ctx context.Context, a *account) error { return do(ctx, a, jid) })
}

// group translates a group; named looks its members' names up.
func (a *account) group(ctx context.Context, g *types.GroupInfo, named bool) Group {
	out := Group{
		JID: g.JID.String(), OwnerJID: g.OwnerJID.String(), OwnerPN: g.OwnerPN.String(),
		Name: g.Name, NameSetAt: g.NameSetAt, NameSetBy: g.NameSetBy.String(), NameSetByPN: g.NameSetByPN.String(),
		Topic: g.Topic, TopicID: g.TopicID, TopicSetAt: g.TopicSetAt, TopicSetBy: g.TopicSetBy.String(),
		TopicSetByPN: g.TopicSetByPN.String(), TopicDeleted: g.TopicDeleted,
		IsLocked: g.IsLocked, IsAnnounce: g.IsAnnounce, AnnounceVersionID: g.AnnounceVersionID,
		IsEphemeral: g.IsEphemeral && g.DisappearingTimer > 0, DisappearingTimer: g.DisappearingTimer,
		IsIncognito: g.IsIncognito, IsParent: g.IsParent, DefaultMembershipApprovalMode: g.DefaultMembershipApprovalMode,
		LinkedParentJID: g.LinkedParentJID.String(), IsDefaultSubGroup: g.IsDefaultSubGroup,
		IsJoinApprovalRequired: g.IsJoinApprovalRequired, AddressingMode: string(g.AddressingMode),
		GroupCreated: g.GroupCreated, CreatorCountryCode: g.CreatorCountryCode,
		ParticipantVersionID: g.ParticipantVersionID, ParticipantCount: max(g.ParticipantCount, len(g.Participants)),
		Participants: make([]GroupMember, len(g.Participants)), MemberAddMode: string(g.MemberAddMode), Suspended: g.Suspended,
	}
	for i, p := range g.Participants {
		m := GroupMember{
			JID: p.JID.String(), PhoneNumber: p.PhoneNumber.String(), LID: p.LID.String(),
			IsAdmin: p.IsAdmin, IsSuperAdmin: p.IsSuperAdmin, DisplayName: p.DisplayName, Error: p.Error,
		}
		if p.PhoneNumber.IsEmpty() || p.LID.IsEmpty() {
			if stored, lid := a.forms(ctx, p.JID, otherOf(p)); stored != lid {
				m.PhoneNumber, m.LID = stored, lid
			}
		}
		if named && m.DisplayName == "" {
			m.DisplayName = a.nameOf(ctx, p.JID, otherOf(p))
		}
		if r := p.AddRequest; r != nil {
			m.AddRequest = &AddRequest{Code: r.Code, Expiration: r.Expiration}
		}
		out.Participants[i] = m
	}
	return out
}

// nameOf is what somebody is called in the address book, or calls themselves; "" if nobody
// knows. jids are the forms of one person's address.
func (a *account) nameOf(ctx context.Context, jids ...types.JID) string {
	for _, jid := range jids {
		if jid.IsEmpty() {
			continue
		}
		c, err := a.device.Contacts.GetContact(ctx, jid.ToNonAD())
		if err != nil || !c.Found {
			continue
		}
		for _, name := range []string{c.FullName, c.BusinessName, c.PushName, c.FirstName} {
			if name != "" {
				return name
			}
		}
	}
	return ""
}

// number is the phone number in an address, "" if there is none.
func number(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	if server != types.DefaultUserServer {
		return ""
	}
	return user
}
