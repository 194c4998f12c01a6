package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"switchboard/engine"
)

// Ballot is what a person chose in a poll.
type Ballot struct {
	Person, PersonLID, Name string
	Options                 []string
	At                      time.Time
}

// Ballots returns the votes in a poll, each person's latest, the earliest first.
func (m *Messages) Ballots(ctx context.Context, chat, id string) ([]Ballot, error) {
	m.Settle(ctx)
	return engine.All(ctx, m.db, "read votes", func(r engine.Row) (b Ballot, err error) {
		var options string
		var at int64
		if err := r.Scan(&b.Person, &b.PersonLID, &options, &at, &b.Name); err != nil {
			return b, err
		}
		b.At = time.UnixMilli(at)
		return b, json.Unmarshal([]byte(options), &b.Options)
	}, `SELECT v."voter", v."voter_lid", v."options", v."at", coalesce(nullif(p."name", ''), nullif(p."push_name", ''), p."business_name", '')
		FROM "votes" v LEFT JOIN "contacts" p ON p."jid" = v."voter"
		WHERE v."chat" = $1 AND v."id" = $2 AND v."options" <> '[]' ORDER BY v."at", v."voter"`, clean(chat), clean(id))
}

// vote counts a vote. One whose choice is not known leaves an earlier one as it is.
func vote(ctx context.Context, tx *sql.Tx, msg Message) error {
	if msg.Votes == nil {
		return nil
	}
	options, err := json.Marshal(cleanAll(msg.Votes))
	if err != nil {
		return fmt.Errorf("write a vote: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO "votes" ("chat", "id", "voter", "voter_lid", "options", "at") VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT ("chat", "id", "voter") DO UPDATE SET "options" = excluded."options", "at" = excluded."at"
		WHERE excluded."at" >= "votes"."at"`,
		msg.Chat, msg.Target, msg.Sender, msg.SenderLID, string(options), msg.At.UnixMilli())
	return err
}
