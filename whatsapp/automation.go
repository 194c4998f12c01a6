package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/instances"
	"switchboard/messages"
)

// What keeps automatic answers from becoming a conversation of machines.
const (
	// A person who got an answer of any kind from here gets no automatic one for so long.
	replyPause = 24 * time.Hour
	// What is older when it arrives was written to somebody who did not answer at the time.
	replyFresh = 10 * time.Minute
	// Whoever answers an automatic answer this quickly is a machine too.
	robotTime = 5 * time.Second
	// So many arrivals may wait for what is done by itself; of more, the rest is left.
	automaticWaiting = 64
)

// arrival is a message for which something may have to be done by itself.
type arrival struct {
	a    *account
	info types.MessageInfo
	msg  messages.Message
}

// noteArrival hands a message that is stored to what is done by itself. It does not block:
// WhatsApp waits for its acknowledgement.
func (s *Session) noteArrival(a *account, e *events.Message, msg messages.Message) {
	set := s.settings().Automation
	if msg.FromMe || set.Reply == "" && !set.Read || !fromPerson(msg.Kind) {
		return
	}
	select {
	case s.arrivals <- &arrival{a, e.Info, msg}:
	default:
		s.log.Warn("too many messages at once for automatic answers")
	}
}

// fromPerson tells whether somebody said something, instead of something about a message.
func fromPerson(k messages.Kind) bool {
	switch k {
	case messages.Reaction, messages.Edited, messages.Revoked, messages.Vote, messages.Called, messages.Undecryptable:
		return false
	}
	return true
}

// automate does what is done by itself until the session ends.
func (s *Session) automate() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case one := <-s.arrivals:
			set := s.settings().Automation
			if set.Read {
				s.autoRead(one)
			}
			if set.Reply != "" {
				s.autoReply(one, set.Reply)
			}
		}
	}
}

func (s *Session) autoRead(one *arrival) {
	switch messages.KindOfChat(one.msg.Chat) {
	case messages.Statuses, messages.Newsletter:
		return
	}
	err := one.a.client.MarkRead(s.ctx, []types.MessageID{one.info.ID}, time.Now(), one.info.Chat, one.info.Sender)
	if err == nil {
		err = s.messages.ChangeChat(s.ctx, one.msg.Chat, messages.ChatChange{Unread: new(int)})
	}
	if err != nil {
		s.log.Warn("message not marked as read", "error", scrub(err.Error()))
	}
}

// autoReply answers a person's first message. Groups, status posts, newsletters, broadcast
// lists and this account itself get no answer, nor does whoever had one lately, from a
// program, from the phone or from here, nor what seems to be a machine.
func (s *Session) autoReply(one *arrival, text string) {
	msg := one.msg
	if messages.KindOfChat(msg.Chat) != messages.Direct || one.a.is(one.info.Chat) || one.info.Chat.IsBot() ||
		one.info.IsGroup || time.Since(msg.At) > replyFresh || s.Report().Status != instances.Connected {
		return
	}
	switch one.info.Chat.Server {
	case types.DefaultUserServer, types.HiddenUserServer:
	default:
		return
	}
	why, err := s.keepQuiet(s.ctx, msg, text)
	if err != nil {
		s.log.Error("automatic answer not decided", "error", err)
		return
	}
	if why != "" {
		s.log.Debug("no automatic answer", "why", why)
		return
	}
	if _, err := s.SendText(s.ctx, msg.Chat, text); err != nil {
		s.log.Warn("automatic answer not sent", "error", scrub(err.Error()))
		return
	}
	s.log.Info("automatic answer sent")
}

// keepQuiet returns why a message gets no automatic answer, "" if it does. What is stored
// decides, so that a restart changes nothing.
func (s *Session) keepQuiet(ctx context.Context, msg messages.Message, text string) (string, error) {
	mine, _, err := s.messages.InChat(ctx, messages.Filter{Chat: msg.Chat, FromMe: new(true), Limit: 1})
	if err != nil || len(mine) == 0 {
		return "", err
	}
	last := mine[0]
	if time.Since(last.At) < replyPause {
		return "answered lately", nil
	}
	if last.Text != text {
		return "", nil
	}
	after, _, err := s.messages.InChat(ctx, messages.Filter{Chat: msg.Chat, FromMe: new(false), From: last.At, To: last.At.Add(robotTime)})
	if err != nil {
		return "", err
	}
	for _, one := range after {
		if one.ID != msg.ID {
			return "seems to be a machine", nil
		}
	}
	return "", nil
}

// decline rejects a call if the settings say so, and tells whether it did.
func (s *Session) decline(a *account, call types.BasicCallMeta) bool {
	if !s.settings().Automation.RejectCalls {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	if err := a.client.RejectCall(ctx, call.CallCreator, call.CallID); err != nil {
		s.log.Warn("call not declined", "error", scrub(err.Error()))
		return false
	}
	return true
}

// announcePresence tells WhatsApp whether somebody is here, as the settings say. It needs the
// account's name, which comes some time after pairing.
func (s *Session) announcePresence(a *account) {
	var state types.Presence
	switch s.settings().Automation.Presence {
	case "available":
		state = types.PresenceAvailable
	case "unavailable":
		state = types.PresenceUnavailable
	default:
		return
	}
	if a.device.PushName == "" {
		return
	}
	go func() {
		if err := a.client.SendPresence(s.ctx, state); err != nil {
			s.log.Debug("presence not announced", "error", scrub(err.Error()))
		}
	}()
}
