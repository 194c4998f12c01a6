package store

import (
	"context"
	"database/sql"
	"fmt"

	"switchboard/auth"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

// NumbersOf returns the numbers that a person was given; see auth.Grants.
func (s *Store) NumbersOf(ctx context.Context, user int64) ([]instances.ID, error) {
	return engine.Values[instances.ID](ctx, s.db, "list what somebody was given", `
		SELECT "instance" FROM "number_grants" WHERE "user_id" = $1
		UNION SELECT n."instance" FROM "group_grants" g JOIN "group_numbers" n ON n."group_id" = g."group_id"
		WHERE g."user_id" = $1 ORDER BY 1`, user)
}

// GrantOf returns what a person was given, as it was given.
func (s *Store) GrantOf(ctx context.Context, user int64) (g auth.Grant, err error) {
	u, err := s.UserByID(ctx, user)
	if err != nil {
		return g, err
	}
	g.All = u.AllNumbers
	if g.Numbers, err = engine.Values[instances.ID](ctx, s.db, "list what somebody was given",
		`SELECT "instance" FROM "number_grants" WHERE "user_id" = $1 ORDER BY 1`, user); err != nil {
		return g, err
	}
	g.Groups, err = engine.Values[string](ctx, s.db, "list what somebody was given", `SELECT "group_id" FROM "group_grants" WHERE "user_id" = $1 ORDER BY 1`, user)
	return g, err
}

// SetGrant replaces what a person was given; see auth.Grants.
func (s *Store) SetGrant(ctx context.Context, user int64, g auth.Grant) error {
	all := 0
	if g.All {
		all = 1
	}
	return s.within(ctx, func(tx *sql.Tx) error {
		if err := one(tx.ExecContext(ctx, `UPDATE "users" SET "all_numbers" = $1 WHERE "id" = $2`, all, user)); err != nil {
			return absent("user", err)
		}
		for _, table := range []string{"number_grants", "group_grants"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM "`+table+`" WHERE "user_id" = $1`, user); err != nil {
				return fmt.Errorf("take numbers away: %w", err)
			}
		}
		for _, id := range g.Numbers {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO "number_grants" ("user_id", "instance") VALUES ($1, $2) ON CONFLICT DO NOTHING`, user, id); err != nil {
				return fmt.Errorf("give number: %w", err)
			}
		}
		for _, id := range g.Groups {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO "group_grants" ("user_id", "group_id") SELECT $1, "id" FROM "number_groups" WHERE "id" = $2
				ON CONFLICT DO NOTHING`, user, id); err != nil {
				return fmt.Errorf("give group: %w", err)
			}
		}
		return nil
	})
}

// Groups returns all groups of numbers, by name.
func (s *Store) Groups(ctx context.Context) ([]auth.Group, error) {
	var all []auth.Group
	err := engine.Each(ctx, s.db, "list groups", func(r engine.Row) error {
		var g auth.Group
		var number instances.ID
		if err := r.Scan(&g.ID, &g.Name, &number); err != nil {
			return err
		}
		if n := len(all); n == 0 || all[n-1].ID != g.ID {
			all = append(all, g)
		}
		if number != "" {
			last := &all[len(all)-1]
			last.Numbers = append(last.Numbers, number)
		}
		return nil
	}, `
		SELECT g."id", g."name", COALESCE(n."instance", '') FROM "number_groups" g
		LEFT JOIN "group_numbers" n ON n."group_id" = g."id" ORDER BY g."name_key", g."id", n."instance"`)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// SaveGroup inserts a fresh group or replaces one; see auth.Grants.
func (s *Store) SaveGroup(ctx context.Context, g auth.Group, fresh bool) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		var err error
		if fresh {
			_, err = tx.ExecContext(ctx, `INSERT INTO "number_groups" ("id", "name", "name_key") VALUES ($1, $2, $3)`, g.ID, g.Name, nameKey(g.Name))
		} else {
			err = one(tx.ExecContext(ctx, `UPDATE "number_groups" SET "name" = $1, "name_key" = $2 WHERE "id" = $3`, g.Name, nameKey(g.Name), g.ID))
		}
		if conflict(err) {
			return &fault.Error{Kind: fault.Conflict, Field: "name", Err: err, Message: "There is already a group with this name."}
		}
		if err != nil {
			return absent("group", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM "group_numbers" WHERE "group_id" = $1`, g.ID); err != nil {
			return fmt.Errorf("empty group: %w", err)
		}
		for _, id := range g.Numbers {
			if _, err := tx.ExecContext(ctx, `INSERT INTO "group_numbers" ("group_id", "instance") VALUES ($1, $2)`, g.ID, id); err != nil {
				return fmt.Errorf("fill group: %w", err)
			}
		}
		return nil
	})
}

// RemoveGroup removes a group; see auth.Grants.
func (s *Store) RemoveGroup(ctx context.Context, id string) error {
	if err := one(s.db.ExecContext(ctx, `DELETE FROM "number_groups" WHERE "id" = $1`, id)); err != nil {
		return absent("group", err)
	}
	return nil
}
