package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"switchboard/engine"
)

// A placeholder for what could not be decrypted gives way to the message when it arrives in
// the end; everything else that is stored already stays as it is.
const insertMessage = `
INSERT INTO "messages" ("chat", "id", "sender", "sender_lid", "sender_name", "from_me", "kind",
	"text", "target", "at", "seq", "status", "raw", "quoted", "quoted_sender", "quoted_text", "mentions",
	"forwarded", "view_once", "folded", "admin")
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
ON CONFLICT ("chat", "id", "sender") DO UPDATE SET
	"sender_lid" = excluded."sender_lid", "sender_name" = excluded."sender_name",
	"kind" = excluded."kind", "text" = excluded."text", "target" = excluded."target",
	"raw" = excluded."raw", "quoted" = excluded."quoted", "quoted_sender" = excluded."quoted_sender",
	"quoted_text" = excluded."quoted_text", "mentions" = excluded."mentions",
	"forwarded" = excluded."forwarded", "view_once" = excluded."view_once", "folded" = excluded."folded",
	"admin" = excluded."admin"
WHERE "messages"."kind" = 'undecryptable' AND excluded."kind" <> 'undecryptable'`

const upsertChat = `
INSERT INTO "chats" ("jid", "lid", "name", "last_at", "unread", "created_at", "updated_at")
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT ("jid") DO UPDATE SET
	"lid" = CASE WHEN excluded."lid" <> '' THEN excluded."lid" ELSE "chats"."lid" END,
	"name" = CASE WHEN excluded."name" <> '' THEN excluded."name" ELSE "chats"."name" END,
	"last_at" = CASE WHEN excluded."last_at" > "chats"."last_at"
		THEN excluded."last_at" ELSE "chats"."last_at" END,
	"unread" = "chats"."unread" + excluded."unread",
	"created_at" = CASE WHEN excluded."created_at" <> 0 AND (excluded."created_at" < "chats"."created_at" OR "chats"."created_at" = 0)
		THEN excluded."created_at" ELSE "chats"."created_at" END,
	"updated_at" = excluded."updated_at"`

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

// Save stores a message with its chat and its sender's name, all or nothing, and does to
// other messages what it says about them. A message that is stored already is no error and
// changes nothing, so that a repeated delivery is harmless. Events go into the outbox only
// with what is new.
func (m *Messages) Save(ctx context.Context, msg Message, events ...Event) error {
	ctx = m.brief(ctx)
	if !msg.FromMe {
		defer m.expiries.forget() // its sender may be another one than it seemed; see merge
	}
	age := time.Duration(0)
	if msg.Status == Queued {
		m.queuedAt.Store(time.Now().UnixNano())
		if len(events) == 0 { // what gathered comes before no event of this
			age = ripe
		}
	}
	return m.writeWith(ctx, age, saving, events, func(tx *sql.Tx) (bool, error) { return m.save(ctx, tx, msg, true) })
}

const saving = "save a message"

// SaveSoon is Save of a message to be sent that returns at once: the message is stored in a
// moment, together with what comes next. stored has it stored now, waits for it and tells why
// it could not be; it may be called more than once.
func (m *Messages) SaveSoon(msg Message) (stored func() error) {
	m.queuedAt.Store(time.Now().UnixNano())
	ctx := context.Background()
	written := make(chan struct{})
	var failed error
	m.later(change{saving, nil, func(tx *sql.Tx) (bool, error) { return m.save(ctx, tx, msg, true) }, func(err error) {
		failed = err
		close(written)
	}})
	return func() error {
		select {
		case <-written:
		default:
			m.flush()
			<-written // by somebody else, it may be
		}
		return failed
	}
}

// SaveAll is Save for several messages in one transaction, without events and without
// counting them as unread: it is for what happened long ago.
func (m *Messages) SaveAll(ctx context.Context, all []Message) error {
	if len(all) == 0 {
		return nil
	}
	defer m.expiries.forget()
	return m.transact(ctx, "save messages", func(tx *sql.Tx) error {
		for _, msg := range all {
			if _, err := m.save(ctx, tx, msg, false); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *Messages) save(ctx context.Context, tx *sql.Tx, msg Message, live bool) (fresh bool, err error) {
	msg = msg.cleaned()
	if err := identify(ctx, tx, &msg); err != nil {
		return false, err
	}
	seq, err := m.nextSeq(ctx, tx)
	if err != nil {
		return false, err
	}
	about := msg.Target != "" && (msg.Kind == Reaction || msg.Kind == Vote)
	fresh, err = engine.Changed(tx.ExecContext(ctx, insertMessage,
		msg.Chat, msg.ID, msg.Sender, msg.SenderLID, msg.SenderName,
		msg.FromMe, string(msg.Kind), msg.Text, msg.Target,
		msg.At.UnixMilli(), seq, string(msg.Status), msg.Raw,
		msg.Quoted, msg.QuotedSender, msg.QuotedText, strings.Join(msg.Mentions, " "),
		msg.Forwarded, msg.ViewOnce, about, msg.Admin))
	if err != nil || !fresh {
		return false, err
	}
	if msg.Text != "" {
		if err := m.unindexed(ctx, tx); err != nil {
			return false, err
		}
	}
	folded, err := fold(ctx, tx, msg)
	if err != nil {
		return false, err
	}
	if err := foldEarly(ctx, tx, msg); err != nil {
		return false, err
	}
	if err := saveParts(ctx, tx, msg); err != nil {
		return false, err
	}
	at, unread := msg.At.UnixMilli(), 0
	if folded {
		at = 0
	} else if live && !msg.FromMe && msg.Kind != Called {
		unread = 1
	}
	_, err = tx.ExecContext(ctx, upsertChat, msg.Chat, msg.ChatLID, "", at, unread, at, time.Now().UnixMilli())
	return true, err
}

// identify stores who sent msg, before it is looked whether it is stored already: what came
// under their hidden address moves to their number when that becomes known, and in a group, where
// nothing moves, msg gets the sender under which it was stored before.
func identify(ctx context.Context, tx *sql.Tx, msg *Message) error {
	if msg.FromMe || msg.SenderName == "" && msg.SenderLID == "" {
		return nil
	}
	if err := saveContact(ctx, tx, Person{JID: msg.Sender, LID: msg.SenderLID, PushName: msg.SenderName}); err != nil {
		return err
	}
	if msg.Sender == msg.Chat || msg.SenderLID == "" || msg.SenderLID == msg.Sender {
		return nil
	}
	err := tx.QueryRowContext(ctx, `SELECT "sender" FROM "messages" WHERE "chat" = $1 AND "id" = $2 AND "sender" = $3`,
		msg.Chat, msg.ID, msg.SenderLID).Scan(&msg.Sender)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// saveParts stores what a message has beside itself.
func saveParts(ctx context.Context, tx *sql.Tx, msg Message) error {
	if msg.Media != nil {
		if err := insertMedia(ctx, tx, msg); err != nil {
			return err
		}
	}
	if q := msg.Question; q != nil {
		options, err := json.Marshal(cleanAll(q.Options))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO "polls" ("chat", "id", "question", "options", "selectable")
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT ("chat", "id") DO NOTHING`,
			msg.Chat, msg.ID, clean(q.Text), string(options), q.Selectable)
		for _, early := range q.Early {
			if err == nil {
				err = vote(ctx, tx, early.cleaned())
			}
		}
		return err
	}
	return nil
}

// SavePeople stores what is known of people by name, in one transaction.
func (m *Messages) SavePeople(ctx context.Context, all []Person) error {
	if len(all) == 0 {
		return nil
	}
	defer m.expiries.forget()
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
	jid, lid := clean(p.JID), clean(p.LID)
	fresh, err := engine.Changed(tx.ExecContext(ctx, upsertContact, jid, lid, clean(p.Name), clean(p.PushName), clean(p.BusinessName)))
	if err != nil || !fresh {
		return err
	}
	return merge(ctx, tx, lid, jid)
}

// brief takes from a context that it can end, for what is done in a moment: to heed it, the
// driver of SQLite starts a goroutine for each statement. A server may take its time, so
// there a context is heeded.
func (m *Messages) brief(ctx context.Context) context.Context {
	if m.engine == engine.SQLite {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// lock waits until nobody else writes, where one transaction can at a time: SQLite itself
// would have the others sleep and look again.
func (m *Messages) lock() (unlock func()) {
	if m.engine != engine.SQLite {
		return func() {}
	}
	m.writing.Lock()
	return m.writing.Unlock
}

func (m *Messages) transact(ctx context.Context, what string, f func(*sql.Tx) error) error {
	defer m.lock()()
	return m.tx(ctx, what, f)
}

// tx is a transaction of whoever has the lock.
func (m *Messages) tx(ctx context.Context, what string, f func(*sql.Tx) error) error {
	return engine.Write(ctx, m.db, what, m.fence, f)
}

// clean makes a text that every engine stores: PostgreSQL takes neither a NUL nor bytes that
// are no UTF-8. The message as it came is in Raw.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func cleanAll(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = clean(s)
	}
	return out
}

func (msg Message) cleaned() Message {
	for _, s := range []*string{&msg.Chat, &msg.ChatLID, &msg.ID, &msg.Sender, &msg.SenderLID, &msg.SenderName,
		&msg.Text, &msg.Target, &msg.Quoted, &msg.QuotedSender, &msg.QuotedText} {
		*s = clean(*s)
	}
	msg.Mentions = cleanAll(msg.Mentions)
	return msg
}

// moment is engine.Millis read back.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
