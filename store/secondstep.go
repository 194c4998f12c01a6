package store

import (
	"context"
	"database/sql"
	"fmt"

	"switchboard/auth"
	"switchboard/engine"
)

// lacksSecondStep is 1 for the person u who has to have a second step and has none. Whoever has
// no password and comes by single sign-on alone shows theirs at the provider, if at all.
const lacksSecondStep = `CASE WHEN EXISTS (SELECT 1 FROM "second_step_roles" n WHERE n."role" = u."role")
	AND NOT EXISTS (SELECT 1 FROM "totp" f WHERE f."user_id" = u."id" AND f."confirmed_at" > 0)
	AND NOT EXISTS (SELECT 1 FROM "passkeys" f WHERE f."user_id" = u."id")
	AND NOT (u."password_hash" = '' AND EXISTS (SELECT 1 FROM "identities" i WHERE i."user_id" = u."id")) THEN 1 ELSE 0 END`

// SecondStepRoles returns whose people need a second step; see auth.SecondFactors.
func (s *Store) SecondStepRoles(ctx context.Context) ([]auth.Role, error) {
	return engine.Values[auth.Role](ctx, s.db, "read who needs a second step", `SELECT "role" FROM "second_step_roles" ORDER BY "role"`)
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
	have := map[int64]bool{}
	return have, engine.Each(ctx, s.db, "read who has a second step", func(r engine.Row) error {
		var id int64
		var own int
		err := r.Scan(&id, &own)
		have[id] = have[id] || own == 1
		return err
	}, `
		SELECT "user_id", 1 FROM "totp" WHERE "confirmed_at" > 0 UNION SELECT "user_id", 1 FROM "passkeys"
		UNION SELECT u."id", 0 FROM "users" u JOIN "identities" i ON i."user_id" = u."id" WHERE u."password_hash" = ''`)
}
