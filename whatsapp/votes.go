package whatsapp

import (
	"context"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/instances"
)

// Vote chooses options of a poll in a chat, in place of those chosen before; none takes the
// vote back.
func (s *Session) Vote(ctx context.Context, chat, id string, options []string) (instances.Sent, error) {
	of, err := s.about(ctx, chat, id)
	if err != nil {
		return instances.Sent{}, err
	}
	poll, err := s.messages.Message(ctx, of.message.Chat, id)
	if err != nil {
		return instances.Sent{}, err
	}
	if poll.Question == nil {
		return instances.Sent{}, fault.New(fault.Invalid, "This message is no poll.")
	}
	for i, option := range options {
		if !slices.Contains(poll.Question.Options, option) || slices.Contains(options[:i], option) {
			return instances.Sent{}, fault.InField("options", fmt.Sprintf("%q is none of the poll's options, or there twice.", option))
		}
	}
	if most := poll.Question.Selectable; most > 0 && len(options) > most {
		return instances.Sent{}, fault.InField("options", fmt.Sprintf("Of this poll's options, %d can be chosen.", most))
	}
	info := types.MessageInfo{ID: id, MessageSource: types.MessageSource{
		Chat: of.chat, Sender: of.sender, IsFromMe: of.message.FromMe, IsGroup: of.chat.Server == types.GroupServer,
	}}
	// The voter's address is part of the key: the one under which the vote arrives, which
	// between two people is the hidden one.
	if of.chat.Server == types.DefaultUserServer {
		lid, err := of.a.device.LIDs.GetLIDForPN(ctx, of.chat)
		if err != nil {
			return instances.Sent{}, fmt.Errorf("look for the hidden address of a chat: %w", err)
		}
		if info.Chat, info.Sender = lid, lid; info.IsFromMe {
			info.Sender = of.a.device.GetLID().ToNonAD()
		}
	}
	m, err := of.a.client.BuildPollVote(ctx, &info, options)
	if err != nil {
		return instances.Sent{}, fault.Wrap(fault.Conflict, "The key of this poll is not here, so nobody can vote in it from here.", err)
	}
	return s.send(ctx, outgoing{a: of.a, to: of.chat, message: m, votes: append([]string{}, options...)})
}
