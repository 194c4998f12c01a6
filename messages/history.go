package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// HistoryPart is a part of its history that the phone has handed over and that is not stored yet.
type HistoryPart struct {
	ID     string
	Notice []byte // says where it is, or holds it
	Tries  int    // how often it was begun
}

// AddHistoryPart keeps a part until NoteHistory or DropHistoryPart. One that is kept already
// stays as it is.
func (m *Messages) AddHistoryPart(ctx context.Context, id string, notice []byte) error {
	return m.transact(ctx, "keep a part of the history", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO "history_parts" ("id", "seq", "notice")
			VALUES ($1, (SELECT coalesce(max("seq"), 0) + 1 FROM "history_parts"), $2)
			ON CONFLICT ("id") DO NOTHING`, clean(id), notice)
		return err
	})
}

// BeginHistoryPart returns the part that was begun least often, the oldest of several, and
// counts that it is begun once more; nil if none is left.
func (m *Messages) BeginHistoryPart(ctx context.Context) (*HistoryPart, error) {
	var p HistoryPart
	err := m.transact(ctx, "begin a part of the history", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT "id", "notice", "tries" + 1 FROM "history_parts" ORDER BY "tries", "seq" LIMIT 1`).
			Scan(&p.ID, &p.Notice, &p.Tries)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE "history_parts" SET "tries" = "tries" + 1 WHERE "id" = $1`, p.ID)
		}
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &p, err
}

// DropHistoryPart gives a part up.
func (m *Messages) DropHistoryPart(ctx context.Context, id string) error {
	return m.transact(ctx, "drop a part of the history", func(tx *sql.Tx) error { return dropPart(ctx, tx, id) })
}

func dropPart(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM "history_parts" WHERE "id" = $1`, clean(id)); err != nil {
		return fmt.Errorf("part of the history: %w", err)
	}
	return nil
}
