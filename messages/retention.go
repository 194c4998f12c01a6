package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"switchboard/engine"
)

// atOnce is how many messages one transaction deletes, so that others do not wait for long.
const atOnce = 500

// StoredMedia returns how many bytes of media are in the number's folder, and how many in all.
func (m *Messages) StoredMedia(ctx context.Context) (here, all int64, err error) {
	err = m.db.QueryRowContext(ctx, `SELECT coalesce(sum(CASE WHEN "place" = '' THEN "size" ELSE 0 END), 0), coalesce(sum("size"), 0)
		FROM "media" WHERE "state" = 'stored'`).Scan(&here, &all)
	if err != nil {
		return 0, 0, fmt.Errorf("add up media: %w", err)
	}
	return here, all, nil
}

// Size returns about how many bytes messages have, without their media, and how many messages
// there are. It reads all of them.
func (m *Messages) Size(ctx context.Context) (bytes, count int64, err error) {
	// Beside its text and what came, a message has a few hundred bytes of names, flags and
	// indexes.
	err = m.db.QueryRowContext(ctx, `SELECT coalesce(sum(coalesce(length("raw"), 0) + 2 * length("text") + 400), 0), count(*) FROM "messages"`).
		Scan(&bytes, &count)
	if err != nil {
		return 0, 0, fmt.Errorf("add up messages: %w", err)
	}
	return bytes, count, nil
}

// OldMedia returns up to limit stored media of messages older than before, the oldest first;
// a zero time stands for any age.
func (m *Messages) OldMedia(ctx context.Context, before time.Time, limit int) ([]File, error) {
	at := int64(1) << 62
	if !before.IsZero() {
		at = before.UnixMilli()
	}
	return m.files(ctx, `JOIN "messages" m ON m."chat" = d."chat" AND m."id" = d."id" AND m."sender" = d."sender"
		WHERE d."state" = 'stored' AND m."at" < $1 ORDER BY m."at", d."file" LIMIT $2`, at, limit)
}

// Oldest returns the time of the message with which the oldest n end; zero if there are not
// that many.
func (m *Messages) Oldest(ctx context.Context, n int64) (time.Time, error) {
	var at int64
	err := m.db.QueryRowContext(ctx, `SELECT "at" FROM "messages" ORDER BY "at", "seq" LIMIT 1 OFFSET $1`, max(n-1, 0)).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the oldest messages: %w", err)
	}
	return moment(at), nil
}

// Forget deletes up to a few hundred messages older than before with all that belongs to
// them, and returns how many; EachDiscarded has the files that were theirs. It is called again
// until it returns 0. Messages that are still being sent stay, and so do events: an outbox
// keeps its own copies of what it delivers.
func (m *Messages) Forget(ctx context.Context, before time.Time) (n int, err error) {
	err = m.transact(ctx, "delete old messages", func(tx *sql.Tx) error {
		type key struct{ chat, id, sender string }
		keys, err := engine.All(ctx, tx, "find old messages", func(r engine.Row) (k key, err error) {
			err = r.Scan(&k.chat, &k.id, &k.sender)
			return k, err
		}, `SELECT "chat", "id", "sender" FROM "messages" WHERE "at" < $1 AND "status" <> 'queued' ORDER BY "at", "seq" LIMIT $2`, before.UnixMilli(), atOnce)
		if err != nil {
			return err
		}
		for _, k := range keys {
			var f File
			err := tx.QueryRowContext(ctx, `SELECT "file", "state", "place" FROM "media" WHERE "chat" = $1 AND "id" = $2 AND "sender" = $3`, k.chat, k.id, k.sender).
				Scan(&f.File, &f.State, &f.Place)
			if err == nil && f.State == Stored {
				err = discard(ctx, tx, f)
			}
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			for _, table := range []string{"media", "edits", "messages"} {
				if _, err := tx.ExecContext(ctx, `DELETE FROM "`+table+`" WHERE "chat" = $1 AND "id" = $2 AND "sender" = $3`, k.chat, k.id, k.sender); err != nil {
					return err
				}
			}
			for _, table := range []string{"reactions", "receipts", "votes", "polls"} {
				if _, err := tx.ExecContext(ctx, `DELETE FROM "`+table+`" WHERE "chat" = $1 AND "id" = $2`, k.chat, k.id); err != nil {
					return err
				}
			}
		}
		n = len(keys)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
