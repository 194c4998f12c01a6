package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"switchboard/auth"
	"switchboard/engine"
	"switchboard/fault"
)

// change runs a statement that has to change a row, or else there is no such what.
func (s *Store) change(ctx context.Context, what, query string, args ...any) error {
	if err := one(s.db.ExecContext(ctx, query, args...)); err != nil {
		return absent(what, err)
	}
	return nil
}

// TOTP returns the seed of a person's authenticator app; see auth.SecondFactors.
func (s *Store) TOTP(ctx context.Context, user int64) (t auth.TOTP, err error) {
	var confirmed int64
	err = s.db.QueryRowContext(ctx, `SELECT "sealed", "confirmed_at", "step" FROM "totp" WHERE "user_id" = $1`, user).Scan(&t.Sealed, &confirmed, &t.Step)
	if err != nil {
		return auth.TOTP{}, absent("authenticator app", err)
	}
	t.ConfirmedAt = engine.Moment(confirmed)
	return t, nil
}

// SaveTOTP writes a seed that does not count yet; see auth.SecondFactors.
func (s *Store) SaveTOTP(ctx context.Context, user int64, sealed []byte) error {
	err := one(s.db.ExecContext(ctx, `
		INSERT INTO "totp" ("user_id", "sealed", "confirmed_at", "step") VALUES ($1, $2, 0, 0)
		ON CONFLICT ("user_id") DO UPDATE SET "sealed" = excluded."sealed" WHERE "totp"."confirmed_at" = 0`, user, sealed))
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.Conflict, "There is an authenticator app already.")
	}
	if err != nil {
		return fmt.Errorf("save authenticator app: %w", err)
	}
	return nil
}

// ConfirmTOTP makes an authenticator app count; see auth.SecondFactors.
func (s *Store) ConfirmTOTP(ctx context.Context, user, step int64, at time.Time) error {
	return s.change(ctx, "authenticator app", `
		UPDATE "totp" SET "confirmed_at" = $1, "step" = $2 WHERE "user_id" = $3 AND "confirmed_at" = 0`, engine.Millis(at), step, user)
}

// UseTOTP marks a step used; see auth.SecondFactors.
func (s *Store) UseTOTP(ctx context.Context, user, step int64) error {
	return s.change(ctx, "unused code", `UPDATE "totp" SET "step" = $1 WHERE "user_id" = $2 AND "step" < $1 AND "confirmed_at" > 0`, step, user)
}

// remove deletes what tables hold of a person.
func (s *Store) remove(ctx context.Context, user int64, tables ...string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, table := range tables {
			if _, err := tx.ExecContext(ctx, `DELETE FROM "`+table+`" WHERE "user_id" = $1`, user); err != nil {
				return fmt.Errorf("remove second factor: %w", err)
			}
		}
		return nil
	})
}

// RemoveTOTP removes the authenticator app and the recovery codes.
func (s *Store) RemoveTOTP(ctx context.Context, user int64) error {
	return s.remove(ctx, user, "totp", "recovery_codes")
}

// RemoveFactors removes all that a person has beside the password.
func (s *Store) RemoveFactors(ctx context.Context, user int64) error {
	return s.remove(ctx, user, "totp", "recovery_codes", "passkeys")
}

// RecoveryCodes counts the recovery codes that are left.
func (s *Store) RecoveryCodes(ctx context.Context, user int64) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM "recovery_codes" WHERE "user_id" = $1`, user).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count recovery codes: %w", err)
	}
	return n, nil
}

// SetRecoveryCodes replaces a person's recovery codes.
func (s *Store) SetRecoveryCodes(ctx context.Context, user int64, hashes []string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "recovery_codes" WHERE "user_id" = $1`, user); err != nil {
			return fmt.Errorf("remove recovery codes: %w", err)
		}
		for _, hash := range hashes {
			if _, err := tx.ExecContext(ctx, `INSERT INTO "recovery_codes" ("user_id", "code_hash") VALUES ($1, $2)`, user, hash); err != nil {
				return fmt.Errorf("add recovery code: %w", err)
			}
		}
		return nil
	})
}

// UseRecoveryCode removes one; see auth.SecondFactors.
func (s *Store) UseRecoveryCode(ctx context.Context, user int64, hash string) error {
	return s.change(ctx, "recovery code", `DELETE FROM "recovery_codes" WHERE "user_id" = $1 AND "code_hash" = $2`, user, hash)
}

const passkeyColumns = `"id", "user_id", "name", "credential", "created_at", "last_used_at"`

func readPasskey(r engine.Row) (p auth.Passkey, err error) {
	var createdAt, lastUsedAt int64
	err = r.Scan(&p.ID, &p.UserID, &p.Name, &p.Credential, &createdAt, &lastUsedAt)
	p.CreatedAt, p.LastUsedAt = engine.Moment(createdAt), engine.Moment(lastUsedAt)
	return p, err
}

// Passkeys returns a person's passkeys, oldest first.
func (s *Store) Passkeys(ctx context.Context, user int64) ([]auth.Passkey, error) {
	return engine.All(ctx, s.db, "list passkeys", readPasskey,
		`SELECT `+passkeyColumns+` FROM "passkeys" WHERE "user_id" = $1 ORDER BY "created_at", "id"`, user)
}

// PasskeyByID returns one.
func (s *Store) PasskeyByID(ctx context.Context, id string) (auth.Passkey, error) {
	p, err := readPasskey(s.db.QueryRowContext(ctx, `SELECT `+passkeyColumns+` FROM "passkeys" WHERE "id" = $1`, id))
	if err != nil {
		return auth.Passkey{}, absent("passkey", err)
	}
	return p, nil
}

// AddPasskey inserts one.
func (s *Store) AddPasskey(ctx context.Context, p auth.Passkey) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO "passkeys" (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		p.ID, p.UserID, p.Name, p.Credential, engine.Millis(p.CreatedAt), engine.Millis(p.LastUsedAt))
	if conflict(err) {
		return fault.Wrap(fault.Conflict, "This passkey is here already.", err)
	}
	if err != nil {
		return fmt.Errorf("add passkey: %w", err)
	}
	return nil
}

// TouchPasskey writes the credential and when it was last used.
func (s *Store) TouchPasskey(ctx context.Context, p auth.Passkey) error {
	return s.change(ctx, "passkey", `UPDATE "passkeys" SET "credential" = $1, "last_used_at" = $2 WHERE "id" = $3`, p.Credential, engine.Millis(p.LastUsedAt), p.ID)
}

// RemovePasskey removes one of a person's.
func (s *Store) RemovePasskey(ctx context.Context, user int64, id string) error {
	return s.change(ctx, "passkey", `DELETE FROM "passkeys" WHERE "user_id" = $1 AND "id" = $2`, user, id)
}

// UserByIdentity returns the person whom a provider of single sign-on knows by subject.
func (s *Store) UserByIdentity(ctx context.Context, issuer, subject string) (auth.User, error) {
	u, err := readUser(s.db.QueryRowContext(ctx, `
		SELECT `+userColumns+` FROM "identities" i JOIN "users" u ON u."id" = i."user_id"
		WHERE i."issuer" = $1 AND i."subject" = $2`, issuer, subject))
	if err != nil {
		return auth.User{}, absent("identity", err)
	}
	return u, nil
}

// AddIdentity notes whom a provider of single sign-on knows by subject.
func (s *Store) AddIdentity(ctx context.Context, issuer, subject string, user int64) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO "identities" ("issuer", "subject", "user_id") VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, issuer, subject, user)
	if err != nil {
		return fmt.Errorf("add identity: %w", err)
	}
	return nil
}

// AddChallenge writes what a browser has to finish; see auth.SecondFactors.
func (s *Store) AddChallenge(ctx context.Context, hash string, c auth.Challenge, now time.Time) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "challenges" WHERE "expires_at" <= $1`, engine.Millis(now)); err != nil {
			return fmt.Errorf("forget challenges: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO "challenges" ("token_hash", "purpose", "user_id", "data", "expires_at") VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT ("token_hash", "purpose") DO UPDATE SET "user_id" = excluded."user_id", "data" = excluded."data", "expires_at" = excluded."expires_at"`,
			hash, c.Purpose, c.UserID, c.Data, engine.Millis(c.ExpiresAt)); err != nil {
			return fmt.Errorf("add challenge: %w", err)
		}
		return nil
	})
}

// Challenge returns what a browser has to finish.
func (s *Store) Challenge(ctx context.Context, hash, purpose string, now time.Time) (auth.Challenge, error) {
	c := auth.Challenge{Purpose: purpose}
	var expires int64
	err := s.db.QueryRowContext(ctx, `
		SELECT "user_id", "data", "expires_at" FROM "challenges" WHERE "token_hash" = $1 AND "purpose" = $2 AND "expires_at" > $3`,
		hash, purpose, engine.Millis(now)).Scan(&c.UserID, &c.Data, &expires)
	if err != nil {
		return auth.Challenge{}, absent("challenge", err)
	}
	c.ExpiresAt = engine.Moment(expires)
	return c, nil
}

// RemoveChallenge removes one; see auth.SecondFactors.
func (s *Store) RemoveChallenge(ctx context.Context, hash, purpose string) error {
	return s.change(ctx, "challenge", `DELETE FROM "challenges" WHERE "token_hash" = $1 AND "purpose" = $2`, hash, purpose)
}
