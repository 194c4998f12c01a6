package whatsapp

import "context"

type messageID struct{}

// WithMessageID has the message that is sent with ctx carry id, so that it can be sent once
// more as the same message: WhatsApp delivers the first only.
func WithMessageID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, messageID{}, id)
}

// NewMessageID makes an id for a message to come.
func (s *Session) NewMessageID() string { return s.current().client.GenerateMessageID() }

// idOf returns the id for a message that is sent with ctx, a new one if nobody has fixed it.
func (a *account) idOf(ctx context.Context) string {
	if id, ok := ctx.Value(messageID{}).(string); ok {
		return id
	}
	return a.client.GenerateMessageID()
}
