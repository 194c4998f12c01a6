package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"switchboard/instances"
)

// KeepPassword stores the encrypted password of an instance's database role, unless there
// is one already, and returns the one that is stored.
func (s *Store) KeepPassword(ctx context.Context, id instances.ID, sealed []byte) ([]byte, error) {
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO "database_passwords" ("instance", "sealed") VALUES ($1, $2) ON CONFLICT ("instance") DO NOTHING`, id, sealed)
	if err != nil {
		return nil, fmt.Errorf("keep password of %s: %w", id, err)
	}
	return s.Password(ctx, id)
}

// Password returns the encrypted password of an instance's database role, nil if there is
// none.
func (s *Store) Password(ctx context.Context, id instances.ID) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRowContext(ctx, `SELECT "sealed" FROM "database_passwords" WHERE "instance" = $1`, id).Scan(&sealed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read password of %s: %w", id, err)
	}
	return sealed, nil
}

// ForgetPassword removes it. Idempotent.
func (s *Store) ForgetPassword(ctx context.Context, id instances.ID) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM "database_passwords" WHERE "instance" = $1`, id); err != nil {
		return fmt.Errorf("forget password of %s: %w", id, err)
	}
	return nil
}
