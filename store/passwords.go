package store

import (
	"context"
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
	var kept []byte
	err = s.db.QueryRowContext(ctx, `SELECT "sealed" FROM "database_passwords" WHERE "instance" = $1`, id).Scan(&kept)
	if err != nil {
		return nil, fmt.Errorf("read password of %s: %w", id, err)
	}
	return kept, nil
}

// ForgetPassword removes it. Idempotent.
func (s *Store) ForgetPassword(ctx context.Context, id instances.ID) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM "database_passwords" WHERE "instance" = $1`, id); err != nil {
		return fmt.Errorf("forget password of %s: %w", id, err)
	}
	return nil
}
