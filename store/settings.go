package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"switchboard/engine"
	"switchboard/settings"
)

var _ settings.Store = (*Store)(nil)

// Settings returns the encrypted settings of a number, or those for all numbers with the
// scope "", and their revision; nil and 0 if there are none.
func (s *Store) Settings(ctx context.Context, scope string) (sealed []byte, revision int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT "sealed", "revision" FROM "settings" WHERE "scope" = $1`, scope).Scan(&sealed, &revision)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("read settings of %q: %w", scope, err)
	}
	return sealed, revision, nil
}

// SettingsRevisions returns the revision of every scope that has settings.
func (s *Store) SettingsRevisions(ctx context.Context) (map[string]int64, error) {
	all := map[string]int64{}
	return all, engine.Each(ctx, s.db, "list settings", func(r engine.Row) error {
		var scope string
		var revision int64
		err := r.Scan(&scope, &revision)
		all[scope] = revision
		return err
	}, `SELECT "scope", "revision" FROM "settings"`)
}

// SaveSettings replaces the revision was by revision, 0 being that there are none yet. ok is
// false, and nothing changed, if there is another revision by now or no such number.
func (s *Store) SaveSettings(ctx context.Context, scope string, sealed []byte, revision, was int64) (ok bool, err error) {
	var result sql.Result
	if was == 0 {
		result, err = s.db.ExecContext(ctx, `
			INSERT INTO "settings" ("scope", "sealed", "revision")
			SELECT $1, $2, $3 WHERE $1 = '' OR EXISTS (SELECT 1 FROM "instances" WHERE "id" = $1)
			ON CONFLICT ("scope") DO NOTHING`, scope, sealed, revision)
	} else {
		result, err = s.db.ExecContext(ctx, `
			UPDATE "settings" SET "sealed" = $1, "revision" = $2 WHERE "scope" = $3 AND "revision" = $4`,
			sealed, revision, scope, was)
	}
	if err != nil {
		return false, fmt.Errorf("save settings of %q: %w", scope, err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// ForgetSealed removes the settings of all numbers and the passwords of their databases, for when the key is lost
// that they were encrypted with: numbers cannot start with what nobody can read.
func (s *Store) ForgetSealed(ctx context.Context) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"settings", "database_passwords"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM "`+table+`"`); err != nil {
				return fmt.Errorf("forget %s: %w", table, err)
			}
		}
		return nil
	})
}
