package messages

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"switchboard/engine"
)

// GroupInfo is what is known of a group.
type GroupInfo struct {
	JID       string
	Name      string
	Topic     string
	Owner     string
	CreatedAt time.Time
	Announce  bool // only administrators send
	Locked    bool // only administrators change name and picture
	Ephemeral time.Duration
	Members   []Member
}

// Member of a group.
type Member struct {
	JID  string // phone-number form where known
	LID  string
	Role string // "", "admin" or "superadmin"
}

// SaveGroup stores a group as it is now, in the place of what was known of it.
func (m *Messages) SaveGroup(ctx context.Context, g GroupInfo, events ...Event) error {
	defer m.expiries.forget()
	return m.write(ctx, "store a group", events, func(tx *sql.Tx) (bool, error) {
		jid, now := clean(g.JID), time.Now().UnixMilli()
		_, err := tx.ExecContext(ctx, `
			INSERT INTO "groups" ("jid", "name", "topic", "owner", "created_at", "announce", "locked", "left_at") VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
			ON CONFLICT ("jid") DO UPDATE SET "name" = excluded."name", "topic" = excluded."topic", "owner" = excluded."owner",
				"created_at" = excluded."created_at", "announce" = excluded."announce", "locked" = excluded."locked", "left_at" = 0`,
			jid, clean(g.Name), clean(g.Topic), clean(g.Owner), engine.Millis(g.CreatedAt), g.Announce, g.Locked)
		if err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, upsertChat, jid, "", clean(g.Name), 0, 0, engine.Millis(g.CreatedAt), now); err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE "chats" SET "ephemeral" = $1 WHERE "jid" = $2`, int64(g.Ephemeral/time.Second), jid); err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM "members" WHERE "group" = $1`, jid); err != nil {
			return false, err
		}
		for _, member := range g.Members {
			if err := saveMember(ctx, tx, jid, member); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// GroupChange is what changed of a group; nil and empty for what did not.
type GroupChange struct {
	JID       string
	Name      *string
	Topic     *string
	Announce  *bool
	Locked    *bool
	Ephemeral *time.Duration
	Joined    []Member // also those whose role changed
	Left      []Member
	Out       bool // this number is no longer in the group
	At        time.Time
}

// ChangeGroup stores what changed of a group.
func (m *Messages) ChangeGroup(ctx context.Context, c GroupChange, events ...Event) error {
	defer m.expiries.forget()
	return m.write(ctx, "change a group", events, func(tx *sql.Tx) (bool, error) {
		jid := clean(c.JID)
		run := func(query string, args ...any) error {
			_, err := tx.ExecContext(ctx, query, args...)
			return err
		}
		if err := run(`INSERT INTO "groups" ("jid") VALUES ($1) ON CONFLICT ("jid") DO NOTHING`, jid); err != nil {
			return false, err
		}
		name := ""
		if c.Name != nil {
			name = clean(*c.Name)
			if err := run(`UPDATE "groups" SET "name" = $1 WHERE "jid" = $2`, name, jid); err != nil {
				return false, err
			}
		}
		if err := run(upsertChat, jid, "", name, 0, 0, 0, time.Now().UnixMilli()); err != nil {
			return false, err
		}
		if c.Topic != nil {
			if err := run(`UPDATE "groups" SET "topic" = $1 WHERE "jid" = $2`, clean(*c.Topic), jid); err != nil {
				return false, err
			}
		}
		if c.Announce != nil {
			if err := run(`UPDATE "groups" SET "announce" = $1 WHERE "jid" = $2`, *c.Announce, jid); err != nil {
				return false, err
			}
		}
		if c.Locked != nil {
			if err := run(`UPDATE "groups" SET "locked" = $1 WHERE "jid" = $2`, *c.Locked, jid); err != nil {
				return false, err
			}
		}
		if c.Ephemeral != nil {
			if err := run(`UPDATE "chats" SET "ephemeral" = $1 WHERE "jid" = $2`, int64(*c.Ephemeral/time.Second), jid); err != nil {
				return false, err
			}
		}
		if c.Out {
			if err := run(`UPDATE "groups" SET "left_at" = $1 WHERE "jid" = $2`, engine.Millis(c.At), jid); err != nil {
				return false, err
			}
		}
		for _, member := range c.Joined {
			if err := saveMember(ctx, tx, jid, member); err != nil {
				return false, err
			}
		}
		for _, member := range c.Left {
			if err := run(`DELETE FROM "members" WHERE "group" = $1 AND "jid" IN ($2, $3)`, jid, clean(member.JID), clean(member.LID)); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

func saveMember(ctx context.Context, tx *sql.Tx, group string, member Member) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO "members" ("group", "jid", "lid", "role") VALUES ($1, $2, $3, $4)
		ON CONFLICT ("group", "jid") DO UPDATE SET "lid" = CASE WHEN excluded."lid" <> '' THEN excluded."lid" ELSE "members"."lid" END, "role" = excluded."role"`,
		group, clean(member.JID), clean(member.LID), member.Role)
	if err != nil || member.LID == "" || member.LID == member.JID {
		return err
	}
	return saveContact(ctx, tx, Person{JID: member.JID, LID: member.LID})
}

// KnowsGroups tells whether any group is stored.
func (m *Messages) KnowsGroups(ctx context.Context) (known bool, err error) {
	if err = m.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM "groups")`).Scan(&known); err != nil {
		return false, fmt.Errorf("read whether groups are known: %w", err)
	}
	return known, nil
}
