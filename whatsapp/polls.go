package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"switchboard/messages"
)

// chosen returns which of the options of a poll a vote chose. Whoever votes encrypts it for one
// form of their address, and it may come under the other.
func (a *account) chosen(ctx context.Context, vote *events.Message, options []string) ([]string, error) {
	v, err := a.client.DecryptPollVote(ctx, vote)
	if alt := vote.Info.SenderAlt; err != nil && !alt.IsEmpty() {
		other := *vote
		other.Info.Sender = alt
		v, err = a.client.DecryptPollVote(ctx, &other)
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for i, hash := range whatsmeow.HashPollOptions(options) {
		if slices.ContainsFunc(v.GetSelectedOptions(), func(s []byte) bool { return bytes.Equal(s, hash) }) {
			all = append(all, options[i])
		}
	}
	return all, nil
}

// vote fills in what a vote chose. Without its poll that cannot be told yet.
func (s *Session) vote(ctx context.Context, a *account, e *events.Message, msg *messages.Message) {
	poll, err := s.messages.Message(ctx, msg.Chat, msg.Target)
	if err == nil && poll.Question != nil {
		msg.Votes, err = a.chosen(ctx, e, poll.Question.Options)
	}
	if msg.Sealed = err != nil || poll.Question == nil; msg.Sealed {
		s.log.Warn("what a vote chose is not known, for want of its poll", "error", scrub(fmt.Sprint(err)))
	}
}

// earlyVotes returns the votes on a poll that came before it, with what they chose.
func (s *Session) earlyVotes(ctx context.Context, a *account, poll *events.Message, msg messages.Message) (all []messages.Message) {
	early, err := s.messages.SealedVotes(ctx, msg.Chat, msg.ID)
	if err != nil {
		s.log.Warn("votes on a poll not looked for", "error", scrub(fmt.Sprint(err)))
	}
	for _, v := range early {
		e, err := asItCame(v, poll)
		if err == nil {
			v.Votes, err = a.chosen(ctx, e, msg.Question.Options)
		}
		if err != nil {
			s.log.Warn("a vote that came before its poll cannot be read", "error", scrub(err.Error()))
			continue
		}
		v.Sealed, v.ChatLID = false, msg.ChatLID
		all = append(all, v)
	}
	return all
}

// asItCame returns a stored message as it came, in the chat in which another one came.
func asItCame(msg messages.Message, other *events.Message) (*events.Message, error) {
	var m waE2E.Message
	sender, err := types.ParseJID(msg.Sender)
	alt, err2 := types.ParseJID(msg.SenderLID) // an empty one is empty
	info := types.MessageInfo{ID: msg.ID, Timestamp: msg.At, PushName: msg.SenderName, MessageSource: types.MessageSource{
		Chat: other.Info.Chat, Sender: sender, SenderAlt: alt, IsFromMe: msg.FromMe, IsGroup: other.Info.IsGroup,
	}}
	err = errors.Join(err, err2, proto.Unmarshal(msg.Raw, &m))
	return &events.Message{Info: info, Message: unwrap(&m), RawMessage: &m}, err
}

// earlyEvents tells of votes that came before their poll once more, with what they chose.
func (s *Session) earlyEvents(ctx context.Context, a *account, poll *events.Message, msg messages.Message) (all []messages.Event) {
	if msg.Question == nil {
		return nil
	}
	for _, v := range msg.Question.Early {
		if e, err := asItCame(v, poll); err == nil { // as it was found just now
			all = append(all, s.messageEvents(ctx, a, e, v)...)
		}
	}
	return all
}
