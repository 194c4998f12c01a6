package phone

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// Group is a group that the phone is in.
type Group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members"` // numbers
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
	g := Group{ID: info.JID.String(), Name: info.Name, Members: make([]string, len(info.Participants))}
	for i, m := range info.Participants {
		g.Members[i] = p.person(ctx, m.JID, m.PhoneNumber)
	}
	return g
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
