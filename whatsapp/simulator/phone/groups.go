package phone

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// Group is a group that the phone is in.
type Group struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Members      []string `json:"members"` // numbers
	Admins       []string `json:"admins"`  // numbers
	Topic        string   `json:"topic"`
	Locked       bool     `json:"locked"`       // only admins change name, picture and topic
	Announce     bool     `json:"announce"`     // only admins write
	Approval     bool     `json:"approval"`     // an admin has to approve who joins by link
	Disappearing int      `json:"disappearing"` // seconds
	Community    bool     `json:"community"`
	Parent       string   `json:"parent"` // id of the community it belongs to
}

// CreateGroup makes a group with these numbers and the phone itself.
func (p *Phone) CreateGroup(ctx context.Context, name string, members []string) (Group, error) {
	if name == "" {
		return Group{}, fault.InField("name", "Give the group a name.")
	}
	people, err := p.people(members)
	if err != nil {
		return Group{}, err
	}
	if err := p.ready(ctx); err != nil {
		return Group{}, err
	}
	info, err := p.client.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: name, Participants: people})
	if err != nil {
		return Group{}, fmt.Errorf("create a group: %w", err)
	}
	return p.group(ctx, info), nil
}

// AddToGroup adds numbers to a group.
func (p *Phone) AddToGroup(ctx context.Context, group string, members []string) error {
	return p.changeGroup(ctx, group, members, whatsmeow.ParticipantChangeAdd)
}

// RemoveFromGroup takes numbers out of a group.
func (p *Phone) RemoveFromGroup(ctx context.Context, group string, members []string) error {
	return p.changeGroup(ctx, group, members, whatsmeow.ParticipantChangeRemove)
}

func (p *Phone) changeGroup(ctx context.Context, group string, members []string, how whatsmeow.ParticipantChange) error {
	jid, err := p.address(group)
	if err != nil {
		return err
	}
	people, err := p.people(members)
	if err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	if _, err := p.client.UpdateGroupParticipants(ctx, jid, people, how); err != nil {
		return fmt.Errorf("change a group's members: %w", err)
	}
	return nil
}

// Groups lists the groups that the phone is in.
func (p *Phone) Groups(ctx context.Context) ([]Group, error) {
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	joined, err := p.client.GetJoinedGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the groups: %w", err)
	}
	all := make([]Group, len(joined))
	for i, info := range joined {
		all[i] = p.group(ctx, info)
	}
	return all, nil
}

func (p *Phone) group(ctx context.Context, info *types.GroupInfo) Group {
	p.nameGroup(info.JID, info.Name)
	g := Group{
		ID: info.JID.String(), Name: info.Name, Members: make([]string, len(info.Participants)), Admins: []string{},
		Topic: info.Topic, Locked: info.IsLocked, Announce: info.IsAnnounce, Approval: info.IsJoinApprovalRequired,
		Disappearing: int(info.DisappearingTimer), Community: info.IsParent, Parent: info.LinkedParentJID.String(),
	}
	for i, m := range info.Participants {
		g.Members[i] = p.person(ctx, m.JID, m.PhoneNumber)
		if m.IsAdmin {
			g.Admins = append(g.Admins, g.Members[i])
		}
	}
	return g
}

// GroupChange is what can be changed about a group; nil and empty fields stay.
type GroupChange struct {
	Name     *string  `json:"name"`
	Topic    *string  `json:"topic"`
	Locked   *bool    `json:"locked"`
	Announce *bool    `json:"announce"`
	Approval *bool    `json:"approval"`
	Promote  []string `json:"promote"` // numbers
	Demote   []string `json:"demote"`
	Leave    bool     `json:"leave"`
}

// ChangeGroup changes a group.
func (p *Phone) ChangeGroup(ctx context.Context, group string, c GroupChange) error {
	jid, err := p.address(group)
	if err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	var errs []error
	if c.Name != nil {
		errs = append(errs, p.client.SetGroupName(ctx, jid, *c.Name))
	}
	if c.Topic != nil {
		errs = append(errs, p.client.SetGroupTopic(ctx, jid, "", "", *c.Topic))
	}
	if c.Locked != nil {
		errs = append(errs, p.client.SetGroupLocked(ctx, jid, *c.Locked))
	}
	if c.Announce != nil {
		errs = append(errs, p.client.SetGroupAnnounce(ctx, jid, *c.Announce))
	}
	if c.Approval != nil {
		errs = append(errs, p.client.SetGroupJoinApprovalMode(ctx, jid, *c.Approval))
	}
	if len(c.Promote) > 0 {
		errs = append(errs, p.changeGroup(ctx, group, c.Promote, whatsmeow.ParticipantChangePromote))
	}
	if len(c.Demote) > 0 {
		errs = append(errs, p.changeGroup(ctx, group, c.Demote, whatsmeow.ParticipantChangeDemote))
	}
	if c.Leave {
		errs = append(errs, p.client.LeaveGroup(ctx, jid))
	}
	return refused(errors.Join(errs...))
}

// refused gives what the network refuses a kind.
func refused(err error) error {
	if answer, ok := errors.AsType[*whatsmeow.IQError](err); ok {
		return fault.Wrap(fault.Conflict, fmt.Sprintf("The network refused this with the error %d.", answer.Code), err)
	}
	return err
}

// InviteLink returns the link by which people join a group.
func (p *Phone) InviteLink(ctx context.Context, group string) (string, error) {
	jid, err := p.address(group)
	if err != nil {
		return "", err
	}
	if err := p.ready(ctx); err != nil {
		return "", err
	}
	link, err := p.client.GetGroupInviteLink(ctx, jid, false)
	return link, refused(err)
}

// JoinGroup joins a group by its link, or asks to be let in, and returns its id.
func (p *Phone) JoinGroup(ctx context.Context, link string) (string, error) {
	if err := p.ready(ctx); err != nil {
		return "", err
	}
	jid, err := p.client.JoinGroupWithLink(ctx, link)
	return jid.String(), refused(err)
}

func (p *Phone) nameGroup(jid types.JID, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[jid.String()] = name
}

func (p *Phone) people(numbers []string) ([]types.JID, error) {
	people := make([]types.JID, len(numbers))
	for i, n := range numbers {
		jid, err := p.address(n)
		if err != nil || jid.Server != types.DefaultUserServer {
			return nil, fault.InField("members", "Give the members' phone numbers.")
		}
		people[i] = jid
	}
	return people, nil
}
