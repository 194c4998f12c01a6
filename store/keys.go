package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// KeepKey stores a sealed secret of this installation under a name, unless there is one
// already, and returns the one that is stored.
func (s *Store) KeepKey(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	return s.keep(ctx, "sealed_keys", name, sealed)
}

// ReplaceKey stores a sealed secret of this installation in place of the one of that name.
func (s *Store) ReplaceKey(ctx context.Context, name string, sealed []byte) error {
	return s.replace(ctx, "sealed_keys", name, sealed)
}

// SealedKey returns the sealed secret of that name, nil if there is none.
func (s *Store) SealedKey(ctx context.Context, name string) ([]byte, error) {
	return s.sealed(ctx, "sealed_keys", name)
}

// probe is the name of the one row of "secret_key".
const probe = "probe"

// KeepProbe stores what tells the right secret key, unless it is there already.
func (s *Store) KeepProbe(ctx context.Context, sealed []byte) error {
	_, err := s.keep(ctx, "secret_key", probe, sealed)
	return err
}

// ReplaceProbe stores another one.
func (s *Store) ReplaceProbe(ctx context.Context, sealed []byte) error {
	if err := s.KeepProbe(ctx, sealed); err != nil {
		return err
	}
	return s.replace(ctx, "secret_key", probe, sealed)
}

// Probe returns it, nil if there is none yet.
func (s *Store) Probe(ctx context.Context) ([]byte, error) {
	return s.sealed(ctx, "secret_key", probe)
}

func (s *Store) keep(ctx context.Context, table, name string, sealed []byte) ([]byte, error) {
	if _, err := s.db.ExecContext(ctx,
		`INSERT INTO "`+table+`" ("name", "sealed") VALUES ($1, $2) ON CONFLICT ("name") DO NOTHING`, name, sealed); err != nil {
		return nil, fmt.Errorf("keep key %s: %w", name, err)
	}
	return s.sealed(ctx, table, name)
}

func (s *Store) replace(ctx context.Context, table, name string, sealed []byte) error {
	if _, err := s.db.ExecContext(ctx, `UPDATE "`+table+`" SET "sealed" = $1 WHERE "name" = $2`, sealed, name); err != nil {
		return fmt.Errorf("replace key %s: %w", name, err)
	}
	return nil
}

func (s *Store) sealed(ctx context.Context, table, name string) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRowContext(ctx, `SELECT "sealed" FROM "`+table+`" WHERE "name" = $1`, name).Scan(&sealed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read key %s: %w", name, err)
	}
	return sealed, nil
}
