package phone

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"switchboard/engine"
)

// book is what all phones of a fleet keep: who they are, and their entries.
type book struct {
	db  *sql.DB
	seq atomic.Int64
}

const schema = `
CREATE TABLE IF NOT EXISTS "phones" (
	"number" TEXT PRIMARY KEY,
	"record" TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS "entries" (
	"phone"   TEXT NOT NULL,
	"chat"    TEXT NOT NULL,
	"id"      TEXT NOT NULL,
	"seq"     BIGINT NOT NULL,
	"at"      BIGINT NOT NULL,
	"born"    BIGINT NOT NULL, -- the first seq; orders what happened within one second
	"unread"  BIGINT NOT NULL,
	"entry"   TEXT NOT NULL,
	"message" BLOB NOT NULL,
	PRIMARY KEY ("phone", "chat", "id")
);
CREATE UNIQUE INDEX IF NOT EXISTS "entries_by_seq" ON "entries" ("phone", "seq");
CREATE INDEX IF NOT EXISTS "entries_by_time" ON "entries" ("phone", "chat", "at");
`

// record is what a phone has to remember beside its keys.
type record struct {
	Name     string `json:"name"`
	RawID    uint32 `json:"raw_id"`    // of the account's statements about its devices
	KeyIndex uint32 `json:"key_index"` // of the last linked device
	Off      bool   `json:"off"`
	Seeded   bool   `json:"seeded"` // app state
	Answer   Answer `json:"answer"`
}

// row is an entry with what only the phone itself needs.
type row struct {
	Entry
	ChatJID   string `json:"chat_jid"` // as the network addressed it
	SenderJID string `json:"sender_jid"`
	message   []byte // waE2E.Message
}

func openBook(ctx context.Context, db *sql.DB) (*book, error) {
	if _, err := db.ExecContext(ctx, schema+marksSchema); err != nil {
		return nil, fmt.Errorf("set up the phones' tables: %w", err)
	}
	var seq int64
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX("seq"), 0) FROM "entries"`).Scan(&seq); err != nil {
		return nil, fmt.Errorf("find the last entry: %w", err)
	}
	b := &book{db: db}
	b.seq.Store(seq)
	return b, nil
}

func (b *book) saveRecord(ctx context.Context, number string, r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = b.db.ExecContext(ctx, `INSERT INTO "phones" ("number", "record") VALUES ($1, $2)
		ON CONFLICT ("number") DO UPDATE SET "record" = excluded."record"`, number, string(text))
	if err != nil {
		return fmt.Errorf("save a phone: %w", err)
	}
	return nil
}

func (b *book) records(ctx context.Context) (map[string]record, error) {
	all := map[string]record{}
	return all, engine.Each(ctx, b.db, "list the phones", func(row engine.Row) error {
		var number, text string
		var r record
		err := row.Scan(&number, &text)
		if err == nil {
			err = json.Unmarshal([]byte(text), &r)
		}
		all[number] = r
		return err
	}, `SELECT "number", "record" FROM "phones"`)
}

// add stores a new entry and gives it its Seq. It reports whether it was new. Adds and
// updates of one phone must not overlap, or a reader could miss a Seq.
func (b *book) add(ctx context.Context, phone string, r *row) (bool, error) {
	r.Seq = b.seq.Add(1)
	text, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	res, err := b.db.ExecContext(ctx, `INSERT INTO "entries" ("phone", "chat", "id", "seq", "at", "born", "unread", "entry", "message")
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT ("phone", "chat", "id") DO NOTHING`,
		phone, r.Chat, r.ID, r.Seq, r.Time.UnixMilli(), r.Seq, number(r.Unread), string(text), r.message)
	if err != nil {
		return false, fmt.Errorf("save an entry: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// update changes one entry if change says so, and reports whether it did. An entry that is
// not there is no error.
func (b *book) update(ctx context.Context, phone, chat, id string, change func(*row) bool) (bool, error) {
	r, err := b.get(ctx, phone, chat, id)
	if err != nil || r == nil || !change(r) {
		return false, err
	}
	r.Seq = b.seq.Add(1)
	text, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	_, err = b.db.ExecContext(ctx, `UPDATE "entries" SET "seq" = $1, "unread" = $2, "entry" = $3, "message" = $4
		WHERE "phone" = $5 AND "chat" = $6 AND "id" = $7`,
		r.Seq, number(r.Unread), string(text), r.message, phone, chat, id)
	if err != nil {
		return false, fmt.Errorf("change an entry: %w", err)
	}
	return true, nil
}

const selectRow = `SELECT "entry", "message" FROM "entries" `

// get returns one entry, nil if it is not there.
func (b *book) get(ctx context.Context, phone, chat, id string) (*row, error) {
	r, err := scanRow(b.db.QueryRowContext(ctx, selectRow+`WHERE "phone" = $1 AND "chat" = $2 AND "id" = $3`, phone, chat, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// since returns entries that changed after seq, in the order of their changes.
func (b *book) since(ctx context.Context, phone string, seq int64, limit int) ([]*row, error) {
	return b.query(ctx, selectRow+`WHERE "phone" = $1 AND "seq" > $2 ORDER BY "seq" LIMIT $3`, phone, seq, limit)
}

// last returns the last entries of a chat before a time (Unix milliseconds), newest first.
func (b *book) last(ctx context.Context, phone, chat string, before int64, limit int) ([]*row, error) {
	return b.query(ctx, selectRow+`WHERE "phone" = $1 AND "chat" = $2 AND "at" < $3 ORDER BY "at" DESC, "born" DESC LIMIT $4`,
		phone, chat, before, limit)
}

// unread returns the entries of a chat that nobody has read.
func (b *book) unread(ctx context.Context, phone, chat string) ([]*row, error) {
	return b.query(ctx, selectRow+`WHERE "phone" = $1 AND "chat" = $2 AND "unread" = 1 ORDER BY "at", "born"`, phone, chat)
}

// chats returns the chats of a phone with their numbers of unread entries, the liveliest first.
func (b *book) chats(ctx context.Context, phone string) ([]Chat, error) {
	return engine.All(ctx, b.db, "list the chats", func(r engine.Row) (c Chat, err error) {
		err = r.Scan(&c.Chat, &c.Unread)
		return c, err
	}, `SELECT "chat", SUM("unread") FROM "entries" WHERE "phone" = $1 GROUP BY "chat" ORDER BY MAX("at") DESC, MAX("born") DESC`, phone)
}

func (b *book) query(ctx context.Context, q string, args ...any) ([]*row, error) {
	return engine.All(ctx, b.db, "read entries", scanRow, q, args...)
}

func scanRow(s engine.Row) (*row, error) {
	var text string
	r := &row{}
	if err := s.Scan(&text, &r.message); err != nil {
		return nil, fmt.Errorf("read an entry: %w", err)
	}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("read an entry: %w", err)
	}
	return r, nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
