package whatsapp

import (
	"context"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"switchboard/messages"
)

// translate turns a message event into what is stored. ok is false for stanzas that carry
// no message: keys, history notices and settings travel the same way.
func (s *Session) translate(ctx context.Context, a *account, e *events.Message) (_ messages.Message, ok bool) {
	m := a.unseal(ctx, e)
	kind, text, target := content(m)
	if kind == "" {
		return messages.Message{}, false
	}
	msg := a.envelope(ctx, &e.Info)
	msg.Kind, msg.Text, msg.Target = kind, text, target
	if e.IsEdit && kind != messages.Revoked {
		msg.Kind = messages.Edited
	}
	msg.Admin = e.Info.Edit == types.EditAttributeAdminRevoke && e.Info.IsGroup
	msg.ViewOnce = e.IsViewOnce
	a.describe(ctx, &msg, m)
	switch msg.Kind {
	case messages.Vote:
		s.vote(ctx, a, e, &msg)
	case messages.Poll:
		msg.Question.Early = s.earlyVotes(ctx, a, e, msg)
	}
	if raw, err := proto.Marshal(e.RawMessage); err != nil {
		s.log.Warn("message cannot be kept as it came", "error", scrub(err.Error()))
	} else {
		msg.Raw = raw
	}
	return msg, true
}

// placeholder stands for a message that could not be decrypted, until it comes again.
func (s *Session) placeholder(ctx context.Context, a *account, e *events.UndecryptableMessage) messages.Message {
	s.log.Warn("message could not be decrypted", "unavailable", e.IsUnavailable, "type", string(e.UnavailableType))
	msg := a.envelope(ctx, &e.Info)
	msg.Kind = messages.Undecryptable
	return msg
}

// envelope fills in everything but the content.
func (a *account) envelope(ctx context.Context, info *types.MessageInfo) messages.Message {
	msg := messages.Message{
		ID: info.ID, FromMe: info.IsFromMe, At: info.Timestamp, SenderName: info.PushName,
	}
	msg.Sender, msg.SenderLID = a.forms(ctx, info.Sender, info.SenderAlt)
	if info.IsGroup {
		msg.Chat = info.Chat.String()
	} else {
		alt := info.SenderAlt
		if info.IsFromMe {
			alt = info.RecipientAlt
		}
		msg.Chat, msg.ChatLID = a.forms(ctx, info.Chat, alt)
	}
	if info.IsFromMe {
		msg.Status = messages.SentOut // another device of this account sent it
		msg.SenderName = ""
	}
	return msg
}

// content says what a message is and what of it a person would read; kind is "" if it is
// nothing for a person.
func content(m *waE2E.Message) (kind messages.Kind, text, target string) {
	switch {
	case m == nil:
		return "", "", ""
	case m.Conversation != nil:
		return messages.Text, m.GetConversation(), ""
	case m.ExtendedTextMessage != nil:
		return messages.Text, m.GetExtendedTextMessage().GetText(), ""
	case m.ImageMessage != nil:
		return messages.Image, m.GetImageMessage().GetCaption(), ""
	case m.VideoMessage != nil:
		return messages.Video, m.GetVideoMessage().GetCaption(), ""
	case m.PtvMessage != nil:
		return messages.Video, m.GetPtvMessage().GetCaption(), ""
	case m.AudioMessage != nil:
		return messages.Audio, "", ""
	case m.DocumentMessage != nil:
		d := m.GetDocumentMessage()
		return messages.Document, firstOf(d.GetCaption(), d.GetFileName(), d.GetTitle()), ""
	case m.StickerMessage != nil:
		return messages.Sticker, "", ""
	case m.LocationMessage != nil:
		l := m.GetLocationMessage()
		return messages.Location, whereabouts(l.GetName(), l.GetAddress(), l.GetDegreesLatitude(), l.GetDegreesLongitude()), ""
	case m.LiveLocationMessage != nil:
		l := m.GetLiveLocationMessage()
		return messages.Location, whereabouts(l.GetCaption(), "", l.GetDegreesLatitude(), l.GetDegreesLongitude()), ""
	case m.ContactMessage != nil:
		return messages.Contact, m.GetContactMessage().GetDisplayName(), ""
	case m.ContactsArrayMessage != nil:
		return messages.Contact, contacts(m.GetContactsArrayMessage()), ""
	case m.ReactionMessage != nil:
		r := m.GetReactionMessage()
		return messages.Reaction, r.GetText(), r.GetKey().GetID()
	case m.EncReactionMessage != nil:
		return messages.Reaction, "", m.GetEncReactionMessage().GetTargetMessageKey().GetID()
	case m.PollUpdateMessage != nil:
		return messages.Vote, "", m.GetPollUpdateMessage().GetPollCreationMessageKey().GetID()
	case m.ProtocolMessage != nil:
		return protocolContent(m.GetProtocolMessage())
	}
	if poll := pollOf(m); poll != nil {
		return messages.Poll, poll.GetName(), ""
	}
	if !forPerson(m) {
		return "", "", ""
	}
	return messages.Other, "", ""
}

func protocolContent(p *waE2E.ProtocolMessage) (kind messages.Kind, text, target string) {
	switch p.GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		if p.Type == nil {
			return "", "", "" // REVOKE is also what an unset type reads as
		}
		return messages.Revoked, "", p.GetKey().GetID()
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		_, text, _ = content(p.GetEditedMessage())
		return messages.Edited, text, p.GetKey().GetID()
	}
	return "", "", ""
}

func pollOf(m *waE2E.Message) *waE2E.PollCreationMessage {
	for _, p := range []*waE2E.PollCreationMessage{
		m.GetPollCreationMessage(), m.GetPollCreationMessageV2(), m.GetPollCreationMessageV3(),
		m.GetPollCreationMessageV4().GetMessage().GetPollCreationMessage(),
		m.GetPollCreationMessageV5(), m.GetPollCreationMessageV6(),
	} {
		if p != nil {
			return p
		}
	}
	return nil
}

// forPerson says whether m has anything in it but keys and technical context.
func forPerson(m *waE2E.Message) bool {
	found := false
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		switch f.Name() {
		case "messageContextInfo", "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage",
			"stickerSyncRmrMessage", "rootSecretDistributeMessage", "groupRootKeyShare":
			return true
		}
		found = true
		return false
	})
	return found
}

func whereabouts(name, address string, latitude, longitude float64) string {
	return firstOf(strings.Trim(name+", "+address, ", "), fmt.Sprintf("%.6f, %.6f", latitude, longitude))
}

func contacts(m *waE2E.ContactsArrayMessage) string {
	names := make([]string, len(m.GetContacts()))
	for i, c := range m.GetContacts() {
		names[i] = c.GetDisplayName()
	}
	return strings.Join(names, ", ")
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
