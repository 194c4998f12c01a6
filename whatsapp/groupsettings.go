package whatsapp

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// SetGroupPhoto sets a group's picture from a JPEG file, or with nil takes it away. It
// returns the new picture's id.
func (s *Session) SetGroupPhoto(ctx context.Context, id string, jpeg []byte) (picture string, err error) {
	err = s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		picture, err = a.client.SetGroupPhoto(ctx, jid, jpeg)
		return err
	})
	return picture, err
}

// SetGroupName renames a group.
func (s *Session) SetGroupName(ctx context.Context, id, name string) error {
	name, err := groupText("name", name, maxGroupName)
	if err != nil {
		return err
	}
	if name == "" {
		return fault.InField("name", "name: cannot be blank.")
	}
	return s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		return a.client.SetGroupName(ctx, jid, name)
	})
}

// SetGroupTopic sets a group's description; "" takes it away.
func (s *Session) SetGroupTopic(ctx context.Context, id, topic string) error {
	topic, err := groupText("topic", topic, maxGroupTopic)
	if err != nil {
		return err
	}
	return s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		info, err := a.client.GetGroupInfo(ctx, jid)
		if err != nil {
			return err
		}
		return a.client.SetGroupTopic(ctx, jid, info.TopicID, "", topic)
	})
}

func groupText(field, text string, most int) (string, error) {
	text = strings.TrimSpace(text)
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > most {
		return "", fault.InField(field, "This is longer than WhatsApp takes, or is no valid UTF-8.")
	}
	return text, nil
}

// SetGroupLocked says whether admins alone change the group's name, picture and description.
func (s *Session) SetGroupLocked(ctx context.Context, id string, locked bool) error {
	return s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		return a.client.SetGroupLocked(ctx, jid, locked)
	})
}

// SetGroupAnnounce says whether admins alone write in the group.
func (s *Session) SetGroupAnnounce(ctx context.Context, id string, announce bool) error {
	return s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		return a.client.SetGroupAnnounce(ctx, jid, announce)
	})
}

// InviteLink returns a group's invite link; with reset a new one, and the old one is void.
func (s *Session) InviteLink(ctx context.Context, id string, reset bool) (link string, err error) {
	err = s.inGroup(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		link, err = a.client.GetGroupInviteLink(ctx, jid, reset)
		return err
	})
	return link, err
}
