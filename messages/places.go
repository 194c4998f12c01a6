package messages

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"switchboard/engine"
)

// MediaHere returns the file in the number's folder that waits longest to be put elsewhere,
// nil if none is due, and when the next one is due; zero if none is.
func (m *Messages) MediaHere(ctx context.Context, now time.Time) (due *File, next time.Time, err error) {
	all, err := m.files(ctx, `WHERE d."state" = 'stored' AND d."place" = '' AND d."next_at" <= $1 ORDER BY d."next_at" LIMIT 1`, now.UnixMilli())
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(all) > 0 {
		return &all[0], time.Time{}, nil
	}
	next, err = m.nextMedia(ctx, `"state" = 'stored' AND "place" = ''`, now)
	return nil, next, err
}

// nextMedia returns when the next media of a kind are due after now.
func (m *Messages) nextMedia(ctx context.Context, kind string, now time.Time) (time.Time, error) {
	var at sql.NullInt64
	err := m.db.QueryRowContext(ctx, `SELECT min("next_at") FROM "media" WHERE `+kind+` AND "next_at" > $1`, now.UnixMilli()).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("read waiting media: %w", err)
	}
	return moment(at.Int64), nil
}

// MoveMedia notes that a file of the number's folder lies at place now. It tells whether it
// still was to be kept: what is not is the caller's to delete there.
func (m *Messages) MoveMedia(ctx context.Context, file, place string) (kept bool, err error) {
	err = m.transact(ctx, "store the place of media", func(tx *sql.Tx) error {
		kept, err = engine.Changed(tx.ExecContext(ctx, `UPDATE "media" SET "place" = $1, "next_at" = 0, "error" = ''
			WHERE "file" = $2 AND "state" = 'stored' AND "place" = ''`, place, file))
		return err
	})
	return kept, err
}

// PutOffMedia notes why a file of the number's folder could not be put elsewhere, and when it
// is tried again.
func (m *Messages) PutOffMedia(ctx context.Context, file, why string, until time.Time) error {
	return m.transact(ctx, "put off media", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "media" SET "error" = $1, "next_at" = $2 WHERE "file" = $3 AND "state" = 'stored' AND "place" = ''`,
			clean(why), engine.Millis(until), file)
		return err
	})
}

// LeaveMedia notes of files of the number's folder that they are not there: they are with
// WhatsApp until somebody asks.
func (m *Messages) LeaveMedia(ctx context.Context, files []string) error {
	return m.transact(ctx, "leave media", func(tx *sql.Tx) error {
		for _, file := range files {
			_, err := tx.ExecContext(ctx, `UPDATE "media" SET "state" = 'left', "error" = '', "next_at" = 0, "stored_at" = 0
				WHERE "file" = $1 AND "state" = 'stored' AND "place" = ''`, file)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// HurryMedia makes everything due that was put off.
func (m *Messages) HurryMedia(ctx context.Context) error {
	return m.transact(ctx, "hurry media", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "media" SET "next_at" = 0 WHERE "state" = 'stored' AND "place" = '' AND "next_at" <> 0`)
		return err
	})
}

// Backlog is what lies in the number's folder and waits to be put elsewhere.
type Backlog struct {
	Files int
	Bytes int64
	Since time.Time // when the oldest of them was stored
	Error string    // why the last one that was tried could not be; "" if none was, or it could
}

// MediaBacklog returns what lies in the number's folder.
func (m *Messages) MediaBacklog(ctx context.Context) (Backlog, error) {
	var b Backlog
	var since sql.NullInt64
	var why sql.NullString
	err := m.db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum("size"), 0), min(nullif("stored_at", 0)),
			(SELECT "error" FROM "media" WHERE "state" = 'stored' AND "place" = '' AND "error" <> '' ORDER BY "next_at" DESC LIMIT 1)
		FROM "media" WHERE "state" = 'stored' AND "place" = ''`).Scan(&b.Files, &b.Bytes, &since, &why)
	if err != nil {
		return Backlog{}, fmt.Errorf("read media that wait: %w", err)
	}
	b.Since, b.Error = moment(since.Int64), why.String
	return b, nil
}

// DropMedia notes that a file is not kept any longer; what it takes to fetch it again stays.
func (m *Messages) DropMedia(ctx context.Context, f File) error {
	return m.transact(ctx, "drop media", func(tx *sql.Tx) error {
		// It may have moved since it was read.
		err := tx.QueryRowContext(ctx, `SELECT "place" FROM "media" WHERE "file" = $1`, f.File).Scan(&f.Place)
		if err != nil {
			return err
		}
		if err := discard(ctx, tx, f); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE "media" SET "state" = 'removed', "place" = '' WHERE "file" = $1`, f.File)
		return err
	})
}

func discard(ctx context.Context, tx *sql.Tx, f File) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO "discarded" ("file", "place") VALUES ($1, $2) ON CONFLICT DO NOTHING`, f.File, f.Place)
	return err
}

// EachDiscarded calls remove with every file that is not kept any longer and may still be at its
// place, and forgets those with which remove succeeds. A file that has come back is left alone.
func (m *Messages) EachDiscarded(ctx context.Context, remove func(file, place string) error) error {
	type gone struct{ file, place string }
	all, err := engine.All(ctx, m.db, "read discarded media", func(r engine.Row) (g gone, err error) {
		err = r.Scan(&g.file, &g.place)
		return g, err
	}, `SELECT "file", "place" FROM "discarded" AS g WHERE NOT EXISTS (
			SELECT 1 FROM "media" AS d WHERE d."file" = g."file" AND d."place" = g."place" AND d."state" = 'stored')`)
	if err != nil {
		return err
	}
	for _, g := range all {
		if remove(g.file, g.place) != nil {
			continue
		}
		err := m.transact(ctx, "forget discarded media", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM "discarded" WHERE "file" = $1 AND "place" = $2`, g.file, g.place)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
