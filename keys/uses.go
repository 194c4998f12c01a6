package keys

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Uses keeps in the number's own database when its keys were last used.
type Uses struct{ DB *sql.DB }

// All returns what was noted, by id of the key.
func (u Uses) All(ctx context.Context) (map[string]time.Time, error) {
	rows, err := u.DB.QueryContext(ctx, `SELECT "key", "at" FROM "key_uses"`)
	if err != nil {
		return nil, fmt.Errorf("read uses of keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	used := map[string]time.Time{}
	for rows.Next() {
		var id string
		var at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, fmt.Errorf("read uses of keys: %w", err)
		}
		used[id] = time.UnixMilli(at).UTC()
	}
	return used, rows.Err()
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
