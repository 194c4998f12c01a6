package store

import (
	"context"
	"database/sql"
	"fmt"

	"switchboard/engine"
)

// sealedTables are those with secrets in them, and the column that names each.
var sealedTables = [][2]string{{"database_passwords", "instance"}, {"settings", "scope"}, {"totp", "user_id"}, {"sealed_keys", "name"}, {"secret_key", "name"}}

// Reseal replaces everything that is kept sealed by what reseal makes of it, all or nothing.
func (s *Store) Reseal(ctx context.Context, reseal func(table, name string, sealed []byte) ([]byte, error)) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, t := range sealedTables {
			if err := resealTable(ctx, tx, t[0], t[1], reseal); err != nil {
				return err
			}
		}
		return nil
	})
}

func resealTable(ctx context.Context, tx *sql.Tx, table, name string, reseal func(table, name string, sealed []byte) ([]byte, error)) error {
	type secret struct {
		name   any
		sealed []byte
	}
	all, err := engine.All(ctx, tx, "read "+table, func(r engine.Row) (x secret, err error) {
		err = r.Scan(&x.name, &x.sealed)
		return x, err
	}, `SELECT "`+name+`", "sealed" FROM "`+table+`"`)
	if err != nil {
		return err
	}
	for _, x := range all {
		fresh, err := reseal(table, fmt.Sprint(x.name), x.sealed)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE "`+table+`" SET "sealed" = $1 WHERE "`+name+`" = $2`, fresh, x.name); err != nil {
			return fmt.Errorf("reseal %s: %w", table, err)
		}
	}
	return nil
}
