package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"switchboard/engine"
	"switchboard/fault"
)

// MaxText is how many characters of a text Latest returns; a longer one is cut and ends in "…".
const MaxText = 4000

// statusChat is where WhatsApp delivers the status posts of contacts. They are kept, and
// are no conversation.
const statusChat = "status@broadcast"

// shown is a condition on messages: those that a person sees as one, not those that say
// something about another.
const shown = `NOT m."folded" AND m."deleted_at" = 0`

const fromMessages = ` FROM "messages" m
	LEFT JOIN "contacts" p ON p."jid" = m."sender"
	LEFT JOIN "media" d ON d."chat" = m."chat" AND d."id" = m."id" AND d."sender" = m."sender"
	LEFT JOIN "calls" l ON l."id" = m."id" AND m."kind" = 'call' `

const messageColumns = `m."chat", m."id", m."sender", m."sender_lid", m."sender_name", m."from_me", m."kind", m."target", m."at",
	m."status", m."reason", m."quoted", m."quoted_sender", m."quoted_text", m."mentions", m."forwarded", m."view_once", m."starred",
	m."edited_at", m."revoked_at", m."seq",
	coalesce(nullif(p."name", ''), nullif(p."push_name", ''), nullif(p."business_name", ''), m."sender_name"),
	coalesce((SELECT h."name" FROM "chats" h WHERE h."jid" = m."chat"), ''),
	l."video", l."ended_at", l."outcome", ` + mediaColumns

// Latest returns up to limit messages, newest first, without Raw and with texts of bounded
// length. Status posts of contacts are left out, and so are messages that only say something
// about others. The order does not change from call to call.
func (m *Messages) Latest(ctx context.Context, limit int) ([]Message, error) {
	all, err := m.query(ctx, `substr(m."text", 1, CAST($1 AS INTEGER))`,
		`WHERE m."chat" <> $2 AND `+shown+` ORDER BY m."at" DESC, m."seq" DESC LIMIT $3`, MaxText+1, statusChat, limit)
	if err != nil {
		// A worker of an earlier version has not brought its database to this schema yet.
		if old, err := m.latestOfVersion2(ctx, limit); err == nil {
			return old, nil
		}
		return nil, err
	}
	return cut(all), nil
}

func cut(all []Message) []Message {
	for i := range all {
		if utf8.RuneCountInString(all[i].Text) > MaxText {
			all[i].Text = string([]rune(all[i].Text)[:MaxText]) + "…"
		}
	}
	return all
}

func (m *Messages) latestOfVersion2(ctx context.Context, limit int) ([]Message, error) {
	all, err := engine.All(ctx, m.db, "read messages", func(r engine.Row) (msg Message, err error) {
		var at int64
		err = r.Scan(&msg.Chat, &msg.ID, &msg.Sender, &msg.SenderLID, &msg.SenderName, &msg.FromMe,
			&msg.Kind, &msg.Text, &msg.Target, &at, &msg.Status)
		msg.At, msg.Name = time.UnixMilli(at), msg.SenderName
		return msg, err
	}, `
		SELECT "chat", "id", "sender", "sender_lid", "sender_name", "from_me", "kind",
			substr("text", 1, CAST($1 AS INTEGER)), "target", "at", "status"
		FROM "messages" WHERE "chat" <> $2 ORDER BY "at" DESC, "seq" DESC LIMIT $3`,
		MaxText+1, statusChat, limit)
	return cut(all), err
}

// Filter chooses messages of one chat.
type Filter struct {
	Chat      string
	From, To  time.Time // zero: from the first, to the last; both included
	MediaOnly bool
	FromMe    *bool
	Search    string // part of the text, in any case
	Limit     int    // 0: no limit
	Offset    int
}

// InChat returns the messages of a chat that a filter chooses, newest first, with reactions
// and without Raw, and how many there are without limit and offset.
func (m *Messages) InChat(ctx context.Context, f Filter) (_ []Message, total int, err error) {
	var args []any
	mark := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	where := `WHERE m."chat" = ` + mark(clean(f.Chat)) + ` AND ` + shown
	if !f.From.IsZero() {
		where += ` AND m."at" >= ` + mark(f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		where += ` AND m."at" <= ` + mark(f.To.UnixMilli())
	}
	if f.MediaOnly {
		where += ` AND m.` + hasMedia
	}
	if f.FromMe != nil {
		where += ` AND m."from_me" = ` + mark(*f.FromMe)
	}
	if f.Search != "" {
		where += ` AND lower(m."text") LIKE ` + mark(like(f.Search)) + ` ESCAPE '\'`
	}
	if err := m.db.QueryRowContext(ctx, `SELECT count(*) FROM "messages" m `+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count messages: %w", err)
	}
	all, err := m.query(ctx, `m."text"`, where+` ORDER BY m."at" DESC, m."seq" DESC`+page(f.Limit, f.Offset, mark), args...)
	return all, total, err
}

// Message returns one message with its reactions and Raw; a fault.NotFound if there is none
// with that id in chat.
func (m *Messages) Message(ctx context.Context, chat, id string) (Message, error) {
	all, err := m.query(ctx, `m."text"`, `WHERE m."chat" = $1 AND m."id" = $2 LIMIT 1`, clean(chat), clean(id))
	if err == nil && len(all) == 0 {
		err = notFound("read a message", sql.ErrNoRows)
	}
	if err != nil {
		return Message{}, err
	}
	msg := all[0]
	err = m.db.QueryRowContext(ctx, `SELECT "raw" FROM "messages" WHERE "chat" = $1 AND "id" = $2 AND "sender" = $3`,
		msg.Chat, msg.ID, msg.Sender).Scan(&msg.Raw)
	if err != nil {
		return Message{}, notFound("read a message", err)
	}
	return msg, m.question(ctx, &msg)
}

// question fills in what a poll asks.
func (m *Messages) question(ctx context.Context, msg *Message) error {
	if msg.Kind != Poll {
		return nil
	}
	var q Question
	var options string
	err := m.db.QueryRowContext(ctx, `SELECT "question", "options", "selectable" FROM "polls" WHERE "chat" = $1 AND "id" = $2`, msg.Chat, msg.ID).
		Scan(&q.Text, &options, &q.Selectable)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(options), &q.Options)
	}
	if err != nil {
		return fmt.Errorf("read a poll: %w", err)
	}
	msg.Question = &q
	return nil
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

// query reads messages with their reactions.
func (m *Messages) query(ctx context.Context, text, rest string, args ...any) ([]Message, error) {
	m.Settle(ctx)
	all, err := m.rows(ctx, `SELECT `+text+`, `+messageColumns+fromMessages+rest, args...)
	if err == nil {
		err = m.reactions(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (m *Messages) rows(ctx context.Context, query string, args ...any) ([]Message, error) {
	all, err := engine.All(ctx, m.db, "read messages", func(r engine.Row) (msg Message, err error) {
		var at, edited, revoked, seq int64
		var mentions string
		var video sql.NullBool
		var ended sql.NullInt64
		var outcome sql.NullString
		var media mediaRow
		err = r.Scan(append([]any{
			&msg.Text, &msg.Chat, &msg.ID, &msg.Sender, &msg.SenderLID, &msg.SenderName, &msg.FromMe, &msg.Kind, &msg.Target, &at,
			&msg.Status, &msg.Reason, &msg.Quoted, &msg.QuotedSender, &msg.QuotedText, &mentions, &msg.Forwarded, &msg.ViewOnce, &msg.Starred,
			&edited, &revoked, &seq, &msg.Name, &msg.ChatName, &video, &ended, &outcome,
		}, media.places()...)...)
		if err != nil {
			return msg, err
		}
		msg.At, msg.EditedAt, msg.RevokedAt = time.UnixMilli(at), moment(edited), moment(revoked)
		msg.StoredAt = msg.At
		if seq > earliestSeq {
			msg.StoredAt = time.UnixMicro(seq)
		}
		msg.Mentions, msg.Media = strings.Fields(mentions), media.media()
		if outcome.Valid {
			msg.Call = &Call{
				ID: msg.ID, Chat: msg.Chat, Caller: msg.Sender, CallerLID: msg.SenderLID, At: msg.At,
				Video: video.Bool, EndedAt: moment(ended.Int64), Outcome: Outcome(outcome.String),
			}
		}
		return msg, nil
	}, query, args...)
	if all == nil {
		all = []Message{} // for JSON
	}
	return all, err
}

// earliestSeq is below all numbers of rows that are the time of their storing in
// microseconds. Rows of before the third migration are numbered from 1.
const earliestSeq = 1e15

// reactions fills in the reactions to messages.
func (m *Messages) reactions(ctx context.Context, all []Message) error {
	const atOnce = 500
	for len(all) > 0 {
		part := all[:min(len(all), atOnce)]
		all = all[len(part):]
		place := map[[2]string]*Message{}
		var args []any
		mark := func(v any) string {
			args = append(args, v)
			return fmt.Sprintf("$%d", len(args))
		}
		var chats, ids []string
		seen := map[string]bool{}
		for i := range part {
			place[[2]string{part[i].Chat, part[i].ID}] = &part[i]
			if !seen[part[i].Chat] {
				seen[part[i].Chat] = true
				chats = append(chats, mark(part[i].Chat))
			}
		}
		for i := range part {
			ids = append(ids, mark(part[i].ID))
		}
		err := engine.Each(ctx, m.db, "read reactions", func(row engine.Row) error {
			var chat, id string
			var r Reacted
			var at int64
			if err := row.Scan(&chat, &id, &r.Person, &r.PersonLID, &r.FromMe, &r.Emoji, &at, &r.Name); err != nil {
				return err
			}
			r.At = moment(at)
			if msg := place[[2]string{chat, id}]; msg != nil {
				msg.Reactions = append(msg.Reactions, r)
			}
			return nil
		}, `SELECT r."chat", r."id", r."person", coalesce(nullif(r."person_lid", ''), p."lid", ''), r."from_me", r."emoji", r."at",
				coalesce(nullif(p."name", ''), nullif(p."push_name", ''), p."business_name", '')
			FROM "reactions" r LEFT JOIN "contacts" p ON p."jid" = r."person"
			WHERE r."emoji" <> '' AND r."chat" IN (`+strings.Join(chats, ", ")+`) AND r."id" IN (`+strings.Join(ids, ", ")+`) ORDER BY r."at", r."person"`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func notFound(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Wrap(fault.NotFound, "There is no such message.", fmt.Errorf("%s: %w", what, err))
	}
	return fmt.Errorf("%s: %w", what, err)
}
