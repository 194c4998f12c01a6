package phone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"switchboard/fault"
)

// SendText sends a text to a number or a group and returns its entry. It returns when the
// network has taken the message; delivery shows in the entry's Status later.
func (p *Phone) SendText(ctx context.Context, to, text string) (Entry, error) {
	if strings.TrimSpace(text) == "" {
		return Entry{}, fault.InField("text", "Write something first.")
	}
	return p.send(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
}

// Reply sends a text that quotes the message id of the same chat.
func (p *Phone) Reply(ctx context.Context, chat, id, text string) (Entry, error) {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return Entry{}, err
	}
	quoted := &waE2E.Message{}
	if err := proto.Unmarshal(r.message, quoted); err != nil {
		return Entry{}, fmt.Errorf("read the quoted message: %w", err)
	}
	return p.send(ctx, chat, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String(text),
		ContextInfo: &waE2E.ContextInfo{
			StanzaID:      proto.String(id),
			Participant:   proto.String(r.SenderJID),
			QuotedMessage: quoted,
		},
	}})
}

// File is a file to send.
type File struct {
	Kind    Kind // Image, Video, Audio or Document
	MIME    string
	Name    string // of a document
	Caption string
	Voice   bool // an audio that was just recorded
	Data    []byte
}

// SendFile uploads a file and sends it.
func (p *Phone) SendFile(ctx context.Context, to string, f File) (Entry, error) {
	media, ok := map[Kind]whatsmeow.MediaType{
		Image: whatsmeow.MediaImage, Video: whatsmeow.MediaVideo, Audio: whatsmeow.MediaAudio, Document: whatsmeow.MediaDocument,
	}[f.Kind]
	if !ok {
		return Entry{}, fault.InField("kind", "A phone can send a file as image, video, audio or document.")
	}
	if err := p.ready(ctx); err != nil {
		return Entry{}, err
	}
	up, err := p.client.Upload(ctx, f.Data, media)
	if err != nil {
		return Entry{}, fmt.Errorf("upload a file: %w", err)
	}
	m := &waE2E.Message{}
	switch f.Kind {
	case Image:
		m.ImageMessage = &waE2E.ImageMessage{
			Caption: optional(f.Caption), Mimetype: &f.MIME, URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
		}
	case Video:
		m.VideoMessage = &waE2E.VideoMessage{
			Caption: optional(f.Caption), Mimetype: &f.MIME, URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
		}
	case Audio:
		m.AudioMessage = &waE2E.AudioMessage{
			PTT: &f.Voice, Mimetype: &f.MIME, URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
		}
	case Document:
		m.DocumentMessage = &waE2E.DocumentMessage{
			Caption: optional(f.Caption), FileName: optional(f.Name), Mimetype: &f.MIME, URL: &up.URL, DirectPath: &up.DirectPath,
			MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
		}
	}
	return p.send(ctx, to, m)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// React puts an emoji on a message; "" takes it off again.
func (p *Phone) React(ctx context.Context, chat, id, emoji string) error {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return err
	}
	to, sender, err := r.addresses()
	if err != nil {
		return err
	}
	return p.sendAlteration(ctx, r, to, p.client.BuildReaction(to, sender, id, emoji))
}

// Revoke takes one of the phone's own messages back from everybody.
func (p *Phone) Revoke(ctx context.Context, chat, id string) error {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return err
	}
	if !r.FromMe {
		return fault.New(fault.Forbidden, "A phone can only take back its own messages.")
	}
	to, _, err := r.addresses()
	if err != nil {
		return err
	}
	return p.sendAlteration(ctx, r, to, p.client.BuildRevoke(to, types.EmptyJID, id))
}

// Edit replaces the text of one of the phone's own messages.
func (p *Phone) Edit(ctx context.Context, chat, id, text string) error {
	r, err := p.find(ctx, chat, id)
	if err != nil {
		return err
	}
	if !r.FromMe || r.Kind != Text {
		return fault.New(fault.Forbidden, "A phone can only edit its own text messages.")
	}
	to, _, err := r.addresses()
	if err != nil {
		return err
	}
	return p.sendAlteration(ctx, r, to, p.client.BuildEdit(to, id, &waE2E.Message{Conversation: proto.String(text)}))
}

// sendAlteration sends a message about an earlier one and applies it to the phone's own copy.
func (p *Phone) sendAlteration(ctx context.Context, r *row, to types.JID, m *waE2E.Message) error {
	if _, err := p.transmit(ctx, to, m, p.client.GenerateMessageID()); err != nil {
		return err
	}
	if inner := m.GetEditedMessage().GetMessage(); inner != nil {
		m = inner
	}
	id, change := alteration(m, p.number)
	return p.change(ctx, r.Chat, id, change)
}

// MarkRead tells the senders of messages that they were read; without ids it does so for all
// unread messages of the chat.
func (p *Phone) MarkRead(ctx context.Context, chat string, ids ...string) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	chat, err := p.chatKey(chat)
	if err != nil {
		return err
	}
	unread, err := p.fleet.book.unread(ctx, p.number, chat)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	bySender := map[string][]*row{}
	for _, r := range unread {
		if len(ids) == 0 || wanted[r.ID] {
			bySender[r.SenderJID] = append(bySender[r.SenderJID], r)
		}
	}
	for _, rows := range bySender {
		to, sender, err := rows[0].addresses()
		if err != nil {
			return err
		}
		read := make([]types.MessageID, len(rows))
		for i, r := range rows {
			read[i] = r.ID
		}
		if err := p.client.MarkRead(ctx, read, time.Now(), to, sender); err != nil {
			return fmt.Errorf("send a read receipt: %w", err)
		}
		for _, id := range read {
			if err := p.change(ctx, chat, id, markRead); err != nil {
				return err
			}
		}
	}
	return nil
}

// Typing says whether the phone's owner is typing in a chat, or recording a voice message.
func (p *Phone) Typing(ctx context.Context, chat string, typing, recording bool) error {
	to, err := p.address(chat)
	if err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	state, media := types.ChatPresencePaused, types.ChatPresenceMediaText
	if typing || recording {
		state = types.ChatPresenceComposing
	}
	if recording {
		media = types.ChatPresenceMediaAudio
	}
	return p.client.SendChatPresence(ctx, to, state, media)
}

// SetAvailable says whether the phone's owner is looking at it.
func (p *Phone) SetAvailable(ctx context.Context, available bool) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	if available {
		return p.client.SendPresence(ctx, types.PresenceAvailable)
	}
	return p.client.SendPresence(ctx, types.PresenceUnavailable)
}

// Subscribe asks the network to tell when that number becomes available; see Activity.
func (p *Phone) Subscribe(ctx context.Context, number string) error {
	to, err := p.address(number)
	if err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	return p.client.SubscribePresence(ctx, to)
}

// send stores a new message and sends it. The entry is there before the message leaves, so
// that a receipt cannot arrive first.
func (p *Phone) send(ctx context.Context, to string, m *waE2E.Message) (Entry, error) {
	jid, err := p.address(to)
	if err != nil {
		return Entry{}, err
	}
	chat, _ := p.chatKey(to)
	e, _ := describe(m)
	e.Chat, e.ID, e.From, e.FromMe = chat, p.client.GenerateMessageID(), p.number, true
	e.Time, e.Status = time.Now().Truncate(time.Second), Pending
	if err := p.ready(ctx); err != nil {
		return Entry{}, err
	}
	if _, err := p.add(ctx, e, jid, *p.client.Store.ID, m); err != nil {
		return Entry{}, err
	}
	resp, err := p.transmit(ctx, jid, m, e.ID)
	status := Sent
	if err != nil {
		status = Failed
	}
	// The request may be over by now; what became of the message is to be known anyway.
	changed := p.change(context.WithoutCancel(ctx), chat, e.ID, func(r *row) bool {
		if err != nil {
			r.Status = status
		} else {
			r.rise(status)
			r.Time, r.ChatJID = resp.Timestamp, resp.Chat.String()
		}
		e = r.Entry
		return true
	})
	return e, errors.Join(err, changed)
}

// transmit sends a message under an id, and again under the same id if the connection breaks
// in between, which the network notices.
func (p *Phone) transmit(ctx context.Context, to types.JID, m *waE2E.Message, id types.MessageID) (resp whatsmeow.SendResponse, err error) {
	const tries = 5
	for try := 1; ; try++ {
		if err := p.ready(ctx); err != nil {
			return resp, err
		}
		err = p.guard.Send(ctx, to, func(ctx context.Context) error {
			resp, err = p.client.SendMessage(ctx, to, m, whatsmeow.SendRequestExtra{ID: id})
			return err
		})
		if err == nil || final(err) || try == tries {
			return resp, explain(err)
		}
		// The socket may be broken without the client having noticed yet.
		pause := time.NewTimer(time.Duration(try) * 100 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return resp, ctx.Err()
		}
		p.setConnected(p.Connected())
	}
}

// final reports whether trying again is pointless. All else is taken for a broken connection,
// which whatsmeow reports in many ways.
func final(err error) bool {
	return errors.Is(err, whatsmeow.ErrServerReturnedError) || isNobody(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isNobody recognises whatsmeow's error for a number without an account, which has no type.
func isNobody(err error) bool { return strings.Contains(err.Error(), "no LID found for") }

// explain turns whatsmeow's errors into those a person understands.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, whatsmeow.ErrServerReturnedError):
		code := strings.TrimSpace(strings.TrimPrefix(err.Error(), whatsmeow.ErrServerReturnedError.Error()))
		return fault.Wrap(fault.Unavailable, "The network refused this message with the error "+code+".", err)
	case isNobody(err):
		return fault.InField("to", "Nobody on the simulated network has this number.")
	}
	return fmt.Errorf("send a message: %w", err)
}

// find returns an entry of the phone.
func (p *Phone) find(ctx context.Context, chat, id string) (*row, error) {
	chat, err := p.chatKey(chat)
	if err != nil {
		return nil, err
	}
	r, err := p.fleet.book.get(ctx, p.number, chat, id)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fault.New(fault.NotFound, "This phone has no such message in this chat.")
	}
	return r, nil
}

// addresses returns the chat and the sender as the network addressed them.
func (r *row) addresses() (chat, sender types.JID, err error) {
	if chat, err = types.ParseJID(r.ChatJID); err != nil {
		return chat, sender, fmt.Errorf("read an entry's chat: %w", err)
	}
	if sender, err = types.ParseJID(r.SenderJID); err != nil {
		return chat, sender, fmt.Errorf("read an entry's sender: %w", err)
	}
	return chat, sender, nil
}

// address turns a number, as people write it, or the id of a group into an address.
func (p *Phone) address(to string) (types.JID, error) {
	if strings.Contains(to, "@") {
		jid, err := types.ParseJID(to)
		if jid == types.StatusBroadcastJID { // one of the chats, once there was a status
			return jid, nil
		}
		if err != nil || (jid.Server != types.GroupServer && jid.Server != types.DefaultUserServer && jid.Server != types.NewsletterServer) {
			return types.EmptyJID, fault.InField("to", "Give a phone number, or the id of a group that ends in @g.us, or of a channel.")
		}
		return jid.ToNonAD(), nil
	}
	d := digits(to)
	if d == "" {
		return types.EmptyJID, fault.InField("to", "Give the phone number to write to.")
	}
	return types.NewJID(d, types.DefaultUserServer), nil
}

// chatKey returns the name under which the phone keeps a chat.
func (p *Phone) chatKey(chat string) (string, error) {
	jid, err := p.address(chat)
	if err != nil {
		return "", err
	}
	if jid.Server != types.DefaultUserServer {
		return jid.String(), nil
	}
	return jid.User, nil
}
