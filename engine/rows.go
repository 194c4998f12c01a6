package engine

import (
	"context"
	"database/sql"
	"fmt"
)

// Queryer is a database, a connection or a transaction.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Row is what is read from.
type Row interface{ Scan(into ...any) error }

// Each calls do with each row that a query gives, and ends with its first error. Until it
// returns, the connection answers nothing else. what is in the error.
func Each(ctx context.Context, q Queryer, what string, do func(Row) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// All returns what read makes of each row that a query gives; nil if there is none.
func All[T any](ctx context.Context, q Queryer, what string, read func(Row) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := Each(ctx, q, what, func(r Row) error {
		one, err := read(r)
		all = append(all, one)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Values returns what a query of one column gives.
func Values[T any](ctx context.Context, q Queryer, what, query string, args ...any) ([]T, error) {
	return All(ctx, q, what, func(r Row) (one T, err error) {
		err = r.Scan(&one)
		return one, err
	}, query, args...)
}

// Changed tells whether a statement changed any row.
func Changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// Write runs do in a transaction, which is rolled back if it fails. fence, which may be nil, is
// asked in it first whether anything may be written at all. what is in the error.
func Write(ctx context.Context, db *sql.DB, what string, fence func(ctx context.Context, tx *sql.Tx) error, do func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	if fence != nil {
		err = fence(ctx, tx)
	}
	if err == nil {
		err = do(tx)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
