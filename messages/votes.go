package messages

import (
	"context"
	"encoding/json"
	"time"

	"switchboard/engine"
)

// Ballot is what a person chose in a poll.
type Ballot struct {
	Person, PersonLID, Name string
	Options                 []string
	At                      time.Time
}

// Ballots returns the votes in a poll whose options are known, each person's latest, the earliest
// first.
func (m *Messages) Ballots(ctx context.Context, chat, id string) ([]Ballot, error) {
	m.Settle(ctx)
	return engine.All(ctx, m.db, "read votes", func(r engine.Row) (b Ballot, err error) {
		var options string
		var at int64
		if err := r.Scan(&b.Person, &b.PersonLID, &options, &at, &b.Name); err != nil {
			return b, err
		}
		b.At = moment(at)
		return b, json.Unmarshal([]byte(options), &b.Options)
	}, `SELECT v."voter", v."voter_lid", v."options", v."at", coalesce(nullif(p."name", ''), nullif(p."push_name", ''), p."business_name", '')
		FROM "votes" v LEFT JOIN "contacts" p ON p."jid" = v."voter"
		WHERE v."chat" = $1 AND v."id" = $2 AND v."options" NOT IN ('', '[]') ORDER BY v."at", v."voter"`, clean(chat), clean(id))
}
