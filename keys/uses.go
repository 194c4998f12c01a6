package keys

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"switchboard/engine"
)

// Uses keeps in the number's own database when its keys were last used.
type Uses struct{ DB *sql.DB }

// All returns what was noted, by id of the key.
func (u Uses) All(ctx context.Context) (map[string]time.Time, error) {
	used := map[string]time.Time{}
	return used, engine.Each(ctx, u.DB, "read uses of keys", func(r engine.Row) error {
		var id string
		var at int64
		err := r.Scan(&id, &at)
		used[id] = engine.Moment(at)
		return err
	}, `SELECT "key", "at" FROM "key_uses"`)
}

// Note remembers that a key was used.
func (u Uses) Note(ctx context.Context, id string, at time.Time) error {
	_, err := u.DB.ExecContext(ctx, `INSERT INTO "key_uses" ("key", "at") VALUES ($1, $2)
		ON CONFLICT ("key") DO UPDATE SET "at" = excluded."at"`, id, at.UnixMilli())
	if err != nil {
		return fmt.Errorf("note the use of a key: %w", err)
	}
	return nil
}
