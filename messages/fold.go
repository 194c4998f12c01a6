package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"switchboard/engine"
)

// fold does what a new message says about another one, and tells whether it is kept there
// and not shown by itself. An edit or a revocation of what is not stored stays as it came
// until that comes, and so does one by somebody who may not: only senders change their own,
// and administrators of a group take back those of others.
func fold(ctx context.Context, tx *sql.Tx, msg Message) (folded bool, err error) {
	if msg.Target == "" {
		return false, nil
	}
	switch msg.Kind {
	case Reaction:
		return true, react(ctx, tx, msg)
	case Vote:
		return true, vote(ctx, tx, msg)
	case Edited:
		folded, err = edit(ctx, tx, msg)
	case Revoked:
		folded, err = revoke(ctx, tx, msg)
	}
	if err != nil || !folded {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE "messages" SET "folded" = true WHERE "chat" = $1 AND "id" = $2 AND "sender" = $3`,
		msg.Chat, msg.ID, msg.Sender)
	return true, err
}

// earlyChanges finds the edits and revocations of a message that came before it. Without the
// signs SQLite would take the index that has the order, and read the whole chat.
const earlyChanges = `SELECT "id", "sender", "sender_lid", "kind", "text", "at", "admin" FROM "messages"
	WHERE "chat" = $1 AND "target" = $2 AND "kind" IN ('edited', 'revoked') AND NOT "folded" ORDER BY +"at", +"seq"`

// foldEarly does what edits and revocations say that came before the message which they are
// about.
func foldEarly(ctx context.Context, tx *sql.Tx, msg Message) error {
	if msg.Kind == Edited || msg.Kind == Revoked || msg.Status == Queued { // nobody knows of it yet
		return nil
	}
	early, err := engine.All(ctx, tx, "look for what came early", func(r engine.Row) (Message, error) {
		e, at := Message{Chat: msg.Chat, Target: msg.ID}, int64(0)
		err := r.Scan(&e.ID, &e.Sender, &e.SenderLID, &e.Kind, &e.Text, &at, &e.Admin)
		e.At = moment(at)
		return e, err
	}, earlyChanges, msg.Chat, msg.ID)
	if err != nil {
		return err
	}
	for _, e := range early {
		if _, err := fold(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// A later one counts, whatever the order in which they come.
func react(ctx context.Context, tx *sql.Tx, msg Message) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO "reactions" ("chat", "id", "person", "person_lid", "from_me", "emoji", "at") VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT ("chat", "id", "person") DO UPDATE SET "emoji" = excluded."emoji", "at" = excluded."at"
		WHERE excluded."at" >= "reactions"."at"`,
		msg.Chat, msg.Target, msg.Sender, msg.SenderLID, msg.FromMe, msg.Text, msg.At.UnixMilli())
	return err
}

// The options of one that is sealed are empty, until its poll comes.
func vote(ctx context.Context, tx *sql.Tx, msg Message) error {
	options, err := json.Marshal(cleanAll(msg.Votes))
	if err != nil {
		return err
	}
	if msg.Sealed {
		options = nil
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO "votes" ("chat", "id", "voter", "voter_lid", "options", "at") VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT ("chat", "id", "voter") DO UPDATE SET "options" = excluded."options", "at" = excluded."at"
		WHERE excluded."at" >= "votes"."at"`,
		msg.Chat, msg.Target, msg.Sender, msg.SenderLID, string(options), msg.At.UnixMilli())
	return err
}

// edit replaces the text of a message and keeps the earlier one. The text of an edit that a
// later one has overtaken goes to the earlier ones at once.
func edit(ctx context.Context, tx *sql.Tx, msg Message) (bool, error) {
	at := msg.At.UnixMilli()
	_, err := tx.ExecContext(ctx, `
		INSERT INTO "edits" ("chat", "id", "sender", "edit", "at", "text")
		SELECT "chat", "id", "sender", CAST($1 AS TEXT),
			CASE WHEN "edited_at" > CAST($2 AS BIGINT) THEN CAST($3 AS BIGINT) WHEN "edited_at" <> 0 THEN "edited_at" ELSE "at" END,
			CASE WHEN "edited_at" > CAST($4 AS BIGINT) THEN CAST($5 AS TEXT) ELSE "text" END
		FROM "messages" WHERE "chat" = $6 AND "id" = $7 AND ("sender" = $8 OR "sender_lid" <> '' AND "sender_lid" = $9) AND "kind" NOT IN ('edited', 'revoked', 'undecryptable')
		ON CONFLICT DO NOTHING`, msg.ID, at, at, at, msg.Text, msg.Chat, msg.Target, msg.Sender, msg.SenderLID)
	if err != nil {
		return false, err
	}
	return engine.Changed(tx.ExecContext(ctx, `
		UPDATE "messages" SET
			"text" = CASE WHEN "edited_at" > CAST($1 AS BIGINT) THEN "text" ELSE CAST($2 AS TEXT) END,
			"edited_at" = CASE WHEN "edited_at" > CAST($3 AS BIGINT) THEN "edited_at" ELSE CAST($4 AS BIGINT) END
		WHERE "chat" = $5 AND "id" = $6 AND ("sender" = $7 OR "sender_lid" <> '' AND "sender_lid" = $8) AND "kind" NOT IN ('edited', 'revoked', 'undecryptable')`,
		at, msg.Text, at, at, msg.Chat, msg.Target, msg.Sender, msg.SenderLID))
}

func revoke(ctx context.Context, tx *sql.Tx, msg Message) (bool, error) {
	return engine.Changed(tx.ExecContext(ctx, `
		UPDATE "messages" SET "revoked_at" = $1
		WHERE "chat" = $2 AND "id" = $3 AND ("sender" = $4 OR "sender_lid" <> '' AND "sender_lid" = $5 OR CAST($6 AS BOOLEAN))
			AND "kind" NOT IN ('edited', 'revoked')`,
		msg.At.UnixMilli(), msg.Chat, msg.Target, msg.Sender, msg.SenderLID, msg.Admin))
}

// DeletedForMe notes that the owner deleted a message on this account alone. It is kept, and
// no longer shown. Events go into the outbox if it was there.
func (m *Messages) DeletedForMe(ctx context.Context, chat, id string, at time.Time, events ...Event) error {
	return m.write(ctx, "delete a message", events, func(tx *sql.Tx) (bool, error) {
		return engine.Changed(tx.ExecContext(ctx, `UPDATE "messages" SET "deleted_at" = $1 WHERE "chat" = $2 AND "id" = $3 AND "deleted_at" = 0`,
			at.UnixMilli(), clean(chat), clean(id)))
	})
}

// Star notes whether the owner marked a message with a star.
func (m *Messages) Star(ctx context.Context, chat, id string, starred bool) error {
	return m.transact(ctx, "star a message", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "messages" SET "starred" = $1 WHERE "chat" = $2 AND "id" = $3`, starred, clean(chat), clean(id))
		return err
	})
}
