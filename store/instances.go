package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

var _ instances.Store = (*Store)(nil)

// Instances returns all numbers, oldest first.
func (s *Store) Instances(ctx context.Context) ([]instances.Instance, error) {
	return engine.All(ctx, s.db, "list instances", func(r engine.Row) (i instances.Instance, err error) {
		var since, retryAt, activeAt, createdAt int64
		err = r.Scan(&i.ID, &i.Name, &i.Phone, &i.Owner, &i.JID, &i.LID, &i.PushName, &i.Desired, &i.Status,
			&i.Reason, &since, &retryAt, &i.Port, &i.Database.Engine, &i.Database.Main,
			&i.Database.Keys, &activeAt, &i.Restarts, &createdAt)
		i.Since, i.RetryAt, i.CreatedAt = engine.Moment(since), engine.Moment(retryAt), engine.Moment(createdAt)
		i.ActiveAt = engine.Moment(activeAt)
		return i, err
	}, `
		SELECT "id", "name", "phone", "owner", "jid", "lid", "push_name", "desired", "status",
			"reason", "since", "retry_at", "port", "database_engine", "database_main",
			"database_keys", "active_at", "restarts", "created_at"
		FROM "instances" ORDER BY "created_at", "id"`)
}

// AddInstance inserts one number and returns its id; see instances.Store.
func (s *Store) AddInstance(ctx context.Context, i instances.Instance, requestID string) (instances.ID, error) {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO "instances" ("id", "name", "name_key", "phone", "owner", "jid", "lid", "push_name",
			"desired", "status", "reason", "since", "retry_at", "port", "database_engine",
			"database_main", "database_keys", "restarts", "created_at", "request_id")
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		i.ID, i.Name, nameKey(i.Name), i.Phone, i.Owner, i.JID, i.LID, i.PushName,
		i.Desired, i.Status, i.Reason, engine.Millis(i.Since), engine.Millis(i.RetryAt), i.Port, i.Database.Engine,
		i.Database.Main, i.Database.Keys, i.Restarts, engine.Millis(i.CreatedAt), sql.NullString{String: requestID, Valid: requestID != ""})
	if err == nil {
		return i.ID, nil
	}
	if !conflict(err) {
		return "", fmt.Errorf("add instance %s: %w", i.ID, err)
	}
	if requestID != "" {
		// Only after the insertion is it certain that the first of two equal requests is seen.
		var id instances.ID
		again := s.db.QueryRowContext(ctx, `SELECT "id" FROM "instances" WHERE "request_id" = $1`, requestID).Scan(&id)
		if again == nil {
			return id, nil
		} else if again != sql.ErrNoRows {
			return "", fmt.Errorf("look for request: %w", again)
		}
	}
	return "", s.instanceConflict(err, i)
}

// SaveInstance writes what outlives a worker; see instances.Store. A name in use is a
// fault.Conflict, an unknown id a fault.NotFound.
func (s *Store) SaveInstance(ctx context.Context, i instances.Instance) error {
	result, err := s.db.ExecContext(ctx, `
		UPDATE "instances" SET "name" = $1, "name_key" = $2, "phone" = $3, "jid" = $4, "lid" = $5,
			"push_name" = $6, "desired" = $7, "status" = $8, "reason" = $9, "since" = $10,
			"retry_at" = $11, "active_at" = $12, "restarts" = $13
		WHERE "id" = $14`,
		i.Name, nameKey(i.Name), i.Phone, i.JID, i.LID,
		i.PushName, i.Desired, i.Status, i.Reason, engine.Millis(i.Since),
		engine.Millis(i.RetryAt), engine.Millis(i.ActiveAt), i.Restarts, i.ID)
	if conflict(err) {
		return s.instanceConflict(err, i)
	} else if err != nil {
		return fmt.Errorf("save instance %s: %w", i.ID, err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return fmt.Errorf("save instance %s: %w", i.ID, err)
	} else if n == 0 {
		return fault.New(fault.NotFound, "This number no longer exists.")
	}
	return nil
}

// RemoveInstance deletes one number's record, its settings and who was given it; an unknown id
// is no error.
func (s *Store) RemoveInstance(ctx context.Context, id instances.ID) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			`DELETE FROM "settings" WHERE "scope" = $1`,
			`DELETE FROM "number_grants" WHERE "instance" = $1`,
			`DELETE FROM "group_numbers" WHERE "instance" = $1`,
			`DELETE FROM "instances" WHERE "id" = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return fmt.Errorf("remove instance %s: %w", id, err)
			}
		}
		return nil
	})
}

func (s *Store) instanceConflict(err error, i instances.Instance) error {
	f := fault.Wrap(fault.Conflict, "", err)
	switch {
	case conflictOn(err, "instances", "name_key"):
		f.Field, f.Message = "name", fmt.Sprintf("There is already a number called “%s”. Please choose another name.", i.Name)
	case conflictOn(err, "instances", "port"):
		f.Field, f.Message = "port", fmt.Sprintf("Port %d already belongs to another number. Please choose another.", i.Port)
	default:
		f.Field, f.Message = "id", "There is already a number with this id. Please try again."
	}
	return f
}

// nameKey is the form of a name in which names are compared. It is made here because the
// engines do not agree about the case of letters outside ASCII.
func nameKey(name string) string { return strings.ToLower(strings.ToUpper(name)) }
