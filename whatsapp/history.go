package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"switchboard/messages"
)

// How often a part of the history is tried, and how long apart.
const (
	historyTries    = 10
	historyRetry    = 5 * time.Second
	historyRetryMax = 5 * time.Minute
)

// historyCame keeps where a part of the phone's history is, before the phone is told that it came.
func (s *Session) historyCame(a *account, id types.MessageID, n *waE2E.HistorySyncNotification) error {
	notice, err := proto.Marshal(n)
	if err != nil {
		return err
	}
	if err := s.messages.AddHistoryPart(s.ctx, id, notice); err != nil {
		return err
	}
	signal(s.historyParts)
	s.beside.Go(func() {
		if err := a.client.SendProtocolMessageReceipt(s.ctx, id, types.ReceiptTypeHistorySync); err != nil {
			s.log.Debug("the phone was not told that history came", "error", scrub(err.Error()))
		}
	})
	return nil
}

// takeHistory fetches and stores what the phone hands over, part after part, until the session
// ends. A part that fails is tried again, also by the next process.
func (s *Session) takeHistory() {
	for s.untilConnected() == nil {
		part, err := s.messages.BeginHistoryPart(s.ctx)
		if err == nil && part == nil {
			select {
			case <-s.historyParts:
				continue
			case <-s.ctx.Done():
				return
			}
		}
		tries := 1
		if err == nil {
			tries = part.Tries
			err = s.takePart(s.current(), part)
		}
		if s.ctx.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		s.log.Error("a part of the history is not stored", "try", tries, "error", scrub(err.Error()))
		select {
		case <-time.After(backoff(tries-1, historyRetry, historyRetryMax)):
		case <-s.ctx.Done():
		}
	}
}

func (s *Session) takePart(a *account, part *messages.HistoryPart) error {
	if part.Tries > historyTries {
		s.log.Error("a part of the history is given up")
		return s.messages.DropHistoryPart(s.ctx, part.ID)
	}
	var notice waE2E.HistorySyncNotification
	if err := proto.Unmarshal(part.Notice, &notice); err != nil {
		return err
	}
	h, err := a.client.DownloadHistorySync(s.ctx, &notice, true)
	if err != nil {
		return err
	}
	if err := s.persist(s.ctx, func() error { return s.history(s.ctx, a, part.ID, h) }); err != nil {
		return err
	}
	if notice.GetDirectPath() != "" {
		if err := a.client.DeleteMedia(s.ctx, whatsmeow.MediaHistory, notice.GetDirectPath(), notice.GetFileEncSHA256(), notice.GetEncHandle()); err != nil {
			s.log.Debug("history stays on the server", "error", scrub(err.Error()))
		}
	}
	return nil
}

// history stores the recent chats that the phone hands over after pairing, one transaction
// for each chat.
func (s *Session) history(ctx context.Context, a *account, id string, h *waHistorySync.HistorySync) error {
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
	return s.messages.NoteHistory(ctx, id, messages.HistoryProgress{
		Type: h.GetSyncType().String(), Chats: len(h.GetConversations()), Messages: count, Percent: int(h.GetProgress()), At: time.Now(),
	})
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
	for _, pair := range h.GetPhoneNumberToLidMappings() {
		pn, err1 := types.ParseJID(pair.GetPnJID())
		lid, err2 := types.ParseJID(pair.GetLidJID())
		if err1 == nil && err2 == nil && pn.User != "" && lid.User != "" {
			people = append(people, messages.Person{JID: plainJID(pn).String(), LID: plainJID(lid).String()})
		}
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
			all = append(append(all, msg), a.historyReactions(ctx, msg, m.GetMessage())...)
		}
	}
	if err := s.messages.SaveAll(ctx, all); err != nil {
		return 0, err
	}
	stored, lid := a.forms(ctx, chat, alt)
	if c.GetName() != "" {
		if err := s.messages.NameChat(ctx, stored, c.GetName()); err != nil {
			return 0, err
		}
	}
	return len(all), s.messages.ChangeChat(ctx, stored, historyState(c, lid))
}

// historyState is how the phone has a chat.
func historyState(c *waHistorySync.Conversation, lid string) messages.ChatChange {
	state := messages.ChatChange{
		LID: lid, Archived: new(c.GetArchived()), Unread: new(int(c.GetUnreadCount())),
		Ephemeral: new(time.Duration(c.GetEphemeralExpiration()) * time.Second),
		PinnedAt:  new(time.Time{}), MutedUntil: new(time.Time{}),
	}
	if pinned := c.GetPinned(); pinned > 0 {
		*state.PinnedAt = time.Unix(int64(pinned), 0)
	}
	if end := int64(c.GetMuteEndTime()); end != 0 {
		*state.MutedUntil = mutedUntil(true, end)
	}
	return state
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

// historyReactions are the reactions that the phone hands over with a message, as messages
// of their own, which they once were.
func (a *account) historyReactions(ctx context.Context, msg messages.Message, m *waWeb.WebMessageInfo) []messages.Message {
	var all []messages.Message
	for _, r := range m.GetReactions() {
		one := messages.Message{
			Chat: msg.Chat, ChatLID: msg.ChatLID, ID: r.GetKey().GetID(), Kind: messages.Reaction, Text: r.GetText(), Target: msg.ID,
			At: time.UnixMilli(r.GetSenderTimestampMS()), FromMe: r.GetKey().GetFromMe(), Sender: msg.Chat, SenderLID: msg.ChatLID,
		}
		if one.FromMe {
			one.Sender, one.SenderLID = a.forms(ctx, a.jid(), a.device.GetLID())
		} else if jid, err := types.ParseJID(firstOf(r.GetKey().GetParticipant(), m.GetParticipant())); err == nil && !jid.IsEmpty() {
			one.Sender, one.SenderLID = a.forms(ctx, jid, types.EmptyJID)
		}
		if one.ID != "" && one.Text != "" {
			all = append(all, one)
		}
	}
	return all
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
