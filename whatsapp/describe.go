package whatsapp

import (
	"context"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/reflect/protoreflect"

	"switchboard/messages"
)

// unseal returns the content of a message. Some say what they say in a second envelope, whose
// key is that of the message they are about; where that is not known, they stay closed.
func (a *account) unseal(ctx context.Context, e *events.Message) *waE2E.Message {
	switch {
	case e.Message.GetSecretEncryptedMessage() != nil:
		if m, err := a.client.DecryptSecretEncryptedMessage(ctx, e); err == nil {
			return m
		}
	case e.Message.GetEncReactionMessage() != nil:
		if r, err := a.client.DecryptReaction(ctx, e); err == nil {
			if r.Key == nil {
				r.Key = e.Message.GetEncReactionMessage().GetTargetMessageKey()
			}
			return &waE2E.Message{ReactionMessage: r}
		}
	}
	return e.Message
}

// describe fills in what a message has beside its text.
func (a *account) describe(ctx context.Context, msg *messages.Message, m *waE2E.Message) {
	msg.Media = mediaOf(m, msg.At)
	if poll := pollOf(m); poll != nil {
		q := &messages.Question{Text: poll.GetName(), Selectable: int(poll.GetSelectableOptionsCount())}
		for _, option := range poll.GetOptions() {
			q.Options = append(q.Options, option.GetOptionName())
		}
		msg.Question = q
	}
	about := contextOf(m)
	if about == nil {
		return
	}
	msg.Forwarded = about.GetIsForwarded() || about.GetForwardingScore() > 0
	for _, mentioned := range about.GetMentionedJID() {
		if jid, err := types.ParseJID(mentioned); err == nil {
			stored, _ := a.forms(ctx, jid, types.EmptyJID)
			msg.Mentions = append(msg.Mentions, stored)
		}
	}
	if about.GetStanzaID() == "" || about.GetQuotedMessage() == nil {
		return
	}
	msg.Quoted = about.GetStanzaID()
	if jid, err := types.ParseJID(about.GetParticipant()); err == nil {
		msg.QuotedSender, _ = a.forms(ctx, jid, types.EmptyJID)
	}
	_, text, _ := content(about.GetQuotedMessage())
	msg.QuotedText = beginning(text, maxQuote)
}

// maxQuote is how many characters of a quoted text are kept with the message that quotes it.
const maxQuote = 1000

// beginning cuts a text after n characters.
func beginning(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n]) + "…"
}

// contextOf returns what a message says about its surroundings, whatever its kind; nil if
// nothing.
func contextOf(m *waE2E.Message) *waE2E.ContextInfo {
	if m == nil || m.Conversation != nil {
		return nil
	}
	if m.ExtendedTextMessage != nil {
		return m.ExtendedTextMessage.ContextInfo
	}
	var found *waE2E.ContextInfo
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() != protoreflect.MessageKind || f.IsList() || f.IsMap() {
			return true
		}
		inner, ok := v.Message().Interface().(interface{ GetContextInfo() *waE2E.ContextInfo })
		if ok && inner.GetContextInfo() != nil {
			found = inner.GetContextInfo()
			return false
		}
		return true
	})
	return found
}
