package phone

import (
	"context"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Detail is what a phone shows of a message beside its text.
type Detail struct {
	Forwarded bool     `json:"forwarded,omitempty"`
	ViewOnce  bool     `json:"view_once,omitempty"`
	Mentions  []string `json:"mentions,omitempty"` // addresses
	Quoted    string   `json:"quoted,omitempty"`   // text of the message that this one answers
	Expires   uint32   `json:"expires,omitempty"`  // seconds
	Voice     bool     `json:"voice,omitempty"`
	Loop      bool     `json:"loop,omitempty"` // a video that plays as an animated picture
	Animated  bool     `json:"animated,omitempty"`
	Seconds   uint32   `json:"seconds,omitempty"`
	Width     uint32   `json:"width,omitempty"`
	Height    uint32   `json:"height,omitempty"`
	Thumbnail []byte   `json:"thumbnail,omitempty"` // JPEG

	Title       string   `json:"title,omitempty"` // of a link's preview
	Description string   `json:"description,omitempty"`
	Link        string   `json:"link,omitempty"`
	VCard       string   `json:"vcard,omitempty"`
	Options     []string `json:"options,omitempty"` // of a poll
	Selectable  uint32   `json:"selectable,omitempty"`
}

// detail returns what there is beside the text, nil if nothing.
func detail(m *waE2E.Message) *Detail {
	d := Detail{
		VCard: m.GetContactMessage().GetVcard(),
		Title: m.GetExtendedTextMessage().GetTitle(), Description: m.GetExtendedTextMessage().GetDescription(),
		Link:  m.GetExtendedTextMessage().GetMatchedText(),
		Voice: m.GetAudioMessage().GetPTT(), Loop: m.GetVideoMessage().GetGifPlayback(), Animated: m.GetStickerMessage().GetIsAnimated(),
	}
	for _, p := range []*waE2E.PollCreationMessage{m.GetPollCreationMessage(), m.GetPollCreationMessageV2(), m.GetPollCreationMessageV3()} {
		for _, o := range p.GetOptions() {
			d.Options, d.Selectable = append(d.Options, o.GetOptionName()), p.GetSelectableOptionsCount()
		}
	}
	some := false
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() != protoreflect.MessageKind || f.IsList() {
			return true
		}
		part := v.Message()
		get := func(name protoreflect.Name) protoreflect.Value {
			if f := part.Descriptor().Fields().ByName(name); f != nil && part.Has(f) {
				some = true
				return part.Get(f)
			}
			return protoreflect.Value{}
		}
		if c, ok := get("contextInfo").Interface().(protoreflect.Message); ok {
			info := c.Interface().(*waE2E.ContextInfo)
			d.Forwarded, d.Mentions, d.Expires = info.GetIsForwarded(), info.GetMentionedJID(), info.GetExpiration()
			quoted, _ := describe(info.GetQuotedMessage())
			d.Quoted = quoted.Text
		}
		d.ViewOnce, _ = get("viewOnce").Interface().(bool)
		d.Seconds, _ = get("seconds").Interface().(uint32)
		d.Width, _ = get("width").Interface().(uint32)
		d.Height, _ = get("height").Interface().(uint32)
		d.Thumbnail, _ = get("JPEGThumbnail").Interface().([]byte)
		return false
	})
	if !some && d.VCard == "" && d.Title == "" && d.Link == "" && d.Options == nil && !d.Voice && !d.Loop && !d.Animated {
		return nil
	}
	return &d
}

// starred follows a star that a device of the account set.
func (p *Phone) starred(ctx context.Context, e *events.Star) error {
	return p.change(ctx, p.chatOf(ctx, e.ChatJID), e.MessageID, func(r *row) bool {
		changed := r.Starred != e.Action.GetStarred()
		r.Starred = e.Action.GetStarred()
		return changed
	})
}

// deleted follows a deletion on this account alone.
func (p *Phone) deleted(ctx context.Context, e *events.DeleteForMe) error {
	return p.change(ctx, p.chatOf(ctx, e.ChatJID), e.MessageID, func(r *row) bool {
		changed := !r.Deleted
		r.Deleted, r.Unread = true, false
		return changed
	})
}

// chatOf returns the name under which the phone keeps the chat with that address.
func (p *Phone) chatOf(ctx context.Context, chat types.JID) string {
	if chat.Server == types.GroupServer {
		return chat.String()
	}
	return p.person(ctx, chat)
}
