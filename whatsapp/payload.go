package whatsapp

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/messages"
)

// payload is what an event tells, in the words of go-whatsapp-web-multidevice, so that its
// receivers work unchanged. Times are RFC 3339 in UTC.
type payload map[string]any

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// event makes an event. What cannot be put into JSON does not exist in these payloads, so an
// error is one of the system's source of random numbers.
func event(name, chat, chatLID string, at time.Time, p payload) []messages.Event {
	e, err := messages.NewEvent(name, chat, chatLID, at, p)
	if err != nil {
		panic(err)
	}
	return []messages.Event{e}
}

// both sets an address and its hidden form, where there is one.
func (p payload) both(name, lidName, jid, lid string) payload {
	p[name] = jid
	if lid != "" {
		p[lidName] = lid
	}
	return p
}

// messageEvents returns the event of a message that arrived; none for status posts, as
// go-whatsapp-web-multidevice has it.
func (s *Session) messageEvents(ctx context.Context, a *account, e *events.Message, msg messages.Message) []messages.Event {
	if messages.KindOfChat(msg.Chat) == messages.Statuses {
		return nil
	}
	m := a.unseal(ctx, e)
	p := payload{"id": msg.ID, "timestamp": stamp(msg.At), "is_from_me": msg.FromMe}.
		both("chat_id", "chat_lid", msg.Chat, msg.ChatLID).both("from", "from_lid", msg.Sender, msg.SenderLID)
	if e.Info.PushName != "" {
		p["from_name"] = e.Info.PushName
	}
	if name := a.displayName(ctx, e, msg); name != "" {
		p["sender_display_name"] = name
	}
	name := "message"
	switch msg.Kind {
	case messages.Reaction:
		name = "message.reaction"
		p["reaction"], p["reacted_message_id"] = msg.Text, msg.Target
	case messages.Revoked:
		name = "message.revoked"
		key := m.GetProtocolMessage().GetKey()
		p["revoked_message_id"], p["revoked_from_me"] = msg.Target, key.GetFromMe()
		if key.GetRemoteJID() != "" {
			p["revoked_chat"] = key.GetRemoteJID()
		}
	case messages.Edited:
		name = "message.edited"
		p["original_message_id"], p["body"] = msg.Target, a.body(ctx, msg.Text, m)
	default:
		a.contents(ctx, p, msg, m)
	}
	return event(name, msg.Chat, msg.ChatLID, msg.At, p)
}

// contents fills in what a message is.
func (a *account) contents(ctx context.Context, p payload, msg messages.Message, m *waE2E.Message) {
	text := msg.Text
	switch msg.Kind {
	case messages.Document:
		text = m.GetDocumentMessage().GetCaption() // not the file's name
	case messages.Location, messages.Contact, messages.Vote, messages.Other:
		text = ""
	}
	if text != "" {
		p["body"] = a.body(ctx, text, m)
	}
	if msg.Quoted != "" {
		p["replied_to_id"] = msg.Quoted
		if msg.QuotedText != "" {
			p["quoted_body"] = msg.QuotedText
		}
	}
	if msg.ViewOnce {
		p["view_once"] = true
	}
	if msg.Forwarded {
		p["forwarded"] = true
	}
	if ad := contextOf(m).GetExternalAdReply(); ad != nil {
		p["referral"] = referral(ad)
	}
	if msg.Media != nil {
		mediaPayload(p, msg.Media, text)
	}
	if q := msg.Question; q != nil {
		p["poll"] = payload{"question": q.Text, "options": q.Options, "max_answer": q.Selectable}
	}
	if msg.Kind == messages.Vote {
		vote := payload{"poll_message_id": msg.Target}
		if !msg.Sealed {
			vote["options"] = append([]string{}, msg.Votes...)
		}
		p["poll_vote"] = vote
	}
	otherContents(p, m)
}

// mediaPayload tells where the file is: below "statics/media" of the number's API, which
// fetches it if it is not there yet, or with WhatsApp where the settings say so.
func mediaPayload(p payload, d *messages.Media, caption string) {
	name := map[messages.Type]string{messages.VoiceNote: "audio"}[d.Type]
	if name == "" {
		name = string(d.Type)
	}
	captioned := d.Type != messages.AudioFile && d.Type != messages.VoiceNote && d.Type != messages.StickerFile
	where := "statics/media/" + d.File
	switch {
	case d.State == messages.Waiting && captioned && caption != "":
		p[name] = payload{"path": where, "caption": caption}
	case d.State == messages.Waiting:
		p[name] = where
	case d.Type == messages.DocumentFile:
		p[name] = payload{"url": d.URL, "filename": d.Name}
	case captioned:
		p[name] = payload{"url": d.URL, "caption": caption}
	default:
		p[name] = payload{"url": d.URL}
	}
}

func otherContents(p payload, m *waE2E.Message) {
	switch {
	case m.GetContactMessage() != nil:
		p["contact"] = contactPayload(m.GetContactMessage())
	case m.GetContactsArrayMessage() != nil:
		all := []payload{}
		for _, c := range m.GetContactsArrayMessage().GetContacts() {
			all = append(all, contactPayload(c))
		}
		p["contacts_array"] = all
	case m.GetLocationMessage() != nil:
		l := m.GetLocationMessage()
		p["location"] = spot(l.GetDegreesLatitude(), l.GetDegreesLongitude(), map[string]string{"name": l.GetName(), "address": l.GetAddress(), "url": l.GetURL()})
	case m.GetLiveLocationMessage() != nil:
		l := m.GetLiveLocationMessage()
		p["live_location"] = spot(l.GetDegreesLatitude(), l.GetDegreesLongitude(), map[string]string{"caption": l.GetCaption()})
	case m.GetListMessage() != nil:
		p["list"] = m.GetListMessage()
	case m.GetOrderMessage() != nil:
		p["order"] = m.GetOrderMessage()
	}
}

func spot(latitude, longitude float64, texts map[string]string) payload {
	p := payload{"degreesLatitude": latitude, "degreesLongitude": longitude}
	for name, text := range texts {
		if text != "" {
			p[name] = text
		}
	}
	return p
}

func contactPayload(c *waE2E.ContactMessage) payload {
	p := payload{"displayName": c.GetDisplayName(), "vcard": c.GetVcard()}
	if phone := phoneOf(c.GetVcard()); phone != "" {
		p["phone_number"] = phone
	}
	return p
}

// phoneOf returns the first phone number of a vCard: the WhatsApp id where it has one, else
// the digits.
func phoneOf(vcard string) string {
	for line := range strings.Lines(vcard) {
		head, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		head = strings.ToLower(head)
		if name, _, _ := strings.Cut(head, ";"); name != "tel" && !strings.HasSuffix(name, ".tel") {
			continue
		}
		if _, id, found := strings.Cut(head, "waid="); found {
			id, _, _ = strings.Cut(id, ";")
			return id
		}
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, value)
	}
	return ""
}

// referral tells of the advertisement that led somebody here.
func referral(ad *waE2E.ContextInfo_ExternalAdReplyInfo) payload {
	p := payload{}
	for name, value := range map[string]string{
		"ctwa_clid": ad.GetCtwaClid(), "source_type": ad.GetSourceType(), "source_id": ad.GetSourceID(), "source_url": ad.GetSourceURL(),
		"source_app": ad.GetSourceApp(), "title": ad.GetTitle(), "body": ad.GetBody(), "media_url": ad.GetMediaURL(),
		"thumbnail_url": ad.GetThumbnailURL(), "ref": ad.GetRef(),
	} {
		if value != "" {
			p[name] = value
		}
	}
	return p
}

// body is a text as receivers get it: people who are mentioned by their hidden address are
// named by their phone number where it is known.
func (a *account) body(ctx context.Context, text string, m *waE2E.Message) string {
	for _, mentioned := range contextOf(m).GetMentionedJID() {
		jid, err := types.ParseJID(mentioned)
		if err != nil || jid.Server != types.HiddenUserServer {
			continue
		}
		if pn, err := a.device.LIDs.GetPNForLID(ctx, jid); err == nil && !pn.IsEmpty() {
			text = strings.ReplaceAll(text, "@"+jid.User, "@"+pn.User)
		}
	}
	return text
}

// displayName is the sender's name as the phone's address book has it, else as they call
// themselves.
func (a *account) displayName(ctx context.Context, e *events.Message, msg messages.Message) string {
	if msg.FromMe {
		return firstOf(a.device.PushName, e.Info.PushName)
	}
	if jid, err := types.ParseJID(msg.Sender); err == nil {
		if c, err := a.device.Contacts.GetContact(ctx, jid); err == nil {
			return firstOf(c.FullName, c.FirstName, c.BusinessName, c.PushName, e.Info.PushName)
		}
	}
	return e.Info.PushName
}

// undecryptableEvents tells of a message that came and could not be read yet.
func undecryptableEvents(msg messages.Message) []messages.Event {
	if messages.KindOfChat(msg.Chat) == messages.Statuses {
		return nil
	}
	return event("message.undecryptable", msg.Chat, msg.ChatLID, msg.At,
		payload{"id": msg.ID, "timestamp": stamp(msg.At), "is_from_me": msg.FromMe}.
			both("chat_id", "chat_lid", msg.Chat, msg.ChatLID).both("from", "from_lid", msg.Sender, msg.SenderLID))
}

// statusEvents tells what became of a message that was sent here.
func statusEvents(msg messages.Message, status messages.Delivery, at time.Time, reason string) []messages.Event {
	p := payload{"id": msg.ID, "status": string(status), "timestamp": stamp(at)}.both("chat_id", "chat_lid", msg.Chat, msg.ChatLID)
	if reason != "" {
		p["reason"] = reason
	}
	return event("message.status", msg.Chat, msg.ChatLID, at, p)
}

// receiptWords say what the types of receipts mean.
var receiptWords = map[string]string{
	"delivered":   "the message reached the phone; whether somebody saw it is not known.",
	"read":        "the chat was opened and the message was seen.",
	"played":      "the voice message, video or view-once message was opened.",
	"read-self":   "the owner of this account read the message on another device.",
	"played-self": "the owner of this account opened the message on another device.",
}

// receiptEvents tells of a receipt.
func receiptEvents(kind, chat, chatLID, person, personLID string, ids []string, at time.Time) []messages.Event {
	return event("message.ack", chat, chatLID, at,
		payload{"ids": ids, "receipt_type": kind, "receipt_type_description": receiptWords[kind]}.
			both("chat_id", "chat_lid", chat, chatLID).both("from", "from_lid", person, personLID))
}
