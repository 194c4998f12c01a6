package whatsapp

import (
	"context"

	"go.mau.fi/whatsmeow/types"

	"switchboard/messages"
)

// Stored returns what the number keeps.
func (s *Session) Stored() *messages.Messages { return s.messages }

// StoredAs returns the form in which messages of a chat or of a person are stored: of a
// person's hidden address the phone number, where it is known.
func (s *Session) StoredAs(ctx context.Context, jid string) string {
	parsed, err := types.ParseJID(jid)
	if err != nil {
		return jid
	}
	stored, _ := s.current().forms(ctx, parsed, types.EmptyJID)
	return stored
}
