package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"switchboard/engine"
	"switchboard/fault"
)

// Find returns the message with that id in a chat, with Raw, unless it was taken back. A chat with one person may be
// stored under either form of the address, lid is "" where it has one only. The error is
// fault.NotFound if there is none.
func (m *Messages) Find(ctx context.Context, chat, lid, id string) (Message, error) {
	if lid == "" {
		lid = chat
	}
	return m.findOne(ctx, `"chat" IN ($1, $2) AND "id" = $3`, clean(chat), clean(lid), clean(id))
}

const anywhere = `"id" = $1`

// FindAnywhere is Find in all chats: of several messages with that id it returns the latest.
func (m *Messages) FindAnywhere(ctx context.Context, id string) (Message, error) {
	return m.findOne(ctx, anywhere, clean(id))
}

// newest selects the latest message that is one.
func newest(where string) string {
	return `
		SELECT "chat", "id", "sender", "sender_lid", "sender_name", "from_me", "kind", "text", "target", "at", "status", "raw"
		FROM "messages" WHERE ` + where + ` AND "kind" NOT IN ('reaction', 'vote', 'edited', 'revoked') AND "revoked_at" = 0
		ORDER BY "seq" DESC LIMIT 1`
}

func (m *Messages) findOne(ctx context.Context, where string, args ...any) (Message, error) {
	m.Settle(ctx)
	var msg Message
	var at int64
	err := m.db.QueryRowContext(ctx, newest(where), args...).Scan(&msg.Chat, &msg.ID, &msg.Sender, &msg.SenderLID, &msg.SenderName, &msg.FromMe,
		&msg.Kind, &msg.Text, &msg.Target, &at, &msg.Status, &msg.Raw)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, fault.New(fault.NotFound, "There is no message with this id.")
	}
	if err != nil {
		return Message{}, fmt.Errorf("read a message: %w", err)
	}
	msg.At = time.UnixMilli(at)
	return msg, nil
}

// SealedVotes returns the votes on a poll of which it is not known what they chose, with Raw.
func (m *Messages) SealedVotes(ctx context.Context, chat, poll string) ([]Message, error) {
	return engine.All(ctx, m.db, "read votes", func(r engine.Row) (Message, error) {
		v, at := Message{Chat: clean(chat), Target: clean(poll), Kind: Vote, Sealed: true}, int64(0)
		err := r.Scan(&v.ID, &v.Sender, &v.SenderLID, &v.SenderName, &v.FromMe, &at, &v.Raw)
		v.At = moment(at)
		return v, err
		// CROSS JOIN keeps SQLite from reading the chat where there are none, as there mostly are.
	}, `SELECT m."id", m."sender", m."sender_lid", m."sender_name", m."from_me", m."at", m."raw"
		FROM "votes" AS v CROSS JOIN "messages" AS m
		WHERE v."chat" = $1 AND v."id" = $2 AND v."options" = '' AND m."chat" = v."chat" AND m."sender" = v."voter"
			AND m."kind" = 'vote' AND m."target" = v."id" AND m."at" = v."at"`, clean(chat), clean(poll))
}

// Unreadable returns the latest messages since a time that came and could not be read, limit at
// most: their chats, ids and senders.
func (m *Messages) Unreadable(ctx context.Context, since time.Time, limit int) ([]Message, error) {
	return engine.All(ctx, m.db, "read what could not be read", func(r engine.Row) (msg Message, err error) {
		err = r.Scan(&msg.Chat, &msg.ID, &msg.Sender, &msg.SenderLID)
		return msg, err
	}, `SELECT "chat", "id", "sender", "sender_lid" FROM "messages"
		WHERE "kind" = 'undecryptable' AND "at" >= $1 ORDER BY "at" DESC, "seq" DESC LIMIT $2`, since.UnixMilli(), limit)
}
