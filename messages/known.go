package messages

import (
	"context"
	"fmt"
)

// Known reports whether a message ever came from a chat or reached WhatsApp for it. chat is
// a JID in either form.
func (m *Messages) Known(ctx context.Context, chat string) (known bool, err error) {
	m.Settle(ctx)
	chat = clean(chat)
	err = m.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM "messages"
		WHERE ("chat" = $1 OR "chat" IN (SELECT "jid" FROM "chats" WHERE "lid" = $2))
			AND "status" NOT IN ('queued', 'failed'))`, chat, chat).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("read whether a chat is known: %w", err)
	}
	return known, nil
}

const sentTo = `SELECT "chat" FROM "messages" WHERE "id" = $1 AND "from_me"`

// SentTo returns the chat that a message from me went to; a fault.NotFound if there is none
// with that id.
func (m *Messages) SentTo(ctx context.Context, id string) (chat string, err error) {
	err = m.db.QueryRowContext(ctx, sentTo, clean(id)).Scan(&chat)
	if err != nil {
		return "", notFound("find a sent message", err)
	}
	return chat, nil
}
