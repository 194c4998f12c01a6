package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxText is how many characters of a text Latest returns; a longer one is cut and ends in "…".
const MaxText = 4000

// statusChat is where WhatsApp delivers the status posts of contacts. They are kept, and
// are no conversation.
const statusChat = "status@broadcast"

// Latest returns up to limit messages, newest first, without Raw and with texts of bounded
// length. Status posts of contacts are left out. The order does not change from call to call.
func (m *Messages) Latest(ctx context.Context, limit int) ([]Message, error) {
	rows, err := m.db.QueryContext(ctx, `
		SELECT "chat", "id", "sender", "sender_lid", "sender_name", "from_me", "kind",
			substr("text", 1, CAST($1 AS INTEGER)), "target", "at", "status"
		FROM "messages" WHERE "chat" <> $2 ORDER BY "at" DESC, "seq" DESC LIMIT $3`,
		MaxText+1, statusChat, limit)
	if err != nil {
		return nil, fmt.Errorf("read the latest messages: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Message
	for rows.Next() {
		var msg Message
		var at int64
		err := rows.Scan(&msg.Chat, &msg.ID, &msg.Sender, &msg.SenderLID, &msg.SenderName, &msg.FromMe,
			&msg.Kind, &msg.Text, &msg.Target, &at, &msg.Status)
		if err != nil {
			return nil, fmt.Errorf("read the latest messages: %w", err)
		}
		msg.At = time.UnixMilli(at)
		if utf8.RuneCountInString(msg.Text) > MaxText {
			msg.Text = string([]rune(msg.Text)[:MaxText]) + "…"
		}
		all = append(all, msg)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the latest messages: %w", err)
	}
	return all, nil
}

// SentRaw returns the protobuf of a message from me, so that it can be sent once more to a
// device that could not read it; nil if there is none with that id in chat.
func (m *Messages) SentRaw(ctx context.Context, chat, id string) ([]byte, error) {
	var raw []byte
	err := m.db.QueryRowContext(ctx,
		`SELECT "raw" FROM "messages" WHERE "chat" = $1 AND "id" = $2 AND "from_me"`,
		clean(chat), clean(id)).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a sent message: %w", err)
	}
	return raw, nil
}
