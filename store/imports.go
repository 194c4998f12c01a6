package store

import (
	"context"
	"fmt"
	"time"

	"switchboard/engine"
)

// Imported returns the JIDs of the numbers that were taken over from another program.
func (s *Store) Imported(ctx context.Context) ([]string, error) {
	return engine.Values[string](ctx, s.db, "list imports", `SELECT "jid" FROM "imports" ORDER BY "jid"`)
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
