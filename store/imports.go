package store

import (
	"context"
	"fmt"
	"time"
)

// Imported returns the JIDs of the numbers that were taken over from another program.
func (s *Store) Imported(ctx context.Context) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT "jid" FROM "imports" ORDER BY "jid"`)
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	defer rows.Close()
	var jids []string
	for rows.Next() {
		var jid string
		if err := rows.Scan(&jid); err != nil {
			return nil, fmt.Errorf("list imports: %w", err)
		}
		jids = append(jids, jid)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return jids, nil
}

// RememberImport notes that a number was taken over. Idempotent.
func (s *Store) RememberImport(ctx context.Context, jid string) error {
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO "imports" ("jid", "imported_at") VALUES ($1, $2) ON CONFLICT ("jid") DO NOTHING`,
		jid, time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("remember import: %w", err)
	}
	return nil
}
