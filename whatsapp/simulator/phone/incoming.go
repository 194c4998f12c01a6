package phone

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// receive stores a message, or does what it says to an earlier one. Messages that a linked
// device of the same account has sent arrive here too.
func (p *Phone) receive(ctx context.Context, e *events.Message) error {
	m := e.Message
	if e.Info.IsFromMe && isPeerRequest(m) {
		p.fleet.background(func() { p.answerPeer(ctx, e) })
		return nil
	}
	chat := p.person(ctx, e.Info.Chat, e.Info.SenderAlt, e.Info.RecipientAlt)
	if e.Info.IsGroup {
		chat = e.Info.Chat.String()
	}
	sender := p.number
	if !e.Info.IsFromMe {
		sender = p.person(ctx, e.Info.Sender, e.Info.SenderAlt)
	}
	if set := m.GetProtocolMessage(); set != nil && set.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING {
		return p.markChat(ctx, chat, func(m *Marks) { m.Disappearing = int(set.GetEphemeralExpiration()) })
	}
	if m.PollUpdateMessage != nil {
		return p.count(ctx, e, chat, sender)
	}
	if target, change := alteration(m, sender); change != nil {
		return p.change(ctx, chat, target, change)
	}
	entry, ok := describe(m)
	if !ok {
		return nil
	}
	entry.Chat, entry.ID, entry.From, entry.FromMe = chat, e.Info.ID, sender, e.Info.IsFromMe
	entry.Device, entry.Time = e.Info.Sender.Device, e.Info.Timestamp
	if entry.FromMe {
		entry.Status = Sent
	} else {
		entry.Unread = true
	}
	added, err := p.add(ctx, entry, e.Info.Chat, e.Info.Sender, m)
	if err != nil {
		return err
	}
	if added && !entry.FromMe && !strings.Contains(chat, "@") && entry.Kind == Text {
		p.answer(entry)
	}
	return nil
}

// add stores a new entry and wakes the watchers. It reports whether the entry was new.
func (p *Phone) add(ctx context.Context, e Entry, chat, sender types.JID, m *waE2E.Message) (bool, error) {
	raw, err := proto.Marshal(m)
	if err != nil {
		return false, fmt.Errorf("write down a message: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	added, err := p.fleet.book.add(ctx, p.number, &row{Entry: e, ChatJID: chat.String(), SenderJID: sender.ToNonAD().String(), message: raw})
	if added {
		p.wake()
	}
	return added, err
}

// change alters an entry and wakes the watchers. An entry that is not there stays away.
func (p *Phone) change(ctx context.Context, chat, id string, change func(*row) bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed, err := p.fleet.book.update(ctx, p.number, chat, id, change)
	if changed {
		p.wake()
	}
	return err
}

// wake tells those who wait in Watch. The caller holds p.mu.
func (p *Phone) wake() {
	p.version++
	close(p.changed)
	p.changed = make(chan struct{})
}

// alteration returns what m does to an earlier message, and to which; nil if m is a message
// of its own.
func alteration(m *waE2E.Message, sender string) (id string, change func(*row) bool) {
	if r := m.GetReactionMessage(); r != nil {
		return r.GetKey().GetID(), func(e *row) bool {
			if e.Reactions == nil {
				e.Reactions = map[string]string{}
			}
			if r.GetText() == "" {
				delete(e.Reactions, sender)
			} else {
				e.Reactions[sender] = r.GetText()
			}
			return true
		}
	}
	key := m.GetProtocolMessage().GetKey().GetID()
	switch m.GetProtocolMessage().GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		if m.GetProtocolMessage() == nil || key == "" {
			return "", nil // REVOKE is the zero value
		}
		return key, func(e *row) bool {
			if e.From != sender && !strings.Contains(e.Chat, "@") {
				return false // in a group it may be an administrator
			}
			e.Revoked, e.Unread, e.Text, e.Media, e.message = true, false, "", nil, []byte{}
			return true
		}
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		edited := m.GetProtocolMessage().GetEditedMessage()
		return key, func(e *row) bool {
			now, ok := describe(edited)
			if !ok || e.Revoked || e.From != sender {
				return false
			}
			e.Text, e.Edited = now.Text, true
			return true
		}
	}
	return "", nil
}

// describe says what a message is. It is false for one that a phone does not show.
func describe(m *waE2E.Message) (e Entry, ok bool) {
	reply := func(c *waE2E.ContextInfo) { e.ReplyTo = c.GetStanzaID() }
	file := func(mime, name string, size uint64) { e.Media = &Media{MIME: mime, Name: name, Size: size} }
	switch {
	case m == nil:
		return e, false
	case m.Conversation != nil:
		e.Kind, e.Text = Text, m.GetConversation()
	case m.ExtendedTextMessage != nil:
		x := m.ExtendedTextMessage
		e.Kind, e.Text = Text, x.GetText()
		reply(x.GetContextInfo())
	case m.ImageMessage != nil:
		x := m.ImageMessage
		e.Kind, e.Text = Image, x.GetCaption()
		file(x.GetMimetype(), "", x.GetFileLength())
		reply(x.GetContextInfo())
	case m.VideoMessage != nil:
		x := m.VideoMessage
		e.Kind, e.Text = Video, x.GetCaption()
		file(x.GetMimetype(), "", x.GetFileLength())
		reply(x.GetContextInfo())
	case m.AudioMessage != nil:
		x := m.AudioMessage
		e.Kind = Audio
		file(x.GetMimetype(), "", x.GetFileLength())
		reply(x.GetContextInfo())
	case m.DocumentMessage != nil:
		x := m.DocumentMessage
		e.Kind, e.Text = Document, x.GetCaption()
		file(x.GetMimetype(), x.GetFileName(), x.GetFileLength())
		reply(x.GetContextInfo())
	case m.StickerMessage != nil:
		x := m.StickerMessage
		e.Kind = Sticker
		file(x.GetMimetype(), "", x.GetFileLength())
	case m.LocationMessage != nil:
		x := m.LocationMessage
		e.Kind, e.Text = Location, fmt.Sprintf("%.6f, %.6f %s", x.GetDegreesLatitude(), x.GetDegreesLongitude(), x.GetName())
	case m.ContactMessage != nil:
		e.Kind, e.Text = Contact, m.ContactMessage.GetDisplayName()
	case m.ContactsArrayMessage != nil:
		e.Kind, e.Text = Contact, m.ContactsArrayMessage.GetDisplayName()
	case m.PollCreationMessage != nil, m.PollCreationMessageV2 != nil, m.PollCreationMessageV3 != nil:
		e.Kind = Poll
		for _, x := range []*waE2E.PollCreationMessage{m.PollCreationMessage, m.PollCreationMessageV2, m.PollCreationMessageV3} {
			if x != nil {
				e.Text = x.GetName()
			}
		}
	case m.ProtocolMessage != nil, m.PollUpdateMessage != nil:
		return e, false
	default:
		rest := proto.Clone(m).(*waE2E.Message)
		rest.SenderKeyDistributionMessage, rest.MessageContextInfo = nil, nil
		if proto.Size(rest) == 0 {
			return e, false
		}
		e.Kind = Other
	}
	e.Detail = detail(m)
	return e, true
}

// receipt moves own messages to delivered and read, and marks as read what was read on a
// linked device.
func (p *Phone) receipt(ctx context.Context, e *events.Receipt) error {
	var change func(*row) bool
	switch e.Type {
	case types.ReceiptTypeDelivered, types.ReceiptTypeInactive:
		change = func(r *row) bool { return r.FromMe && r.rise(Delivered) }
	case types.ReceiptTypeRead, types.ReceiptTypeReadSelf, types.ReceiptTypePlayed, types.ReceiptTypePlayedSelf:
		change = func(r *row) bool { return r.FromMe && r.rise(Read) }
		if e.IsFromMe {
			change = markRead
		}
	case types.ReceiptTypeServerError:
		for _, id := range e.MessageIDs {
			p.fleet.background(func() { p.giveFiles(ctx, id) })
		}
		return nil
	default:
		return nil
	}
	if e.IsFromMe && e.Type == types.ReceiptTypeDelivered {
		return nil
	}
	chat := p.person(ctx, e.Chat, e.SenderAlt, e.RecipientAlt)
	if e.IsGroup {
		chat = e.Chat.String()
	}
	for _, id := range e.MessageIDs {
		if err := p.change(ctx, chat, id, change); err != nil {
			return err
		}
	}
	return nil
}

func markRead(r *row) bool {
	if !r.Unread {
		return false
	}
	r.Unread = false
	return true
}

// person returns the number behind an address. alts are other addresses that may be of the
// same person.
func (p *Phone) person(ctx context.Context, jid types.JID, alts ...types.JID) string {
	switch jid.Server {
	case types.DefaultUserServer, types.LegacyUserServer:
		return jid.User
	case types.HiddenUserServer:
		if jid.User == p.client.Store.GetLID().User {
			return p.number
		}
		pn, err := p.client.Store.LIDs.GetPNForLID(ctx, jid.ToNonAD())
		if err == nil && !pn.IsEmpty() {
			return pn.User
		}
		for _, alt := range alts {
			if alt.Server == types.DefaultUserServer && alt.User != p.number {
				return alt.User
			}
		}
	}
	return jid.ToNonAD().String()
}

// Activity is what somebody is doing in a chat right now.
type Activity struct {
	Typing    bool      `json:"typing"`
	Recording bool      `json:"recording,omitempty"`
	Available bool      `json:"available"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
}

// Activity returns what is known of the other side of a chat. WhatsApp tells it only to those
// who are available themselves, and presence only to those who subscribed to it.
func (p *Phone) Activity(chat string) Activity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.activity[chat]
}

func (p *Phone) typing(ctx context.Context, e *events.ChatPresence) {
	chat := p.person(ctx, e.Chat, e.SenderAlt)
	if e.IsGroup {
		chat = e.Chat.String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.activity[chat]
	a.Typing = e.State == types.ChatPresenceComposing
	a.Recording = a.Typing && e.Media == types.ChatPresenceMediaAudio
	p.activity[chat] = a
	p.wake()
}

func (p *Phone) presence(ctx context.Context, e *events.Presence) {
	who := p.person(ctx, e.From)
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.activity[who]
	a.Available, a.LastSeen = !e.Unavailable, e.LastSeen
	p.activity[who] = a
	p.wake()
}
