package whatsapp

import (
	"context"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"

	"switchboard/messages"
)

// history stores the recent chats that the phone hands over after pairing, one transaction
// for each chat.
func (s *Session) history(ctx context.Context, a *account, h *waHistorySync.HistorySync) error {
	if err := s.historyNames(ctx, a, h); err != nil {
		return err
	}
	count := 0
	for _, c := range h.GetConversations() {
		n, err := s.historyChat(ctx, a, c)
		if err != nil {
			return err
		}
		count += n
	}
	s.log.Info("history stored", "type", h.GetSyncType().String(), "chats", len(h.GetConversations()), "messages", count)
	return nil
}

func (s *Session) historyNames(ctx context.Context, a *account, h *waHistorySync.HistorySync) error {
	var people []messages.Person
	for _, p := range h.GetPushnames() {
		jid, err := types.ParseJID(p.GetID())
		if err != nil || p.GetPushname() == "" || p.GetPushname() == "-" {
			continue
		}
		pn, lid := a.forms(ctx, jid, types.EmptyJID)
		people = append(people, messages.Person{JID: pn, LID: lid, PushName: p.GetPushname()})
	}
	return s.messages.SavePeople(ctx, people)
}

func (s *Session) historyChat(ctx context.Context, a *account, c *waHistorySync.Conversation) (int, error) {
	chat, err := types.ParseJID(c.GetID())
	if err != nil || chat.IsEmpty() {
		s.log.Warn("history has a chat without a valid address")
		return 0, nil
	}
	alt := otherForm(c, chat)
	var all []messages.Message
	for _, m := range c.GetMessages() {
		if msg, ok := s.historyMessage(ctx, a, chat, alt, m.GetMessage()); ok {
			all = append(all, msg)
		}
	}
	if err := s.messages.SaveAll(ctx, all); err != nil {
		return 0, err
	}
	if c.GetName() == "" {
		return len(all), nil
	}
	stored, _ := a.forms(ctx, chat, alt)
	return len(all), s.messages.NameChat(ctx, stored, c.GetName())
}

func (s *Session) historyMessage(ctx context.Context, a *account, chat, alt types.JID, m *waWeb.WebMessageInfo) (messages.Message, bool) {
	if m.GetMessage() == nil {
		return messages.Message{}, false // a notice of the phone's, such as a missed call
	}
	e, err := a.client.ParseWebMessage(chat, m)
	if err != nil {
		s.log.Warn("history has a message that cannot be read", "error", scrub(err.Error()))
		return messages.Message{}, false
	}
	if e.Info.IsFromMe {
		e.Info.RecipientAlt = alt
	} else if !e.Info.IsGroup {
		e.Info.SenderAlt = alt
	}
	msg, ok := s.translate(ctx, a, e)
	if msg.FromMe {
		msg.Status = historyDelivery(m.GetStatus())
	}
	return msg, ok
}

func historyDelivery(s waWeb.WebMessageInfo_Status) messages.Delivery {
	switch s {
	case waWeb.WebMessageInfo_ERROR, waWeb.WebMessageInfo_PENDING:
		return messages.NotSent
	case waWeb.WebMessageInfo_DELIVERY_ACK:
		return messages.Delivered
	case waWeb.WebMessageInfo_READ, waWeb.WebMessageInfo_PLAYED:
		return messages.Read
	}
	return messages.SentOut
}

// otherForm returns the second form of a person's address if the phone told it.
func otherForm(c *waHistorySync.Conversation, chat types.JID) types.JID {
	other := c.GetLidJID()
	if chat.Server == types.HiddenUserServer {
		other = c.GetPnJID()
	}
	jid, err := types.ParseJID(other)
	if err != nil {
		return types.EmptyJID
	}
	return jid
}
