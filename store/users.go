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

var _ auth.Store = (*Store)(nil)

const userColumns = `u."id", u."email", u."name", u."role", u."created_at", u."last_seen_at", u."disabled_at", u."all_numbers"`

// readUser reads userColumns, and what follows them into more.
func readUser(r engine.Row, more ...any) (auth.User, error) {
	var u auth.User
	var createdAt, lastSeenAt, disabledAt, all int64
	err := r.Scan(append([]any{&u.ID, &u.Email, &u.Name, &u.Role, &createdAt, &lastSeenAt, &disabledAt, &all}, more...)...)
	u.CreatedAt, u.LastSeenAt, u.DisabledAt = engine.Moment(createdAt), engine.Moment(lastSeenAt), engine.Moment(disabledAt)
	u.AllNumbers = all != 0
	return u, err
}

// AddUser inserts a person; see auth.Users.
func (s *Store) AddUser(ctx context.Context, u auth.User, passwordHash string) error {
	return addUser(ctx, s.db, u, passwordHash)
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func addUser(ctx context.Context, db execer, u auth.User, passwordHash string) error {
	_, err := db.ExecContext(ctx, `
		INSERT INTO "users" ("id", "email", "name", "role", "password_hash", "created_at", "last_seen_at")
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		u.ID, u.Email, u.Name, u.Role, passwordHash, engine.Millis(u.CreatedAt), engine.Millis(u.LastSeenAt))
	if conflictOn(err, "users", "email") {
		return &fault.Error{Kind: fault.Conflict, Field: "email", Err: err,
			Message: "There is already somebody with this e-mail address."}
	} else if err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	return nil
}

// Users returns everybody, oldest first.
func (s *Store) Users(ctx context.Context) ([]auth.User, error) {
	return engine.All(ctx, s.db, "list users", func(r engine.Row) (auth.User, error) { return readUser(r) },
		`SELECT `+userColumns+` FROM "users" u ORDER BY u."created_at", u."id"`)
}

// UserByEmail returns a person and their password hash; see auth.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (auth.User, string, error) {
	var hash string
	u, err := readUser(s.db.QueryRowContext(ctx,
		`SELECT `+userColumns+`, u."password_hash" FROM "users" u WHERE u."email" = $1`, email), &hash)
	if err != nil {
		return auth.User{}, "", absent("user", err)
	}
	return u, hash, nil
}

// UserByID returns a person; see auth.Users.
func (s *Store) UserByID(ctx context.Context, id int64) (auth.User, error) {
	u, err := readUser(s.db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM "users" u WHERE u."id" = $1`, id))
	if err != nil {
		return auth.User{}, absent("user", err)
	}
	return u, nil
}

// SaveUser writes what can be changed about a person; see auth.Users.
func (s *Store) SaveUser(ctx context.Context, u auth.User) error {
	return s.keepingAnOwner(ctx, func(tx *sql.Tx) error {
		if err := one(tx.ExecContext(ctx, `UPDATE "users" SET "name" = $1, "role" = $2, "disabled_at" = $3 WHERE "id" = $4`,
			u.Name, u.Role, engine.Millis(u.DisabledAt), u.ID)); err != nil {
			return absent("user", err)
		}
		if u.DisabledAt.IsZero() {
			return nil
		}
		return signOutEverywhere(ctx, tx, u.ID, u.DisabledAt)
	})
}

// RemoveUser removes a person; see auth.Users.
func (s *Store) RemoveUser(ctx context.Context, id int64) error {
	return s.keepingAnOwner(ctx, func(tx *sql.Tx) error {
		if err := one(tx.ExecContext(ctx, `DELETE FROM "users" WHERE "id" = $1`, id)); err != nil {
			return absent("user", err)
		}
		return nil
	})
}

// keepingAnOwner runs do in a transaction that does not take the last owner away. Two at the
// same moment wait for each other: the first statement locks the rows of all owners.
func (s *Store) keepingAnOwner(ctx context.Context, do func(tx *sql.Tx) error) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		locked, err := tx.ExecContext(ctx, `UPDATE "users" SET "role" = "role" WHERE "role" = $1 AND "disabled_at" = 0`, auth.Owner)
		if err != nil {
			return fmt.Errorf("lock owners: %w", err)
		}
		if err := do(tx); err != nil {
			return err
		}
		before, err := locked.RowsAffected()
		if err != nil {
			return fmt.Errorf("count owners: %w", err)
		}
		var after int64
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM "users" WHERE "role" = $1 AND "disabled_at" = 0`, auth.Owner).Scan(&after); err != nil {
			return fmt.Errorf("count owners: %w", err)
		}
		if before > 0 && after == 0 {
			return fault.New(fault.Conflict, "This is the last owner. Make somebody else an owner first.")
		}
		return nil
	})
}

func signOutEverywhere(ctx context.Context, tx *sql.Tx, user int64, at time.Time) error {
	if _, err := tx.ExecContext(ctx,
		`UPDATE "sessions" SET "revoked_at" = $1 WHERE "user_id" = $2 AND "revoked_at" = 0`, engine.Millis(at), user); err != nil {
		return fmt.Errorf("revoke sessions: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM "sign_in_links" WHERE "user_id" = $1`, user); err != nil {
		return fmt.Errorf("remove sign-in links: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM "challenges" WHERE "user_id" = $1`, user); err != nil {
		return fmt.Errorf("forget challenges: %w", err)
	}
	return nil
}

// HasOwner reports whether anybody is an owner.
func (s *Store) HasOwner(ctx context.Context) (bool, error) {
	return s.exists(ctx, `SELECT 1 FROM "users" WHERE "role" = $1 LIMIT 1`, auth.Owner)
}

// SetPasswordHash gives a person a new password; see auth.Users.
func (s *Store) SetPasswordHash(ctx context.Context, user int64, hash string, at time.Time) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if err := one(tx.ExecContext(ctx, `UPDATE "users" SET "password_hash" = $1 WHERE "id" = $2`, hash, user)); err != nil {
			return absent("user", err)
		}
		return signOutEverywhere(ctx, tx, user, at)
	})
}

// Rehash renews the hash of a password that stays the same; see auth.Users.
func (s *Store) Rehash(ctx context.Context, user int64, old, hash string) error {
	_, err := s.db.ExecContext(ctx,
		`UPDATE "users" SET "password_hash" = $1 WHERE "id" = $2 AND "password_hash" = $3`, hash, user, old)
	if err != nil {
		return fmt.Errorf("renew password hash: %w", err)
	}
	return nil
}

// ReplaceSetupLink makes hash the only setup link.
func (s *Store) ReplaceSetupLink(ctx context.Context, hash string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "setup_links"`); err != nil {
			return fmt.Errorf("remove setup link: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO "setup_links" ("token_hash") VALUES ($1)`, hash); err != nil {
			return fmt.Errorf("add setup link: %w", err)
		}
		return nil
	})
}

// IsSetupLink reports whether hash still makes an owner; see auth.Links.
func (s *Store) IsSetupLink(ctx context.Context, hash string) (bool, error) {
	return s.exists(ctx, `
		SELECT 1 FROM "setup_links" WHERE "token_hash" = $1
			AND NOT EXISTS (SELECT 1 FROM "users" WHERE "role" = $2)`, hash, auth.Owner)
}

// AddOwner uses the setup link up and inserts the owner; see auth.Links.
func (s *Store) AddOwner(ctx context.Context, setupHash string, u auth.User, passwordHash string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		// Of two at the same moment one deletes the row; the other waits for it and finds none.
		if err := one(tx.ExecContext(ctx, `
			DELETE FROM "setup_links" WHERE "token_hash" = $1
				AND NOT EXISTS (SELECT 1 FROM "users" WHERE "role" = $2)`, setupHash, auth.Owner)); err != nil {
			return absent("setup link", err)
		}
		return addUser(ctx, tx, u, passwordHash)
	})
}

// AddSignInLink inserts a link in place of the person's earlier ones.
func (s *Store) AddSignInLink(ctx context.Context, hash string, user int64, purpose auth.LinkPurpose, expires time.Time) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "sign_in_links" WHERE "user_id" = $1`, user); err != nil {
			return fmt.Errorf("remove sign-in links: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO "sign_in_links" ("token_hash", "user_id", "purpose", "expires_at") VALUES ($1, $2, $3, $4)`,
			hash, user, purpose, engine.Millis(expires)); err != nil {
			return fmt.Errorf("add sign-in link: %w", err)
		}
		return nil
	})
}

// SignInLink returns the person that a link signs in; see auth.Links.
func (s *Store) SignInLink(ctx context.Context, hash string, purpose auth.LinkPurpose, now time.Time) (auth.User, error) {
	return signInLink(ctx, s.db, hash, purpose, now)
}

func signInLink(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, hash string, purpose auth.LinkPurpose, now time.Time) (auth.User, error) {
	u, err := readUser(db.QueryRowContext(ctx, `
		SELECT `+userColumns+` FROM "sign_in_links" l JOIN "users" u ON u."id" = l."user_id"
		WHERE l."token_hash" = $1 AND l."purpose" = $2 AND l."expires_at" > $3 AND u."disabled_at" = 0`, hash, purpose, engine.Millis(now)))
	if err != nil {
		return auth.User{}, absent("sign-in link", err)
	}
	return u, nil
}

// UseSignInLink is SignInLink and removes the link; see auth.Links.
func (s *Store) UseSignInLink(ctx context.Context, hash string, purpose auth.LinkPurpose, now time.Time) (auth.User, error) {
	u, err := s.SignInLink(ctx, hash, purpose, now)
	if err != nil {
		return auth.User{}, err
	}
	// Whoever removes the row has won; everybody else comes too late.
	if err := one(s.db.ExecContext(ctx, `DELETE FROM "sign_in_links" WHERE "token_hash" = $1`, hash)); err != nil {
		return auth.User{}, absent("sign-in link", err)
	}
	return u, nil
}

// within runs do in a transaction, which is rolled back when do fails.
func (s *Store) within(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", unwritable(err))
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := do(tx); err != nil {
		return unwritable(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", unwritable(err))
	}
	return nil
}

// one turns a statement that changed no row into sql.ErrNoRows.
func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return sql.ErrNoRows
	}
	return nil
}

// absent turns sql.ErrNoRows into a fault.NotFound. What is asked for is always part of a
// longer story, which its caller tells.
func absent(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Wrap(fault.NotFound, "This does not exist, or not any more.", fmt.Errorf("no such %s", what))
	}
	return fmt.Errorf("read %s: %w", what, err)
}

func (s *Store) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look something up: %w", err)
	}
	return true, nil
}
