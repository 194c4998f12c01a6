package messages

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"switchboard/engine"
)

// Chat is a conversation.
type Chat struct {
	JID        string // without device; the phone-number form where known
	LID        string // the hidden form of a chat with one person, "" where unknown
	Name       string // the group's, or the person's: that of the address book, their own, or that of their business; "" where unknown
	LastAt     time.Time
	Archived   bool
	PinnedAt   time.Time // zero: not pinned
	MutedUntil time.Time // zero: not muted; far away: for good
	Unread     int
	Ephemeral  time.Duration // after which messages disappear; 0: never
	CreatedAt  time.Time     // of the oldest message known here
	UpdatedAt  time.Time
}

// ChatKind is what kind of conversation a chat is.
type ChatKind string

// The kinds of chats.
const (
	Direct     ChatKind = "person"
	Group      ChatKind = "group"
	Newsletter ChatKind = "newsletter"
	Statuses   ChatKind = "status"
	Broadcast  ChatKind = "broadcast"
)

// KindOfChat tells the kind of a chat by its JID.
func KindOfChat(jid string) ChatKind {
	switch {
	case jid == statusChat:
		return Statuses
	case strings.HasSuffix(jid, "@g.us"):
		return Group
	case strings.HasSuffix(jid, "@newsletter"):
		return Newsletter
	case strings.HasSuffix(jid, "@broadcast"):
		return Broadcast
	}
	return Direct
}

// NameChat stores the name of a chat, a group's subject for example.
func (m *Messages) NameChat(ctx context.Context, jid, name string, events ...Event) error {
	return m.write(ctx, "name a chat", events, func(tx *sql.Tx) (bool, error) {
		_, err := tx.ExecContext(ctx, upsertChat, clean(jid), "", clean(name), 0, 0, 0, time.Now().UnixMilli())
		return true, err
	})
}

// ChatChange is what changed of a chat; nil for what did not.
type ChatChange struct {
	LID        string // "" for unchanged
	Archived   *bool
	PinnedAt   *time.Time
	MutedUntil *time.Time
	Unread     *int
	Ephemeral  *time.Duration
}

// ChangeChat stores what changed of a chat, and makes the chat if there is none.
func (m *Messages) ChangeChat(ctx context.Context, jid string, c ChatChange, events ...Event) error {
	if c.Ephemeral != nil {
		defer m.expiries.forget()
	}
	return m.write(ctx, "change a chat", events, func(tx *sql.Tx) (bool, error) {
		now := time.Now().UnixMilli()
		if _, err := tx.ExecContext(ctx, upsertChat, clean(jid), clean(c.LID), "", 0, 0, 0, now); err != nil {
			return false, err
		}
		var sets []string
		args := []any{}
		set := func(column string, value any) {
			args = append(args, value)
			sets = append(sets, fmt.Sprintf(`"%s" = $%d`, column, len(args)))
		}
		if c.Archived != nil {
			set("archived", *c.Archived)
		}
		if c.PinnedAt != nil {
			set("pinned_at", engine.Millis(*c.PinnedAt))
		}
		if c.MutedUntil != nil {
			set("muted_until", engine.Millis(*c.MutedUntil))
		}
		if c.Unread != nil {
			set("unread", *c.Unread)
		}
		if c.Ephemeral != nil {
			set("ephemeral", int64(*c.Ephemeral/time.Second))
		}
		if len(sets) == 0 {
			return true, nil
		}
		args = append(args, clean(jid))
		_, err := tx.ExecContext(ctx, `UPDATE "chats" SET `+strings.Join(sets, ", ")+fmt.Sprintf(` WHERE "jid" = $%d`, len(args)), args...)
		return true, err
	})
}

// ChatFilter chooses chats; the zero value chooses all.
type ChatFilter struct {
	JID      string // this chat alone
	Search   string // part of the name or the JID, in any case
	Written  bool   // not those that are known without a message, because they are muted for example
	HasMedia bool
	Archived *bool
	Limit    int // 0: no limit
	Offset   int
}

// hasMedia is a condition on a message.
const hasMedia = `"kind" IN ('image', 'video', 'audio', 'document', 'sticker')`

// Chats returns the chats that a filter chooses, pinned ones and then those with the newest
// messages first, and how many there are without limit and offset. Status posts are no chat.
func (m *Messages) Chats(ctx context.Context, f ChatFilter) (_ []Chat, total int, err error) {
	name := `coalesce(nullif(c."name", ''), nullif(p."name", ''), nullif(p."push_name", ''), nullif(p."business_name", ''), '')`
	from := `FROM "chats" c LEFT JOIN "contacts" p ON p."jid" = c."jid" WHERE c."jid" <> $1`
	args := []any{statusChat}
	mark := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if f.JID != "" {
		from += ` AND c."jid" = ` + mark(clean(f.JID))
	}
	if f.Search != "" {
		pattern := like(f.Search)
		from += ` AND (lower(` + name + `) LIKE ` + mark(pattern) + ` ESCAPE '\' OR c."jid" LIKE ` + mark(pattern) + ` ESCAPE '\')`
	}
	if f.Written {
		from += ` AND c."last_at" > 0`
	}
	if f.HasMedia {
		from += ` AND EXISTS (SELECT 1 FROM "messages" m WHERE m."chat" = c."jid" AND m.` + hasMedia + `)`
	}
	if f.Archived != nil {
		from += ` AND c."archived" = ` + mark(*f.Archived)
	}
	if err := m.db.QueryRowContext(ctx, `SELECT count(*) `+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count chats: %w", err)
	}
	query := `SELECT c."jid", c."lid", ` + name + `, c."last_at", c."archived", c."pinned_at", c."muted_until", c."unread",
		c."ephemeral", c."created_at", c."updated_at" ` + from + ` ORDER BY CASE WHEN c."pinned_at" <> 0 THEN 0 ELSE 1 END, c."last_at" DESC, c."jid"`
	all, err := engine.All(ctx, m.db, "read chats", func(r engine.Row) (c Chat, err error) {
		var last, pinned, muted, ephemeral, created, updated int64
		err = r.Scan(&c.JID, &c.LID, &c.Name, &last, &c.Archived, &pinned, &muted, &c.Unread, &ephemeral, &created, &updated)
		c.LastAt, c.PinnedAt, c.MutedUntil = moment(last), moment(pinned), moment(muted)
		c.CreatedAt, c.UpdatedAt, c.Ephemeral = moment(created), moment(updated), time.Duration(ephemeral)*time.Second
		return c, err
	}, query+page(f.Limit, f.Offset, mark), args...)
	if all == nil {
		all = []Chat{} // for JSON
	}
	return all, total, err
}

// page is the end of a query that reads one page; limit 0 reads everything after offset.
func page(limit, offset int, mark func(any) string) string {
	switch {
	case limit > 0:
		return ` LIMIT ` + mark(limit) + ` OFFSET ` + mark(max(offset, 0))
	case offset > 0:
		return ` LIMIT ` + mark(int64(1)<<62) + ` OFFSET ` + mark(offset)
	}
	return ""
}

// like is a pattern for texts in lower case that have s in them.
func like(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(clean(s))) + "%"
}
