package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"switchboard/messages"
)

// For how long the phone is asked for messages that could not be read, and for how many at most:
// it has the latest ones.
const (
	unreadableFor  = 7 * 24 * time.Hour
	unreadableMost = 50
)

// askForUnreadable asks the phone once more, after the first connection of this process, for what
// could not be read. The library asks once, some seconds after the message came, and has then
// forgotten it, as it has when the process ends before.
func (s *Session) askForUnreadable(a *account) {
	if s.asked.Swap(true) {
		return
	}
	s.beside.Go(func() {
		all, err := s.messages.Unreadable(s.ctx, time.Now().Add(-unreadableFor), unreadableMost)
		if err == nil && len(all) > 0 {
			err = s.askFor(a, all)
		}
		if err != nil {
			s.asked.Store(false) // with the next connection
			if s.ctx.Err() == nil {
				s.log.Warn("the phone could not be asked for what was not read", "error", scrub(err.Error()))
			}
		}
	})
}

// askFor asks the phone for messages. It finds a person's by the form of the address that it
// has itself, so it is told both.
func (s *Session) askFor(a *account, all []messages.Message) error {
	var wanted []*waE2E.PeerDataOperationRequestMessage_PlaceholderMessageResendRequest
	for _, m := range all {
		chat, err := types.ParseJID(m.Chat)
		if err != nil {
			continue
		}
		forms := []string{m.Sender}
		if m.SenderLID != "" && m.SenderLID != m.Sender {
			forms = append(forms, m.SenderLID)
		}
		for _, form := range forms {
			sender, err := types.ParseJID(form)
			if err != nil {
				continue
			}
			if chat.Server != types.GroupServer && !a.is(sender) {
				chat = sender
			}
			wanted = append(wanted, &waE2E.PeerDataOperationRequestMessage_PlaceholderMessageResendRequest{
				MessageKey: a.client.BuildMessageKey(chat, sender, m.ID),
			})
		}
	}
	request := a.client.BuildUnavailableMessageRequest(types.EmptyJID, types.EmptyJID, "")
	request.ProtocolMessage.PeerDataOperationRequestMessage.PlaceholderMessageResendRequest = wanted
	return a.guard.Send(s.ctx, a.jid().ToNonAD(), func(ctx context.Context) error {
		_, err := a.client.SendPeerMessage(ctx, request)
		return err
	})
}
