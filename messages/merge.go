package messages

import (
	"context"
	"database/sql"
)

// merge moves what is stored under a person's hidden address to the phone number, which has
// just become known. Nothing else than the address changes; what is there under both already
// stays where it is.
func merge(ctx context.Context, tx *sql.Tx, lid, jid string) error {
	if lid == "" || lid == jid {
		return nil
	}
	var found bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM "chats" WHERE "jid" = $1)`, lid).Scan(&found)
	if err != nil || !found {
		return err
	}
	run := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	run(`INSERT INTO "chats" ("jid", "lid", "name", "last_at", "archived", "pinned_at", "muted_until", "unread", "ephemeral", "created_at", "updated_at")
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), "name", "last_at", "archived", "pinned_at", "muted_until", "unread", "ephemeral", "created_at", "updated_at"
		FROM "chats" WHERE "jid" = $3
		ON CONFLICT ("jid") DO UPDATE SET
			"lid" = excluded."lid",
			"last_at" = CASE WHEN excluded."last_at" > "chats"."last_at" THEN excluded."last_at" ELSE "chats"."last_at" END,
			"unread" = "chats"."unread" + excluded."unread",
			"created_at" = CASE WHEN excluded."created_at" <> 0 AND excluded."created_at" < "chats"."created_at"
				THEN excluded."created_at" ELSE "chats"."created_at" END`, jid, lid, lid)
	run(`DELETE FROM "chats" WHERE "jid" = $1`, lid)
	// A person's own messages in this chat name them by the hidden address too.
	for _, table := range []string{"messages", "media", "edits"} {
		extra := ""
		if table == "edits" {
			extra = ` AND o."edit" = "edits"."edit"`
		}
		run(`UPDATE "`+table+`" SET "sender" = CASE WHEN "sender" = $1 THEN CAST($2 AS TEXT) ELSE "sender" END, "chat" = CAST($3 AS TEXT)
			WHERE "chat" = $4 AND NOT EXISTS (SELECT 1 FROM "`+table+`" AS o WHERE o."chat" = $5 AND o."id" = "`+table+`"."id"`+extra+`)`,
			lid, jid, jid, lid, jid)
	}
	for table, person := range map[string]string{"reactions": "person", "receipts": "person", "votes": "voter"} {
		run(`UPDATE "`+table+`" SET "`+person+`" = CASE WHEN "`+person+`" = $1 THEN CAST($2 AS TEXT) ELSE "`+person+`" END, "chat" = CAST($3 AS TEXT)
			WHERE "chat" = $4 AND NOT EXISTS (SELECT 1 FROM "`+table+`" AS o WHERE o."chat" = $5 AND o."id" = "`+table+`"."id")`,
			lid, jid, jid, lid, jid)
	}
	run(`UPDATE "polls" SET "chat" = CAST($1 AS TEXT)
		WHERE "chat" = $2 AND NOT EXISTS (SELECT 1 FROM "polls" AS o WHERE o."chat" = $3 AND o."id" = "polls"."id")`, jid, lid, jid)
	run(`UPDATE "calls" SET "chat" = CAST($1 AS TEXT), "caller" = CAST($2 AS TEXT) WHERE "chat" = $3`, jid, jid, lid)
	// What the person was called under the hidden address fills what is not known otherwise.
	run(`UPDATE "contacts" SET
			"name" = CASE WHEN "contacts"."name" = '' THEN o."name" ELSE "contacts"."name" END,
			"push_name" = CASE WHEN "contacts"."push_name" = '' THEN o."push_name" ELSE "contacts"."push_name" END,
			"business_name" = CASE WHEN "contacts"."business_name" = '' THEN o."business_name" ELSE "contacts"."business_name" END
		FROM (SELECT * FROM "contacts" WHERE "jid" = $1) AS o WHERE "contacts"."jid" = $2`, lid, jid)
	run(`DELETE FROM "contacts" WHERE "jid" = $1`, lid)
	return err
}
