package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"switchboard/auth"
	"switchboard/engine"
)

// sessionMemory is how long an ended session stays on record: as long as its address counts
// as known.
const sessionMemory = 90 * 24 * time.Hour

const sessionColumns = `s."id", s."user_id", s."created_at", s."last_seen_at", s."expires_at", s."user_agent", s."address"`

// sessionScan has the places of sessionColumns; session is complete after a Scan into them.
type sessionScan struct {
	of                               auth.Session
	createdAt, lastSeenAt, expiresAt int64
}

func (s *sessionScan) places() []any {
	return []any{&s.of.ID, &s.of.UserID, &s.createdAt, &s.lastSeenAt, &s.expiresAt, &s.of.UserAgent, &s.of.Address}
}

func (s *sessionScan) session() auth.Session {
	s.of.CreatedAt, s.of.LastSeenAt, s.of.ExpiresAt = engine.Moment(s.createdAt), engine.Moment(s.lastSeenAt), engine.Moment(s.expiresAt)
	return s.of
}

// AddSession inserts a session; see auth.Sessions.
func (s *Store) AddSession(ctx context.Context, hash string, n auth.Session) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "sessions" WHERE "last_seen_at" < $1 AND "expires_at" < $1`,
			engine.Millis(n.CreatedAt.Add(-sessionMemory))); err != nil {
			return fmt.Errorf("forget old sessions: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO "sessions" ("token_hash", "id", "user_id", "created_at", "last_seen_at", "expires_at", "user_agent", "address")
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			hash, n.ID, n.UserID, engine.Millis(n.CreatedAt), engine.Millis(n.LastSeenAt), engine.Millis(n.ExpiresAt), n.UserAgent, n.Address); err != nil {
			return fmt.Errorf("add session: %w", err)
		}
		return noteSeen(ctx, tx, n)
	})
}

// SessionByHash returns a live session and its person; see auth.Sessions.
func (s *Store) SessionByHash(ctx context.Context, hash string, now time.Time) (auth.Session, auth.User, error) {
	var scan sessionScan
	var lacks int
	u, err := readUser(s.db.QueryRowContext(ctx, `
		SELECT `+userColumns+`, `+lacksSecondStep+`, `+sessionColumns+`
		FROM "sessions" s JOIN "users" u ON u."id" = s."user_id"
		WHERE s."token_hash" = $1 AND s."revoked_at" = 0 AND s."expires_at" > $2 AND u."disabled_at" = 0`, hash, engine.Millis(now)), append([]any{&lacks}, scan.places()...)...)
	if err != nil {
		return auth.Session{}, auth.User{}, absent("session", err)
	}
	scan.of.LacksSecondStep = lacks == 1
	return scan.session(), u, nil
}

// TouchSession notes that a session is in use; see auth.Sessions.
func (s *Store) TouchSession(ctx context.Context, n auth.Session) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx,
			`UPDATE "sessions" SET "last_seen_at" = $1, "expires_at" = $2, "address" = $3 WHERE "id" = $4`,
			engine.Millis(n.LastSeenAt), engine.Millis(n.ExpiresAt), n.Address, n.ID); err != nil {
			return fmt.Errorf("touch session: %w", err)
		}
		return noteSeen(ctx, tx, n)
	})
}

func noteSeen(ctx context.Context, tx *sql.Tx, n auth.Session) error {
	if _, err := tx.ExecContext(ctx, `UPDATE "users" SET "last_seen_at" = $1 WHERE "id" = $2`,
		engine.Millis(n.LastSeenAt), n.UserID); err != nil {
		return fmt.Errorf("note when a user was seen: %w", err)
	}
	return nil
}

// SessionsOf returns a person's live sessions, the last seen first.
func (s *Store) SessionsOf(ctx context.Context, user int64, now time.Time) ([]auth.Session, error) {
	return engine.All(ctx, s.db, "list sessions", func(r engine.Row) (auth.Session, error) {
		var scan sessionScan
		err := r.Scan(scan.places()...)
		return scan.session(), err
	}, `SELECT `+sessionColumns+` FROM "sessions" s
		WHERE s."user_id" = $1 AND s."revoked_at" = 0 AND s."expires_at" > $2
		ORDER BY s."last_seen_at" DESC, s."id"`, user, engine.Millis(now))
}

// RevokeSession ends a live session of that person; see auth.Sessions.
func (s *Store) RevokeSession(ctx context.Context, user int64, id string, at time.Time) error {
	if err := one(s.db.ExecContext(ctx, `
		UPDATE "sessions" SET "revoked_at" = $1 WHERE "id" = $2 AND "user_id" = $3 AND "revoked_at" = 0`,
		engine.Millis(at), id, user)); err != nil {
		return absent("session", err)
	}
	return nil
}

// KnownAddress reports whether a person had a session from address; see auth.Sessions.
func (s *Store) KnownAddress(ctx context.Context, email, address string) (bool, error) {
	return s.exists(ctx, `
		SELECT 1 FROM "users" u JOIN "sessions" s ON s."user_id" = u."id"
		WHERE u."email" = $1 AND s."address" = $2 LIMIT 1`, email, address)
}
