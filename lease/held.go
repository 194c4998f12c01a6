package lease

import (
	"context"
	"database/sql"
	"fmt"
)

// Held tells whether somebody holds the lease in db, and takes nothing. In a database that has
// no leases yet, nobody does.
func Held(ctx context.Context, db *sql.DB) (bool, error) {
	var is bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'lease')`).Scan(&is)
	if err == nil && is {
		err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM "lease" WHERE "holder" <> '' AND "expires_at" > `+now+`)`).Scan(&is)
	}
	if err != nil {
		return false, fmt.Errorf("look at lease: %w", err)
	}
	return is, nil
}
