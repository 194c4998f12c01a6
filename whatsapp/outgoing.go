package whatsapp

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"switchboard/fault"
	"switchboard/instances"
)

// Content is what a message says: Text, Media, Contact, Link, Location or Poll.
type Content interface {
	// check says what is wrong with the content by itself.
	check() error
	// compose sets the message. What has to be uploaded is, while ctx lasts.
	compose(ctx context.Context, out *outgoing) error
}

// outgoing is a message on its way.
type outgoing struct {
	a       *account
	to      types.JID
	id      string // "" for a new one
	message *waE2E.Message
	handle  string   // of an upload for a newsletter
	votes   []string // of a vote, what it chooses
}

// Extras are what a message may have beside its content.
type Extras struct {
	ID        string   // of the message; "" makes a new one
	ReplyTo   string   // id of a message in the same chat; without it here, there is no quote
	Mentions  []string // JIDs or phone numbers, or Everyone
	Forwarded bool
	Expires   *uint32 // seconds after which it disappears, 0 never; nil as the chat has it
}

// Everyone stands for all members of a group in Extras.Mentions.
const Everyone = "@everyone"

// ErrAddress is wrapped by the fault for what is no address of WhatsApp.
var ErrAddress = errors.New("no address")

// Send sends content to a JID or a phone number, and returns when WhatsApp's server has
// acknowledged it. It is stored before it goes out, and what became of it afterwards. When
// ctx ends before the message is handed over to be stored, nothing is sent; later it does not
// take the message back: the send goes on, and its outcome is stored.
func (s *Session) Send(ctx context.Context, to string, c Content, x Extras) (instances.Sent, error) {
	if err := c.check(); err != nil {
		return instances.Sent{}, err
	}
	jid, err := recipient(to)
	if err != nil {
		return instances.Sent{}, err
	}
	a, err := s.ready()
	if err != nil {
		return instances.Sent{}, err
	}
	if jid, err = a.registered(ctx, jid); err != nil {
		return instances.Sent{}, err
	}
	out := outgoing{a: a, to: jid, id: x.ID}
	if err := c.compose(ctx, &out); err != nil {
		return instances.Sent{}, err
	}
	quoted, err := s.quoted(ctx, a, jid, x.ReplyTo)
	if err != nil {
		return instances.Sent{}, err
	}
	if err := s.attach(ctx, a, jid, out.message, x, quoted); err != nil {
		return instances.Sent{}, err
	}
	sent, err := s.send(ctx, out)
	sent.Unquoted = x.ReplyTo != "" && quoted == nil
	return sent, err
}

// ready returns the account if it is connected.
func (s *Session) ready() (*account, error) {
	if r := s.Report(); r.Status != instances.Connected {
		return nil, fault.New(fault.Unavailable,
			"This number is not connected to WhatsApp at the moment, so nothing was sent. Try again when it is connected.")
	}
	return s.current(), nil
}

// recipient reads a JID or a phone number.
func recipient(to string) (types.JID, error) {
	to = strings.TrimSpace(to)
	if !strings.Contains(to, "@") {
		digits, err := phoneDigits(to, "to")
		if err != nil {
			return types.EmptyJID, err
		}
		return types.NewJID(digits, types.DefaultUserServer), nil
	}
	jid, err := types.ParseJID(to)
	if err == nil {
		jid = plainJID(jid)
		digits := jid.User != "" && len(jid.User) <= 32 && strings.Trim(jid.User, "0123456789") == ""
		switch jid.Server {
		case types.DefaultUserServer, types.HiddenUserServer, types.NewsletterServer, types.BotServer:
			if digits {
				return jid, nil
			}
		case types.GroupServer:
			if jid.User != "" && len(jid.User) <= 40 && strings.Trim(jid.User, "0123456789-") == "" {
				return jid, nil
			}
		case types.BroadcastServer:
			if jid == types.StatusBroadcastJID {
				return jid, nil
			}
		}
	}
	return types.EmptyJID, &fault.Error{Kind: fault.Invalid, Field: "to", Err: errors.Join(ErrAddress, err),
		Message: "This is neither a phone number nor an address of WhatsApp."}
}

// quoted is what a message says about the one that it answers, nil when that is not stored: it
// may be older than this number here, or tidied away, and what was to be said has to be said.
func (s *Session) quoted(ctx context.Context, a *account, to types.JID, id string) (*waE2E.ContextInfo, error) {
	if id == "" {
		return nil, nil
	}
	m, err := s.find(ctx, a, to, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sender, err := s.senderOf(ctx, a, to, m)
	if err != nil {
		return nil, err
	}
	what := essence(m.Raw)
	if what == nil {
		what = &waE2E.Message{Conversation: &m.Text}
	}
	return &waE2E.ContextInfo{StanzaID: &m.ID, Participant: proto.String(sender.String()), QuotedMessage: what}, nil
}

// attach gives a message what it has beside its content. info is what it quotes, nil for nothing.
func (s *Session) attach(ctx context.Context, a *account, to types.JID, m *waE2E.Message, x Extras, info *waE2E.ContextInfo) error {
	if info == nil {
		info = &waE2E.ContextInfo{}
	}
	mentioned, err := s.mentioned(ctx, a, to, textOf(m), x.Mentions)
	if err != nil {
		return err
	}
	info.MentionedJID = mentioned
	if x.Forwarded {
		info.IsForwarded, info.ForwardingScore = proto.Bool(true), proto.Uint32(1)
	}
	if x.Expires == nil {
		stored, _ := a.forms(ctx, to, types.EmptyJID)
		seconds, err := s.messages.Expiry(ctx, stored)
		if err != nil {
			return err
		}
		if seconds > 0 {
			x.Expires = &seconds
		}
	}
	info.Expiration = x.Expires
	if proto.Size(info) > 0 {
		setContext(m, info)
	}
	return nil
}

// written matches how a text mentions somebody.
var written = regexp.MustCompile(`@(\d{7,20})\b`)

// mentioned returns the JIDs that a message mentions: those in its text and those in list.
func (s *Session) mentioned(ctx context.Context, a *account, to types.JID, text string, list []string) ([]string, error) {
	var jids []string
	add := func(jid types.JID) {
		if j := jid.ToNonAD().String(); !slices.Contains(jids, j) {
			jids = append(jids, j)
		}
	}
	for _, found := range written.FindAllStringSubmatch(text, -1) {
		jid := types.NewJID(found[1], types.DefaultUserServer)
		// In groups that hide phone numbers, texts have the hidden form of an address.
		if pn, err := a.device.LIDs.GetPNForLID(ctx, types.NewJID(found[1], types.HiddenUserServer)); err == nil && !pn.IsEmpty() {
			jid.Server = types.HiddenUserServer
		} else if len(found[1]) > 15 {
			continue
		}
		add(jid)
	}
	for _, one := range list {
		if strings.EqualFold(strings.TrimSpace(one), Everyone) {
			if to.Server != types.GroupServer {
				return nil, fault.InField("mentions", "Everyone can be mentioned in a group only.")
			}
			members, err := a.client.GetGroupInfo(ctx, to)
			if err != nil {
				return nil, s.sendFault(err)
			}
			for _, p := range members.Participants {
				if p.JID.User != a.jid().User && p.JID.User != a.device.GetLID().User {
					add(p.JID)
				}
			}
			continue
		}
		jid, err := recipient(strings.TrimPrefix(strings.TrimSpace(one), "@"))
		if err != nil || jid.Server != types.DefaultUserServer && jid.Server != types.HiddenUserServer {
			return nil, fault.InField("mentions", "Only people can be mentioned, by phone number or address.")
		}
		add(jid)
	}
	return jids, nil
}

// textOf is the text in which a message may mention people.
func textOf(m *waE2E.Message) string {
	_, text, _ := content(m)
	return text
}

// contextField is how the parts of a message call the field for what surrounds it.
const contextField = "contextInfo"

// setContext puts info into a message, into whichever part of it has a place for it; nil
// takes it out.
func setContext(m *waE2E.Message, info *waE2E.ContextInfo) {
	if m.Conversation != nil { // has none
		m.ExtendedTextMessage = &waE2E.ExtendedTextMessage{Text: m.Conversation}
		m.Conversation = nil
	}
	if inner := m.GetViewOnceMessage().GetMessage(); inner != nil {
		m = inner
	}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() == protoreflect.MessageKind && !f.IsList() && f.Message().FullName() != "WAWebProtobufsE2E.MessageContextInfo" {
			part := v.Message()
			if place := part.Descriptor().Fields().ByName(contextField); place != nil && info == nil {
				part.Clear(place)
			} else if place != nil {
				part.Set(place, protoreflect.ValueOfMessage(info.ProtoReflect()))
			}
		}
		return true
	})
}

// essence is a stored message without what it is wrapped in and what surrounds it: what
// others see of it when it is quoted or forwarded. It is nil if there is nothing.
func essence(raw []byte) *waE2E.Message {
	var m waE2E.Message
	if len(raw) == 0 || proto.Unmarshal(raw, &m) != nil {
		return nil
	}
	inner := unwrap(&m)
	inner.MessageContextInfo, inner.SenderKeyDistributionMessage = nil, nil
	if !forPerson(inner) {
		return nil
	}
	setContext(inner, nil)
	return inner
}

// unwrap takes off what a message is wrapped in.
func unwrap(m *waE2E.Message) *waE2E.Message {
	for range 8 { // no real message is wrapped as often
		var inner *waE2E.Message
		switch {
		case m.DeviceSentMessage != nil:
			inner = m.DeviceSentMessage.GetMessage()
		case m.EphemeralMessage != nil:
			inner = m.EphemeralMessage.GetMessage()
		case m.ViewOnceMessage != nil:
			inner = m.ViewOnceMessage.GetMessage()
		case m.ViewOnceMessageV2 != nil:
			inner = m.ViewOnceMessageV2.GetMessage()
		case m.ViewOnceMessageV2Extension != nil:
			inner = m.ViewOnceMessageV2Extension.GetMessage()
		case m.DocumentWithCaptionMessage != nil:
			inner = m.DocumentWithCaptionMessage.GetMessage()
		case m.EditedMessage != nil:
			inner = m.EditedMessage.GetMessage()
		}
		if inner == nil {
			return m
		}
		m = inner
	}
	return m
}
