package whatsapp

import (
	"context"
	"errors"
	"io"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
)

// editWindow is how long WhatsApp lets a message be edited.
const editWindow = 15 * time.Minute

// find returns a stored message of a chat.
func (s *Session) find(ctx context.Context, a *account, chat types.JID, id string) (messages.Message, error) {
	stored, lid := a.forms(ctx, chat, types.EmptyJID)
	return s.messages.Find(ctx, stored, lid, id)
}

// senderOf returns who sent a message, in the form in which its chat addresses people.
func (s *Session) senderOf(ctx context.Context, a *account, chat types.JID, m messages.Message) (types.JID, error) {
	pn, lid := m.Sender, m.SenderLID
	if m.FromMe {
		pn, lid = a.jid().ToNonAD().String(), a.device.GetLID().ToNonAD().String()
	}
	if chat.Server == types.GroupServer && lid != "" {
		group, err := a.client.DangerousInternals().GetCachedGroupData(ctx, chat) //nolint:staticcheck // SA1019: the public way asks WhatsApp each time
		if err != nil {
			return types.EmptyJID, s.sendFault(err)
		}
		if group.AddressingMode == types.AddressingModeLID {
			pn = lid
		}
	}
	return types.ParseJID(pn)
}

// about is a message that something is done about, found for somebody who is connected.
type about struct {
	a       *account
	chat    types.JID
	message messages.Message
	sender  types.JID // as the chat addresses people
}

// about looks up a message in a chat, which is a JID or a phone number.
func (s *Session) about(ctx context.Context, chat, id string) (about, error) {
	jid, err := recipient(chat)
	if err != nil {
		return about{}, err
	}
	a, err := s.ready()
	if err != nil {
		return about{}, err
	}
	m, err := s.find(ctx, a, jid, id)
	if err != nil {
		return about{a: a, chat: jid}, err
	}
	sender, err := s.senderOf(ctx, a, jid, m)
	return about{a, jid, m, sender}, err
}

// React puts an emoji on a message of a chat; "" takes it off again.
func (s *Session) React(ctx context.Context, chat, id, emoji string) (instances.Sent, error) {
	of, err := s.about(ctx, chat, id)
	if err != nil {
		return instances.Sent{}, err
	}
	return s.send(ctx, outgoing{a: of.a, to: of.chat, message: of.a.client.BuildReaction(of.chat, of.sender, id, emoji)})
}

// Revoke takes a message of a chat back from everybody: one's own, or in a group whose
// administrator the number is, anybody's. One that is not stored counts as one's own.
func (s *Session) Revoke(ctx context.Context, chat, id string) (instances.Sent, error) {
	of, err := s.about(ctx, chat, id)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound && of.a != nil:
		of.sender = types.EmptyJID
	case err != nil:
		return instances.Sent{}, err
	case !of.message.FromMe && of.chat.Server != types.GroupServer:
		return instances.Sent{}, fault.New(fault.Invalid, "Only messages from this number can be taken back, and in groups others' by an administrator.")
	}
	return s.send(ctx, outgoing{a: of.a, to: of.chat, message: of.a.client.BuildRevoke(of.chat, of.sender, id)})
}

// Edit replaces the text of a message from this number, which WhatsApp allows for 15 minutes.
func (s *Session) Edit(ctx context.Context, chat, id, text string) (instances.Sent, error) {
	if err := checkText(text); err != nil {
		return instances.Sent{}, err
	}
	of, err := s.about(ctx, chat, id)
	switch {
	case err != nil:
		return instances.Sent{}, err
	case !of.message.FromMe:
		return instances.Sent{}, fault.New(fault.Invalid, "Only messages from this number can be edited.")
	case time.Since(of.message.At) > editWindow:
		return instances.Sent{}, fault.New(fault.Invalid, "This message is older than 15 minutes and cannot be edited any more.")
	}
	now := &waE2E.Message{Conversation: &text}
	switch was := essence(of.message.Raw); {
	case of.message.Kind == messages.Text:
		if info := was.GetExtendedTextMessage(); info != nil {
			now = &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: &text}}
		}
	case was.GetImageMessage() != nil:
		was.ImageMessage.Caption, now = &text, was
	case was.GetVideoMessage() != nil:
		was.VideoMessage.Caption, now = &text, was
	case was.GetDocumentMessage() != nil:
		was.DocumentMessage.Caption, now = &text, was
	default:
		return instances.Sent{}, fault.New(fault.Invalid, "A message of this kind cannot be edited.")
	}
	return s.send(ctx, outgoing{a: of.a, to: of.chat, message: of.a.client.BuildEdit(of.chat, id, now)})
}

// MarkRead tells the sender of a message that it was read. One that is not stored is taken
// for the other side's in a chat with one person.
func (s *Session) MarkRead(ctx context.Context, chat, id string) error {
	of, err := s.about(ctx, chat, id)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound && (of.chat.Server == types.DefaultUserServer || of.chat.Server == types.HiddenUserServer):
	case err != nil:
		return err
	case of.message.FromMe:
		return fault.New(fault.Invalid, "This message is from this number itself.")
	}
	if err := of.a.client.MarkRead(ctx, []types.MessageID{id}, time.Now(), of.chat, of.sender); err != nil {
		return s.sendFault(err)
	}
	return nil
}

// Star marks a message on this account, or takes the mark off.
func (s *Session) Star(ctx context.Context, chat, id string, starred bool) error {
	of, err := s.about(ctx, chat, id)
	if err != nil {
		return err
	}
	sender := of.sender
	if of.chat.Server != types.GroupServer {
		sender = of.chat // which BuildStar writes as nobody
	}
	return s.patch(ctx, of.a, appstate.BuildStar(of.chat, sender, id, of.message.FromMe, starred))
}

// DeleteForMe deletes a message on this account's devices; others keep it.
func (s *Session) DeleteForMe(ctx context.Context, chat, id string) error {
	of, err := s.about(ctx, chat, id)
	if err != nil {
		return err
	}
	mine, sender := "0", "0"
	if of.message.FromMe {
		mine = "1"
	} else if of.chat.Server == types.GroupServer {
		sender = of.sender.String()
	}
	return s.patch(ctx, of.a, appstate.PatchInfo{Type: appstate.WAPatchRegularHigh, Mutations: []appstate.MutationInfo{{
		Index: []string{appstate.IndexDeleteMessageForMe, of.chat.String(), id, mine, sender}, Version: 3,
		Value: &waSyncAction.SyncActionValue{DeleteMessageForMeAction: &waSyncAction.DeleteMessageForMeAction{
			DeleteMedia: proto.Bool(true), MessageTimestamp: proto.Int64(of.message.At.Unix()),
		}},
	}}})
}

// patch changes the state that all devices of the account share.
func (s *Session) patch(ctx context.Context, a *account, p appstate.PatchInfo) error {
	err := a.client.SendAppState(ctx, p)
	if err == nil {
		return nil
	}
	if f := s.sendFault(err); fault.KindOf(f) != fault.Internal {
		return f
	}
	return fault.Wrap(fault.Conflict, "WhatsApp did not take this change. Try again in a minute.", err)
}

// SetPresence says whether somebody looks at WhatsApp here.
func (s *Session) SetPresence(ctx context.Context, available bool) error {
	a, err := s.ready()
	if err != nil {
		return err
	}
	state := types.PresenceUnavailable
	if available {
		state = types.PresenceAvailable
	}
	return s.told(a.client.SendPresence(ctx, state))
}

// SetTyping says in a chat whether something is being written there.
func (s *Session) SetTyping(ctx context.Context, chat string, typing bool) error {
	jid, err := recipient(chat)
	if err != nil {
		return err
	}
	a, err := s.ready()
	if err != nil {
		return err
	}
	state := types.ChatPresencePaused
	if typing {
		state = types.ChatPresenceComposing
	}
	return s.told(a.client.SendChatPresence(ctx, jid, state, types.ChatPresenceMediaText))
}

func (s *Session) told(err error) error {
	if err == nil {
		return nil
	}
	return s.sendFault(err)
}

// Forward sends a stored message of any chat on to another. Its media are not uploaded anew
// unless again is set.
func (s *Session) Forward(ctx context.Context, to, id string, again bool, x Extras) (instances.Sent, error) {
	if _, err := s.ready(); err != nil {
		return instances.Sent{}, err
	}
	m, err := s.messages.FindAnywhere(ctx, id)
	if err != nil {
		return instances.Sent{}, err
	}
	what := essence(m.Raw)
	if what == nil || m.Kind == messages.Poll {
		return instances.Sent{}, fault.New(fault.Invalid, "A message of this kind cannot be forwarded.")
	}
	if onlyOnce(m.Raw) {
		return instances.Sent{}, fault.New(fault.Invalid, "A message to be seen once cannot be forwarded.")
	}
	x.Forwarded = true
	return s.Send(ctx, to, forwarded{what, again}, x)
}

func onlyOnce(raw []byte) bool {
	var m waE2E.Message
	if proto.Unmarshal(raw, &m) != nil {
		return false
	}
	inner := unwrap(&m)
	return inner.GetImageMessage().GetViewOnce() || inner.GetVideoMessage().GetViewOnce() || inner.GetAudioMessage().GetViewOnce()
}

// forwarded is a message as it came from somebody else.
type forwarded struct {
	message *waE2E.Message
	again   bool // upload anew
}

func (f forwarded) check() error { return nil }

func (f forwarded) compose(ctx context.Context, out *outgoing) error {
	out.message = f.message
	part, file := filePart(f.message)
	if file == nil || !f.again && out.to.Server != types.NewsletterServer {
		return nil
	}
	whole, err := scratch()
	if err != nil {
		return err
	}
	defer func() { _ = whole.Close() }()
	if err := out.a.client.DownloadToFile(ctx, file, whole); err != nil {
		return downloadFault(err)
	}
	if _, err := whole.Seek(0, io.SeekStart); err != nil {
		return err
	}
	up, err := out.upload(ctx, whole, whatsmeow.GetMediaType(file))
	if err != nil {
		return err
	}
	set := func(name protoreflect.Name, value protoreflect.Value) {
		part.Set(part.Descriptor().Fields().ByName(name), value)
	}
	set("URL", protoreflect.ValueOfString(up.URL))
	set("directPath", protoreflect.ValueOfString(up.DirectPath))
	set("mediaKey", protoreflect.ValueOfBytes(up.MediaKey))
	set("fileEncSHA256", protoreflect.ValueOfBytes(up.FileEncSHA256))
	set("fileSHA256", protoreflect.ValueOfBytes(up.FileSHA256))
	set("fileLength", protoreflect.ValueOfUint64(up.FileLength))
	return nil
}

// filePart returns the part of a message that is a file, nil if none is.
func filePart(m *waE2E.Message) (protoreflect.Message, whatsmeow.DownloadableMessage) {
	switch {
	case m.ImageMessage != nil:
		return m.ImageMessage.ProtoReflect(), m.ImageMessage
	case m.VideoMessage != nil:
		return m.VideoMessage.ProtoReflect(), m.VideoMessage
	case m.PtvMessage != nil:
		return m.PtvMessage.ProtoReflect(), m.PtvMessage
	case m.AudioMessage != nil:
		return m.AudioMessage.ProtoReflect(), m.AudioMessage
	case m.DocumentMessage != nil:
		return m.DocumentMessage.ProtoReflect(), m.DocumentMessage
	case m.StickerMessage != nil:
		return m.StickerMessage.ProtoReflect(), m.StickerMessage
	}
	return nil, nil
}

func downloadFault(err error) error {
	switch {
	case errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith403), errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404), errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410):
		return fault.Wrap(fault.NotFound, "WhatsApp does not have this file any more.", err)
	}
	return fault.Wrap(fault.Unavailable, "The file could not be fetched from WhatsApp. Try again.", err)
}
