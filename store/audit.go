package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchboard/audit"
	"switchboard/engine"
	"switchboard/fault"
)

var _ audit.Store = (*Store)(nil)

const auditColumns = `"seq", "at", "user_id", "who", "via", "address", "action", "instance", "target", "result", "detail", "hash"`

func readEntry(r engine.Row) (audit.Entry, error) {
	var e audit.Entry
	var at int64
	err := r.Scan(&e.Seq, &at, &e.User, &e.Who, &e.Via, &e.Address, &e.Action, &e.Instance, &e.Target, &e.Result, &e.Detail, &e.Hash)
	e.At = engine.Moment(at)
	return e, err
}

// LastEntry returns the newest entry of the audit log; see audit.Store.
func (s *Store) LastEntry(ctx context.Context) (audit.Entry, error) {
	return s.oneEntry(ctx, `ORDER BY "seq" DESC LIMIT 1`)
}

// OldEntry returns the newest entry from before a time; see audit.Store.
func (s *Store) OldEntry(ctx context.Context, before time.Time) (audit.Entry, error) {
	return s.oneEntry(ctx, `WHERE "at" < $1 ORDER BY "seq" DESC LIMIT 1`, engine.Millis(before))
}

func (s *Store) oneEntry(ctx context.Context, which string, args ...any) (audit.Entry, error) {
	e, err := readEntry(s.db.QueryRowContext(ctx, `SELECT `+auditColumns+` FROM "audit" `+which, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Entry{}, nil
	}
	if err != nil {
		return audit.Entry{}, fmt.Errorf("read audit log: %w", err)
	}
	return e, nil
}

// AddEntry inserts an entry of the audit log; see audit.Store.
func (s *Store) AddEntry(ctx context.Context, e audit.Entry) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO "audit" (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		e.Seq, engine.Millis(e.At), e.User, e.Who, e.Via, e.Address, e.Action, e.Instance, e.Target, string(e.Result), e.Detail, e.Hash)
	if conflict(err) {
		return fault.Wrap(fault.Conflict, "This place in the audit log is taken.", err)
	}
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// Entries answers a query, the newest first; see audit.Store.
func (s *Store) Entries(ctx context.Context, q audit.Query) ([]audit.Entry, error) {
	where, args := []string{`1 = 1`}, []any{}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if q.Text != "" {
		args = append(args, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q.Text))+"%")
		either := []string{`LOWER("who" || ' ' || "via" || ' ' || "address" || ' ' || "action" || ' ' || "instance" || ' ' || "target" || ' ' || "detail" || ' ' || "result") LIKE $1 ESCAPE '\'`}
		for _, action := range q.Actions {
			args = append(args, action)
			either = append(either, fmt.Sprintf(`"action" = $%d`, len(args)))
		}
		for _, id := range q.Instances {
			args = append(args, id)
			either = append(either, fmt.Sprintf(`"instance" = $%d`, len(args)))
		}
		where = append(where, "("+strings.Join(either, " OR ")+")")
	}
	if q.Instance != "" {
		add(`"instance" = ?`, q.Instance)
	}
	if !q.From.IsZero() {
		add(`"at" >= ?`, engine.Millis(q.From))
	}
	if !q.To.IsZero() {
		add(`"at" < ?`, engine.Millis(q.To))
	}
	if q.Before > 0 {
		add(`"seq" < ?`, q.Before)
	}
	limit := ""
	if q.Limit > 0 {
		args = append(args, q.Limit)
		limit = fmt.Sprintf(" LIMIT $%d", len(args))
	}
	return engine.All(ctx, s.db, "read audit log", readEntry,
		`SELECT `+auditColumns+` FROM "audit" WHERE `+strings.Join(where, " AND ")+` ORDER BY "seq" DESC`+limit, args...)
}

// EachEntry calls f with every entry, oldest first; see audit.Store.
func (s *Store) EachEntry(ctx context.Context, f func(audit.Entry) error) error {
	return engine.Each(ctx, s.db, "read audit log", func(r engine.Row) error {
		e, err := readEntry(r)
		if err != nil {
			return err
		}
		return f(e)
	}, `SELECT `+auditColumns+` FROM "audit" ORDER BY "seq"`)
}

// RemoveEntries removes all up to and with that seq; see audit.Store.
func (s *Store) RemoveEntries(ctx context.Context, upTo int64) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM "audit" WHERE "seq" <= $1`, upTo); err != nil {
		return fmt.Errorf("shorten audit log: %w", err)
	}
	return nil
}
