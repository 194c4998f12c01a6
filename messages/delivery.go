package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchboard/engine"
)

// order has the steps of a delivery from first to last.
var order = []Delivery{Queued, NotSent, SentOut, Delivered, Read}

// Receipt says how far somebody got with messages from me.
type Receipt struct {
	Chat    string // as for a Message
	ChatLID string
	Person  string
	IDs     []string
	Step    Step
	At      time.Time
	// Whole says that the chat has no other recipients, so that the messages themselves got
	// that far too.
	Whole bool
}

// Step is how far one person got with a message.
type Step string

// The steps; each includes those before it.
const (
	GotIt    Step = "delivered"
	ReadIt   Step = "read"
	PlayedIt Step = "played"
)

// Receive stores a receipt. In a group, where one reader is not all readers, messages count
// as delivered at most. Events go into the outbox if it says anything new.
func (m *Messages) Receive(ctx context.Context, r Receipt, events ...Event) error {
	ctx = m.brief(ctx)
	f, err := r.change(ctx)
	if err != nil {
		return err
	}
	return m.soon(ctx, receiving, events, f)
}

// ReceiveLater is Receive that returns at once: the receipt is written in a moment, together
// with what comes next, and before anything about its messages is read here. over is told
// then, or why it cannot be; it must not block.
func (m *Messages) ReceiveLater(r Receipt, over func(error), events ...Event) {
	f, err := r.change(context.Background())
	if err != nil {
		over(err)
		return
	}
	m.later(change{receiving, events, f, over})
}

const receiving = "store a receipt"

// change is what a receipt does to the messages.
func (r Receipt) change(ctx context.Context) (func(tx *sql.Tx) (bool, error), error) {
	step := Delivered
	if r.Whole && r.Step != GotIt {
		step = Read
	}
	at := r.At.UnixMilli()
	var delivered, read, played int64
	switch r.Step {
	case GotIt:
		delivered = at
	case ReadIt:
		read = at
	case PlayedIt:
		played = at
	default:
		return nil, fmt.Errorf("%s: unknown step %q", receiving, r.Step)
	}
	return func(tx *sql.Tx) (fresh bool, err error) {
		for _, id := range r.IDs {
			one, err := engine.Changed(tx.ExecContext(ctx, upsertReceipt, clean(r.Chat), clean(id), clean(r.Person), delivered, read, played))
			if err != nil {
				return false, err
			}
			fresh = fresh || one
			moved, err := advance(ctx, tx, r.Chat, id, step)
			if err == nil && !moved && r.ChatLID != "" { // stored before the phone number was known
				_, err = advance(ctx, tx, r.ChatLID, id, step)
			}
			if err != nil {
				return false, err
			}
		}
		return fresh, nil
	}, nil
}

// The first time counts.
const upsertReceipt = `
INSERT INTO "receipts" ("chat", "id", "person", "delivered_at", "read_at", "played_at") VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ("chat", "id", "person") DO UPDATE SET
	"delivered_at" = CASE WHEN "receipts"."delivered_at" = 0 THEN excluded."delivered_at" ELSE "receipts"."delivered_at" END,
	"read_at" = CASE WHEN "receipts"."read_at" = 0 THEN excluded."read_at" ELSE "receipts"."read_at" END,
	"played_at" = CASE WHEN "receipts"."played_at" = 0 THEN excluded."played_at" ELSE "receipts"."played_at" END
WHERE ("receipts"."delivered_at" = 0 AND excluded."delivered_at" <> 0)
	OR ("receipts"."read_at" = 0 AND excluded."read_at" <> 0)
	OR ("receipts"."played_at" = 0 AND excluded."played_at" <> 0)`

// Failed says that a message did not go out, and why, in words for a person.
func (m *Messages) Failed(ctx context.Context, chat, id, reason string, events ...Event) error {
	return m.write(ctx, "note a failed message", events, func(tx *sql.Tx) (bool, error) {
		return sentIn(ctx, tx, chat, func(chat string) (bool, error) {
			return engine.Changed(tx.ExecContext(ctx, `UPDATE "messages" SET "status" = 'failed', "reason" = $1
				WHERE "chat" = $2 AND "id" = $3 AND "from_me" AND "status" = 'queued'`, clean(reason), chat, clean(id)))
		})
	})
}

// Acknowledged says that WhatsApp's server took the message at that time, zero for the time
// that is stored; a receipt may have come before. It is called once for a message. It returns
// at once: this is written in a moment, together with what comes next, and before anything
// about the message is read here. over is told then, or why it cannot be; it must not block.
func (m *Messages) Acknowledged(chat, id string, at time.Time, over func(error), events ...Event) {
	ctx := context.Background()
	m.later(change{"acknowledge a message", events, func(tx *sql.Tx) (bool, error) {
		return sentIn(ctx, tx, chat, func(chat string) (bool, error) {
			if at.IsZero() { // then no index has to follow
				return engine.Changed(tx.ExecContext(ctx, `UPDATE "messages" SET `+taken+` WHERE "chat" = $1 AND "id" = $2 AND "from_me"`, chat, clean(id)))
			}
			return engine.Changed(tx.ExecContext(ctx, `UPDATE "messages" SET "at" = $1, `+taken+` WHERE "chat" = $2 AND "id" = $3 AND "from_me"`,
				at.UnixMilli(), chat, clean(id)))
		})
	}, over})
}

// taken is what a message becomes that WhatsApp's server took.
const taken = `"reason" = '', "status" = CASE WHEN "status" IN ('queued', 'failed') THEN 'sent' ELSE "status" END`

// sentIn runs do with the chat to which a message was sent. While it was under way, the phone
// number behind a hidden address may have become known, and the chat another one.
func sentIn(ctx context.Context, tx *sql.Tx, chat string, do func(chat string) (bool, error)) (bool, error) {
	chat = clean(chat)
	if done, err := do(chat); done || err != nil || !strings.HasSuffix(chat, "@lid") {
		return done, err
	}
	var now string
	err := tx.QueryRowContext(ctx, `SELECT "jid" FROM "contacts" WHERE "lid" <> '' AND "lid" = $1 AND "jid" <> $2`, chat, chat).Scan(&now)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return do(now)
}

// interrupted is why messages of an earlier process failed.
const interrupted = "This number was stopped before WhatsApp confirmed the message. It may or may not have gone out."

// FailQueued marks what an earlier process left queued as failed: nobody sends it any more.
// Should it have gone out after all, its receipts move it on.
func (m *Messages) FailQueued(ctx context.Context) error {
	return m.transact(ctx, "mark unsent messages", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "messages" SET "status" = 'failed', "reason" = $1 WHERE "status" = 'queued'`, interrupted)
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
	return engine.Changed(tx.ExecContext(ctx, `UPDATE "messages" SET "status" = $1
		WHERE "chat" = $2 AND "id" = $3 AND "from_me" AND "status" IN (`+strings.Join(marks, ", ")+`)`, args...))
}

// Progress is how far a message from me got, and with whom.
type Progress struct {
	Status Delivery
	Reason string // why it failed, for a person to read
	At     time.Time
	People []Received
}

// Received are the times at which one person got a message, and did more with it; zero for
// what did not happen yet.
type Received struct {
	Person, PersonLID             string
	DeliveredAt, ReadAt, PlayedAt time.Time
}

// Progress returns how far a message from me got; a fault.NotFound if there is none with
// that id in chat.
func (m *Messages) Progress(ctx context.Context, chat, id string) (Progress, error) {
	m.Settle(ctx)
	var p Progress
	var at int64
	err := m.db.QueryRowContext(ctx, `SELECT "status", "reason", "at" FROM "messages" WHERE "chat" = $1 AND "id" = $2 AND "from_me"`,
		clean(chat), clean(id)).Scan(&p.Status, &p.Reason, &at)
	if err != nil {
		return Progress{}, notFound("read how far a message got", err)
	}
	p.At = moment(at)
	p.People, err = engine.All(ctx, m.db, "read receipts", func(row engine.Row) (r Received, err error) {
		var delivered, read, played int64
		err = row.Scan(&r.Person, &r.PersonLID, &delivered, &read, &played)
		r.DeliveredAt, r.ReadAt, r.PlayedAt = moment(delivered), moment(read), moment(played)
		return r, err
	}, `SELECT r."person", coalesce(p."lid", ''), r."delivered_at", r."read_at", r."played_at"
		FROM "receipts" r LEFT JOIN "contacts" p ON p."jid" = r."person" WHERE r."chat" = $1 AND r."id" = $2 ORDER BY r."person"`, clean(chat), clean(id))
	return p, err
}
