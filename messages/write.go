package messages

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A placeholder for what could not be decrypted gives way to the message when it arrives in
// the end; everything else that is stored already stays as it is.
const insertMessage = `
INSERT INTO "messages" ("chat", "id", "sender", "sender_lid", "sender_name", "from_me", "kind",
	"text", "target", "at", "seq", "status", "raw")
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT ("chat", "id", "sender") DO UPDATE SET
	"sender_lid" = excluded."sender_lid", "sender_name" = excluded."sender_name",
	"kind" = excluded."kind", "text" = excluded."text", "target" = excluded."target",
	"raw" = excluded."raw"
WHERE "messages"."kind" = 'undecryptable' AND excluded."kind" <> 'undecryptable'`

const upsertChat = `
INSERT INTO "chats" ("jid", "lid", "name", "last_at") VALUES ($1, $2, $3, $4)
ON CONFLICT ("jid") DO UPDATE SET
	"lid" = CASE WHEN excluded."lid" <> '' THEN excluded."lid" ELSE "chats"."lid" END,
	"name" = CASE WHEN excluded."name" <> '' THEN excluded."name" ELSE "chats"."name" END,
	"last_at" = CASE WHEN excluded."last_at" > "chats"."last_at"
		THEN excluded."last_at" ELSE "chats"."last_at" END`

const upsertContact = `
INSERT INTO "contacts" ("jid", "lid", "name", "push_name", "business_name")
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT ("jid") DO UPDATE SET
	"lid" = CASE WHEN excluded."lid" <> '' THEN excluded."lid" ELSE "contacts"."lid" END,
	"name" = CASE WHEN excluded."name" <> '' THEN excluded."name" ELSE "contacts"."name" END,
	"push_name" = CASE WHEN excluded."push_name" <> ''
		THEN excluded."push_name" ELSE "contacts"."push_name" END,
	"business_name" = CASE WHEN excluded."business_name" <> ''
		THEN excluded."business_name" ELSE "contacts"."business_name" END
WHERE (excluded."lid" <> '' AND excluded."lid" <> "contacts"."lid")
	OR (excluded."name" <> '' AND excluded."name" <> "contacts"."name")
	OR (excluded."push_name" <> '' AND excluded."push_name" <> "contacts"."push_name")
	OR (excluded."business_name" <> '' AND excluded."business_name" <> "contacts"."business_name")`

// Save stores a message with its chat and its sender's name, all or nothing. A message that
// is stored already is no error and changes nothing, so that a repeated delivery is harmless.
// Events go into the outbox only with what is new.
func (m *Messages) Save(ctx context.Context, msg Message, events ...Event) error {
	return m.write(ctx, "save a message", events, func(tx *sql.Tx) (bool, error) { return m.save(ctx, tx, msg) })
}

// SaveAll is Save for several messages in one transaction, without events: it is for what
// happened long ago.
func (m *Messages) SaveAll(ctx context.Context, all []Message) error {
	if len(all) == 0 {
		return nil
	}
	return m.transact(ctx, "save messages", func(tx *sql.Tx) error {
		for _, msg := range all {
			if _, err := m.save(ctx, tx, msg); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *Messages) save(ctx context.Context, tx *sql.Tx, msg Message) (fresh bool, err error) {
	fresh, err = changed(tx.ExecContext(ctx, insertMessage,
		clean(msg.Chat), clean(msg.ID), clean(msg.Sender), clean(msg.SenderLID), clean(msg.SenderName),
		msg.FromMe, string(msg.Kind), clean(msg.Text), clean(msg.Target),
		msg.At.UnixMilli(), m.nextSeq(), string(msg.Status), msg.Raw))
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, upsertChat, clean(msg.Chat), clean(msg.ChatLID), "", msg.At.UnixMilli())
	if err != nil || msg.FromMe || msg.SenderName == "" {
		return fresh, err
	}
	return fresh, saveContact(ctx, tx, Person{JID: msg.Sender, LID: msg.SenderLID, PushName: msg.SenderName})
}

// SavePeople stores what is known of people by name, in one transaction.
func (m *Messages) SavePeople(ctx context.Context, all []Person) error {
	if len(all) == 0 {
		return nil
	}
	return m.transact(ctx, "save contacts", func(tx *sql.Tx) error {
		for _, p := range all {
			if err := saveContact(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func saveContact(ctx context.Context, tx *sql.Tx, p Person) error {
	_, err := tx.ExecContext(ctx, upsertContact,
		clean(p.JID), clean(p.LID), clean(p.Name), clean(p.PushName), clean(p.BusinessName))
	return err
}

// NameChat stores the name of a chat, a group's subject for example.
func (m *Messages) NameChat(ctx context.Context, jid, name string, events ...Event) error {
	return m.write(ctx, "name a chat", events, func(tx *sql.Tx) (bool, error) {
		_, err := tx.ExecContext(ctx, upsertChat, clean(jid), "", clean(name), 0)
		return true, err
	})
}

// order has the steps of a delivery from first to last.
var order = []Delivery{Queued, NotSent, SentOut, Delivered, Read}

// SetDelivery moves messages from me forward to d. Those that are there or further already,
// and unknown ones, stay as they are; events go into the outbox if any moved.
func (m *Messages) SetDelivery(ctx context.Context, chat string, ids []string, d Delivery, events ...Event) error {
	return m.write(ctx, "set how far messages got", events, func(tx *sql.Tx) (moved bool, err error) {
		for _, id := range ids {
			one, err := advance(ctx, tx, chat, id, d)
			if err != nil {
				return false, err
			}
			moved = moved || one
		}
		return moved, nil
	})
}

// Acknowledged says that WhatsApp's server took the message at that time.
func (m *Messages) Acknowledged(ctx context.Context, chat, id string, at time.Time, events ...Event) error {
	return m.write(ctx, "acknowledge a message", events, func(tx *sql.Tx) (bool, error) {
		moved, err := advance(ctx, tx, chat, id, SentOut)
		if err != nil {
			return false, err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE "messages" SET "at" = $1 WHERE "chat" = $2 AND "id" = $3 AND "from_me"`,
			at.UnixMilli(), clean(chat), clean(id))
		return moved, err
	})
}

// FailQueued marks what an earlier process left queued as failed: nobody sends it any more.
// Should it have gone out after all, its receipts move it on.
func (m *Messages) FailQueued(ctx context.Context) error {
	return m.transact(ctx, "mark unsent messages", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "messages" SET "status" = $1 WHERE "status" = $2`,
			string(NotSent), string(Queued))
		return err
	})
}

func advance(ctx context.Context, tx *sql.Tx, chat, id string, d Delivery) (moved bool, err error) {
	before := order[:max(slices.Index(order, d), 0)]
	if len(before) == 0 {
		return false, nil
	}
	args := []any{string(d), clean(chat), clean(id)}
	marks := make([]string, len(before))
	for i, b := range before {
		args = append(args, string(b))
		marks[i] = fmt.Sprintf("$%d", len(args))
	}
	return changed(tx.ExecContext(ctx, `UPDATE "messages" SET "status" = $1
		WHERE "chat" = $2 AND "id" = $3 AND "from_me" AND "status" IN (`+strings.Join(marks, ", ")+`)`, args...))
}

func (m *Messages) transact(ctx context.Context, what string, f func(*sql.Tx) error) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	if m.fence != nil {
		if err := m.fence(ctx, tx); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := f(tx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// clean makes a text that every engine stores: PostgreSQL takes neither a NUL nor bytes that
// are no UTF-8. The message as it came is in Raw.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
