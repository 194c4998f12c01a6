package phone

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// Channel is a channel (a newsletter) that the phone owns or follows.
type Channel struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Link        string `json:"link"`
	Role        string `json:"role"` // owner or subscriber
	Muted       bool   `json:"muted"`
	Followers   int    `json:"followers"`
}

func channel(m *types.NewsletterMetadata) Channel {
	c := Channel{
		ID: m.ID.String(), Name: m.ThreadMeta.Name.Text, Description: m.ThreadMeta.Description.Text,
		Link: whatsmeow.NewsletterLinkPrefix + m.ThreadMeta.InviteCode, Followers: m.ThreadMeta.SubscriberCount,
	}
	if v := m.ViewerMeta; v != nil {
		c.Role, c.Muted = string(v.Role), v.Mute == types.NewsletterMuteOn
	}
	return c
}

// CreateChannel makes a channel. To write in it, send a message to its id.
func (p *Phone) CreateChannel(ctx context.Context, name, description string) (Channel, error) {
	if name == "" {
		return Channel{}, fault.InField("name", "Give the channel a name.")
	}
	if err := p.ready(ctx); err != nil {
		return Channel{}, err
	}
	m, err := p.client.CreateNewsletter(ctx, whatsmeow.CreateNewsletterParams{Name: name, Description: description})
	if err != nil {
		return Channel{}, fmt.Errorf("make a channel: %w", err)
	}
	p.nameGroup(m.ID, name)
	return channel(m), nil
}

// Channels lists the channels that the phone owns or follows.
func (p *Phone) Channels(ctx context.Context) ([]Channel, error) {
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	all, err := p.client.GetSubscribedNewsletters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the channels: %w", err)
	}
	out := make([]Channel, len(all))
	for i, m := range all {
		p.nameGroup(m.ID, m.ThreadMeta.Name.Text)
		out[i] = channel(m)
	}
	return out, nil
}

// FollowChannel follows a channel, or no longer.
func (p *Phone) FollowChannel(ctx context.Context, id string, follow bool) error {
	jid, err := types.ParseJID(id)
	if err != nil || jid.Server != types.NewsletterServer {
		return fault.InField("id", "The id of a channel ends in @newsletter.")
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	if follow {
		err = p.client.FollowNewsletter(ctx, jid)
	} else {
		err = p.client.UnfollowNewsletter(ctx, jid)
	}
	if err != nil {
		return fmt.Errorf("follow a channel: %w", err)
	}
	return nil
}

// MuteChannel has a channel be silent, or no longer.
func (p *Phone) MuteChannel(ctx context.Context, id string, muted bool) error {
	jid, err := types.ParseJID(id)
	if err != nil || jid.Server != types.NewsletterServer {
		return fault.InField("id", "The id of a channel ends in @newsletter.")
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	return p.client.NewsletterToggleMute(ctx, jid, muted)
}

// ReactInChannel reacts to a message of a channel.
func (p *Phone) ReactInChannel(ctx context.Context, id string, message int, reaction string) error {
	jid, err := types.ParseJID(id)
	if err != nil || jid.Server != types.NewsletterServer {
		return fault.InField("id", "The id of a channel ends in @newsletter.")
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	return p.client.NewsletterSendReaction(ctx, jid, message, reaction, "")
}
