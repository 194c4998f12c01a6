package whatsapp

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"switchboard/messages"
)

func TestContent(t *testing.T) {
	t.Parallel()
	key := &waCommon.MessageKey{ID: proto.String("TARGET")}
	keys := &waE2E.SenderKeyDistributionMessage{GroupID: proto.String("g")}
	poll := &waE2E.PollCreationMessage{Name: proto.String("Lunch?")}
	for name, c := range map[string]struct {
		in           *waE2E.Message
		kind         messages.Kind
		text, target string
	}{
		"nothing":      {nil, "", "", ""},
		"empty":        {&waE2E.Message{}, "", "", ""},
		"text":         {&waE2E.Message{Conversation: proto.String("hi")}, messages.Text, "hi", ""},
		"empty text":   {&waE2E.Message{Conversation: proto.String("")}, messages.Text, "", ""},
		"quoting":      {&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("hi")}}, messages.Text, "hi", ""},
		"with keys":    {&waE2E.Message{Conversation: proto.String("hi"), SenderKeyDistributionMessage: keys}, messages.Text, "hi", ""},
		"keys alone":   {&waE2E.Message{SenderKeyDistributionMessage: keys, MessageContextInfo: &waE2E.MessageContextInfo{}}, "", "", ""},
		"image":        {&waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("me")}}, messages.Image, "me", ""},
		"round video":  {&waE2E.Message{PtvMessage: &waE2E.VideoMessage{}}, messages.Video, "", ""},
		"audio":        {&waE2E.Message{AudioMessage: &waE2E.AudioMessage{}}, messages.Audio, "", ""},
		"document":     {&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("a.pdf")}}, messages.Document, "a.pdf", ""},
		"sticker":      {&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}, messages.Sticker, "", ""},
		"place":        {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{Name: proto.String("Home")}}, messages.Location, "Home", ""},
		"bare place":   {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(52.5)}}, messages.Location, "52.500000, 0.000000", ""},
		"contact":      {&waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Ann")}}, messages.Contact, "Ann", ""},
		"poll":         {&waE2E.Message{PollCreationMessage: poll}, messages.Poll, "Lunch?", ""},
		"newer poll":   {&waE2E.Message{PollCreationMessageV3: poll}, messages.Poll, "Lunch?", ""},
		"vote":         {&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: key}}, messages.Vote, "", "TARGET"},
		"reaction":     {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍"), Key: key}}, messages.Reaction, "👍", "TARGET"},
		"unknown kind": {&waE2E.Message{InvoiceMessage: &waE2E.InvoiceMessage{}}, messages.Other, "", ""},
		"revocation": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key}}, messages.Revoked, "", "TARGET"},
		"edit": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key,
			EditedMessage: &waE2E.Message{Conversation: proto.String("better")}}}, messages.Edited, "better", "TARGET"},
		"key share": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum()}}, "", "", ""},
		"untyped": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{}}, "", "", ""},
	} {
		kind, text, target := content(c.in)
		if kind != c.kind || text != c.text || target != c.target {
			t.Errorf("%s: got %q %q %q", name, kind, text, target)
		}
	}
}

func TestRecipient(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"491701234567": "491701234567@s.whatsapp.net", " +49 (170) 123-45.67 ": "491701234567@s.whatsapp.net",
		"491701234567@s.whatsapp.net": "491701234567@s.whatsapp.net", "491701234567:7@s.whatsapp.net": "491701234567@s.whatsapp.net",
		"491701234567@c.us": "491701234567@s.whatsapp.net", "77@lid": "77@lid", "12036304@g.us": "12036304@g.us",
	} {
		if got, err := recipient(to); err != nil || got.String() != want {
			t.Errorf("%q: got %s, %v", to, got, err)
		}
	}
}
