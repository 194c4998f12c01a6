package store

import (
	"context"
	"database/sql"
	"fmt"

	"switchboard/auth"
)

// lacksSecondStep is 1 for the person u who has to have a second step and has none. Whoever has
// no password and comes by single sign-on alone shows theirs at the provider, if at all.
const lacksSecondStep = `CASE WHEN EXISTS (SELECT 1 FROM "second_step_roles" n WHERE n."role" = u."role")
	AND NOT EXISTS (SELECT 1 FROM "totp" f WHERE f."user_id" = u."id" AND f."confirmed_at" > 0)
	AND NOT EXISTS (SELECT 1 FROM "passkeys" f WHERE f."user_id" = u."id")
	AND NOT (u."password_hash" = '' AND EXISTS (SELECT 1 FROM "identities" i WHERE i."user_id" = u."id")) THEN 1 ELSE 0 END`

// SecondStepRoles returns whose people need a second step; see auth.SecondFactors.
func (s *Store) SecondStepRoles(ctx context.Context) (roles []auth.Role, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT "role" FROM "second_step_roles" ORDER BY "role"`)
	if err != nil {
		return nil, fmt.Errorf("read who needs a second step: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var role auth.Role
		if err := rows.Scan(&role); err != nil {
			return nil, fmt.Errorf("read who needs a second step: %w", err)
		}
		roles = append(roles, role)
	}
	return roles, rows.Err()
}

// SetSecondStepRoles replaces them; see auth.SecondFactors.
func (s *Store) SetSecondStepRoles(ctx context.Context, roles []auth.Role) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "second_step_roles"`); err != nil {
			return fmt.Errorf("write who needs a second step: %w", err)
		}
		for _, role := range roles {
			if _, err := tx.ExecContext(ctx, `INSERT INTO "second_step_roles" ("role") VALUES ($1)`, role); err != nil {
				return fmt.Errorf("write who needs a second step: %w", err)
			}
		}
		return nil
	})
}

// WithSecondStep returns who has one; see auth.SecondFactors.
func (s *Store) WithSecondStep(ctx context.Context) (map[int64]bool, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT "user_id", 1 FROM "totp" WHERE "confirmed_at" > 0 UNION SELECT "user_id", 1 FROM "passkeys"
		UNION SELECT u."id", 0 FROM "users" u JOIN "identities" i ON i."user_id" = u."id" WHERE u."password_hash" = ''`)
	if err != nil {
		return nil, fmt.Errorf("read who has a second step: %w", err)
	}
	defer rows.Close()
	have := map[int64]bool{}
	for rows.Next() {
		var id int64
		var own int
		if err := rows.Scan(&id, &own); err != nil {
			return nil, fmt.Errorf("read who has a second step: %w", err)
		}
		have[id] = have[id] || own == 1
	}
	return have, rows.Err()
}
