package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"switchboard/auth"
	"switchboard/engine"
	"switchboard/instances"
)

const tokenColumns = `t."id", t."user_id", t."name", t."created_at", t."expires_at", t."last_used_at", t."revoked_at", t."scopes", t."numbers"`

// readToken reads userColumns and tokenColumns.
func readToken(r engine.Row) (auth.Token, auth.User, error) {
	var t auth.Token
	var createdAt, expiresAt, lastUsedAt, revokedAt int64
	var scopes, numbers string
	u, err := readUser(r, &t.ID, &t.UserID, &t.Name, &createdAt, &expiresAt, &lastUsedAt, &revokedAt, &scopes, &numbers)
	t.UserEmail = u.Email
	t.CreatedAt, t.ExpiresAt = engine.Moment(createdAt), engine.Moment(expiresAt)
	t.Scopes, t.Numbers = words[auth.Scope](scopes), words[instances.ID](numbers)
	t.LastUsedAt, t.RevokedAt = engine.Moment(lastUsedAt), engine.Moment(revokedAt)
	return t, u, err
}

// words reads a list that joined has written.
func words[T ~string](list string) []T {
	if list == "" {
		return nil
	}
	var all []T
	for word := range strings.SplitSeq(list, ",") {
		all = append(all, T(word))
	}
	return all
}

func joined[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, word := range list {
		all[i] = string(word)
	}
	return strings.Join(all, ",")
}

// AddToken inserts an API token.
func (s *Store) AddToken(ctx context.Context, hash string, t auth.Token) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO "tokens" ("token_hash", "id", "user_id", "name", "created_at", "expires_at", "scopes", "numbers")
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hash, t.ID, t.UserID, t.Name, engine.Millis(t.CreatedAt), engine.Millis(t.ExpiresAt), joined(t.Scopes), joined(t.Numbers))
	if err != nil {
		return fmt.Errorf("add token: %w", err)
	}
	return nil
}

// TokenByHash returns a token and its person; see auth.Tokens.
func (s *Store) TokenByHash(ctx context.Context, hash string) (auth.Token, auth.User, error) {
	t, u, err := readToken(s.db.QueryRowContext(ctx, `
		SELECT `+userColumns+`, `+tokenColumns+` FROM "tokens" t JOIN "users" u ON u."id" = t."user_id"
		WHERE t."token_hash" = $1`, hash))
	if err != nil {
		return auth.Token{}, auth.User{}, absent("token", err)
	}
	return t, u, nil
}

// Tokens returns one person's tokens, or everybody's; see auth.Tokens.
func (s *Store) Tokens(ctx context.Context, user int64) ([]auth.Token, error) {
	return engine.All(ctx, s.db, "list tokens", func(r engine.Row) (auth.Token, error) {
		t, _, err := readToken(r)
		return t, err
	}, `SELECT `+userColumns+`, `+tokenColumns+` FROM "tokens" t JOIN "users" u ON u."id" = t."user_id"
		WHERE u."id" = $1 OR $1 = 0 ORDER BY t."created_at", t."id"`, user)
}

// TouchToken writes when a token was last used.
func (s *Store) TouchToken(ctx context.Context, id string, at time.Time) error {
	if _, err := s.db.ExecContext(ctx, `UPDATE "tokens" SET "last_used_at" = $1 WHERE "id" = $2`, engine.Millis(at), id); err != nil {
		return fmt.Errorf("touch token: %w", err)
	}
	return nil
}

// RevokeToken marks a token revoked; see auth.Tokens.
func (s *Store) RevokeToken(ctx context.Context, user int64, id string, at time.Time) error {
	if err := one(s.db.ExecContext(ctx, `
		UPDATE "tokens" SET "revoked_at" = CASE "revoked_at" WHEN 0 THEN $1 ELSE "revoked_at" END
		WHERE "id" = $2 AND ("user_id" = $3 OR $3 = 0)`, engine.Millis(at), id, user)); err != nil {
		return absent("token", err)
	}
	return nil
}
