package sending

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchboard/engine"
	"switchboard/fault"
)

// Book keeps the sends in the number's main database. Its methods are atomic and may be
// called from any goroutine.
type Book struct {
	DB *sql.DB
	// Fence begins every transaction that writes, where more than one process may reach the
	// database; nil: none.
	Fence func(ctx context.Context, tx *sql.Tx) error
	// Sync returns when what was committed would survive a loss of power; nil: it does so anyway.
	Sync func() error
}

// What is read of a send: all of it, or all but what it would need to be done, which may be
// large.
const (
	columns = `"id", coalesce("key", ''), "hash", "path", "chat", "parameters", "files", ` + others
	brief   = `"id", coalesce("key", ''), "hash", "path", "chat", '', "files", ` + others
	others  = `"message_id", "state", "due_at", "retry_at",
		"attempts", "stranger", "status", "answer", "reason", "created_at", "changed_at"`
)

// add notes a new send. If one with its key is there already, that one comes back, and
// fresh is false.
func (b Book) add(ctx context.Context, s Send) (_ Send, fresh bool, err error) {
	files := ""
	if len(s.Files) > 0 {
		text, err := json.Marshal(s.Files)
		if err != nil {
			return s, false, err
		}
		files = string(text)
	}
	err = b.write(ctx, "note a send", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO "sends" ("id", "key", "hash", "path", "chat", "parameters", "files",
				"message_id", "state", "due_at", "stranger", "created_at", "changed_at")
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT ("key") DO NOTHING`,
			s.ID, sql.NullString{String: s.Key, Valid: s.Key != ""}, s.Hash, s.Path, s.Chat, string(s.Parameters), files,
			s.MessageID, string(s.State), engine.Millis(s.Due), s.Stranger, engine.Millis(s.CreatedAt), engine.Millis(s.CreatedAt))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if fresh = n == 1; err != nil || fresh {
			return err
		}
		all, err := sends(ctx, tx, `SELECT `+columns+` FROM "sends" WHERE "key" = $1`, s.Key)
		if err == nil && len(all) == 0 {
			err = errors.New("the send with this key is gone")
		}
		if err == nil {
			s = all[0]
		}
		return err
	})
	return s, fresh, err
}

// take begins to work on a send that waits, or goes on with one at which nobody works any more,
// because the end of that could not be noted; false if it does not wait any more.
func (b Book) take(ctx context.Context, id string, stranger bool) (ok bool, err error) {
	err = b.write(ctx, "take a send", func(tx *sql.Tx) error {
		ok, err = engine.Changed(tx.ExecContext(ctx, `UPDATE "sends" SET "state" = 'working', "stranger" = $1, "attempts" = "attempts" + 1,
			"changed_at" = $2 WHERE "id" = $3 AND "state" IN ('waiting', 'working')`, stranger, engine.Millis(time.Now()), id))
		return err
	})
	return ok, err
}

// finish notes what became of a send. What it would need to be done again is forgotten.
func (b Book) finish(ctx context.Context, id string, state State, a Answer, reason string) error {
	return b.write(ctx, "note the end of a send", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "sends" SET "state" = $1, "status" = $2, "answer" = $3, "reason" = $4,
			"parameters" = '', "files" = '', "changed_at" = $5 WHERE "id" = $6`,
			string(state), a.Status, string(a.Body), reason, engine.Millis(time.Now()), id)
		return err
	})
}

// again has a send wait once more.
func (b Book) again(ctx context.Context, id string, at time.Time, reason string) error {
	return b.write(ctx, "put a send off", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "sends" SET "state" = 'waiting', "retry_at" = $1, "reason" = $2, "changed_at" = $3
			WHERE "id" = $4`, engine.Millis(at), reason, engine.Millis(time.Now()), id)
		return err
	})
}

// forget removes a send that was refused before anything was sent.
func (b Book) forget(ctx context.Context, id string) error {
	return b.write(ctx, "forget a send", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM "sends" WHERE "id" = $1`, id)
		return err
	})
}

// Cancel takes a send that waits out of the queue. One that does not is a fault.Conflict, an
// unknown one a fault.NotFound.
func (b Book) Cancel(ctx context.Context, id string) error {
	return b.write(ctx, "cancel a send", func(tx *sql.Tx) error {
		ok, err := engine.Changed(tx.ExecContext(ctx, `UPDATE "sends" SET "state" = 'cancelled', "parameters" = '', "files" = '',
			"reason" = 'It was cancelled.', "changed_at" = $1 WHERE "id" = $2 AND "state" = 'waiting'`, engine.Millis(time.Now()), id))
		if err != nil || ok {
			return err
		}
		var state string
		err = tx.QueryRowContext(ctx, `SELECT "state" FROM "sends" WHERE "id" = $1`, id).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "There is nothing with this id in the queue.")
		}
		if err != nil {
			return err
		}
		return fault.New(fault.Conflict, "This message waits no more, so it cannot be cancelled.")
	})
}

// resume has what was being worked on when a process ended wait again, if it can be done
// without whoever asked.
func (b Book) resume(ctx context.Context) error {
	return b.write(ctx, "resume sends", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE "sends" SET "state" = 'waiting' WHERE "state" = 'working' AND "parameters" <> ''`)
		return err
	})
}

// prune forgets what ended before a time, and who asked before it and never came back.
func (b Book) prune(ctx context.Context, before time.Time) error {
	return b.write(ctx, "prune sends", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM "sends" WHERE "changed_at" < $1 AND "state" <> 'waiting'`, engine.Millis(before))
		return err
	})
}

// Queue returns what waits or is being worked on, in the order in which it is due, without
// its parameters.
func (b Book) Queue(ctx context.Context, limit int) ([]Send, error) {
	return sends(ctx, b.DB, `SELECT `+brief+` FROM "sends" WHERE "state" = 'waiting' OR ("state" = 'working' AND "parameters" <> '')
		ORDER BY "due_at", "id" LIMIT $1`, limit)
}

// count returns how much waits.
func (b Book) count(ctx context.Context) (n int, err error) {
	err = b.DB.QueryRowContext(ctx, `SELECT count(*) FROM "sends" WHERE "state" = 'waiting'`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count what waits: %w", err)
	}
	return n, nil
}

// OfMessage returns the send that a message comes from; false if there is none.
func (b Book) OfMessage(ctx context.Context, messageID string) (Send, bool, error) {
	all, err := sends(ctx, b.DB, `SELECT `+columns+` FROM "sends" WHERE "message_id" = $1`, messageID)
	if err != nil || len(all) == 0 {
		return Send{}, false, err
	}
	return all[0], true, nil
}

func (b Book) byID(ctx context.Context, id string) (Send, error) {
	all, err := sends(ctx, b.DB, `SELECT `+columns+` FROM "sends" WHERE "id" = $1`, id)
	if err == nil && len(all) == 0 {
		err = fault.New(fault.NotFound, "There is nothing with this id in the queue.")
	}
	if err != nil {
		return Send{}, err
	}
	return all[0], nil
}

// lately returns when something left the queue last, and when last to a stranger.
func (b Book) lately(ctx context.Context) (last, stranger time.Time, err error) {
	var any, first int64
	err = b.DB.QueryRowContext(ctx, `SELECT coalesce(max("changed_at"), 0),
		coalesce(max(CASE WHEN "stranger" THEN "changed_at" ELSE 0 END), 0)
		FROM "sends" WHERE "attempts" > 0 AND "state" IN ('working', 'done')`).Scan(&any, &first)
	if err != nil {
		return last, stranger, fmt.Errorf("read when something was sent last: %w", err)
	}
	return engine.Moment(any), engine.Moment(first), nil
}

func (b Book) write(ctx context.Context, what string, do func(*sql.Tx) error) error {
	return engine.Write(ctx, b.DB, what, b.Fence, do)
}

// sends reads what a query chooses that begins with columns.
func sends(ctx context.Context, q engine.Queryer, query string, args ...any) ([]Send, error) {
	return engine.All(ctx, q, "read sends", func(r engine.Row) (s Send, err error) {
		var due, retry, created, at int64
		var parameters, files, state, answer string
		err = r.Scan(&s.ID, &s.Key, &s.Hash, &s.Path, &s.Chat, &parameters, &files, &s.MessageID, &state, &due, &retry,
			&s.Attempts, &s.Stranger, &s.Answer.Status, &answer, &s.Reason, &created, &at)
		s.Parameters, s.Answer.Body, s.State = json.RawMessage(parameters), json.RawMessage(answer), State(state)
		s.Due, s.RetryAt, s.CreatedAt, s.ChangedAt = engine.Moment(due), engine.Moment(retry), engine.Moment(created), engine.Moment(at)
		if err == nil && files != "" {
			err = json.Unmarshal([]byte(files), &s.Files)
		}
		return s, err
	}, query, args...)
}
