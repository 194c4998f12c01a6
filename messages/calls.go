package messages

import (
	"context"
	"database/sql"
	"time"

	"switchboard/engine"
)

// Call is a call that came in.
type Call struct {
	ID        string
	Chat      string // of a group call the group
	Caller    string
	CallerLID string
	Video     bool
	At        time.Time
	EndedAt   time.Time // zero: not yet, or nobody told
	Outcome   Outcome
}

// Outcome is what became of a call.
type Outcome string

// The outcomes; "" while it rings.
const (
	Accepted Outcome = "accepted" // on another device of this account
	Rejected Outcome = "rejected"
	Declined Outcome = "declined" // by itself, as the settings say
	Missed   Outcome = "missed"
)

// SaveCall stores a call that comes in, as a message of its chat too. Events go into the
// outbox if it is new.
func (m *Messages) SaveCall(ctx context.Context, c Call, chatLID string, events ...Event) error {
	return m.write(ctx, "store a call", events, func(tx *sql.Tx) (bool, error) {
		fresh, err := engine.Changed(tx.ExecContext(ctx, `INSERT INTO "calls" ("id", "chat", "caller", "caller_lid", "video", "at", "outcome")
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ("id") DO NOTHING`,
			clean(c.ID), clean(c.Chat), clean(c.Caller), clean(c.CallerLID), c.Video, engine.Millis(c.At), string(c.Outcome)))
		if err != nil || !fresh {
			return false, err
		}
		_, err = m.save(ctx, tx, Message{
			Chat: c.Chat, ChatLID: chatLID, ID: c.ID, Sender: c.Caller, SenderLID: c.CallerLID, Kind: Called, At: c.At,
		}, true)
		return true, err
	})
}

// EndCall notes what became of a call, unless it was noted before. A call that still rang
// was missed.
func (m *Messages) EndCall(ctx context.Context, id string, outcome Outcome, at time.Time, events ...Event) error {
	return m.write(ctx, "end a call", events, func(tx *sql.Tx) (bool, error) {
		return engine.Changed(tx.ExecContext(ctx, `UPDATE "calls" SET "outcome" = CASE WHEN "outcome" = '' THEN CAST($1 AS TEXT) ELSE "outcome" END,
			"ended_at" = CASE WHEN CAST($2 AS TEXT) = 'accepted' THEN "ended_at" ELSE CAST($3 AS BIGINT) END
			WHERE "id" = $4 AND "ended_at" = 0`, string(outcome), string(outcome), engine.Millis(at), clean(id)))
	})
}

// HistoryProgress is how far one kind of the phone's history has come in.
type HistoryProgress struct {
	Type     string
	Parts    int
	Chats    int
	Messages int
	Percent  int // as the phone says
	At       time.Time
}

// NoteHistory adds a part of the history, that of the id, to what has come in.
func (m *Messages) NoteHistory(ctx context.Context, id string, p HistoryProgress) error {
	return m.transact(ctx, "note a part of the history", func(tx *sql.Tx) error {
		if err := dropPart(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO "history" ("type", "parts", "chats", "messages", "percent", "at") VALUES ($1, 1, $2, $3, $4, $5)
			ON CONFLICT ("type") DO UPDATE SET "parts" = "history"."parts" + 1, "chats" = "history"."chats" + excluded."chats",
				"messages" = "history"."messages" + excluded."messages",
				"percent" = CASE WHEN excluded."percent" > "history"."percent" THEN excluded."percent" ELSE "history"."percent" END, "at" = excluded."at"`,
			clean(p.Type), p.Chats, p.Messages, p.Percent, engine.Millis(p.At))
		return err
	})
}
