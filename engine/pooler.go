package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"switchboard/fault"
)

// ErrStatements is wrapped by the fault about a pooler that lets no transaction through.
var ErrStatements = errors.New("statement pooling")

// Pooler tells how a pooler of connections such as PgBouncer, if one is between, gives them out: for a "session" or for
// a "transaction"; "" without one. One that gives them out for a statement is a fault.Unavailable that
// wraps ErrStatements. It takes two connections for a moment.
func Pooler(ctx context.Context, uri string) (string, error) {
	config, err := ParsePostgres(uri)
	if err != nil {
		return "", err
	}
	a, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer a.Close(context.WithoutCancel(ctx))
	behind, err := backend(ctx, a)
	if err != nil || behind == a.PgConn().PID() { // a pooler tells clients a number of its own
		return "", err
	}
	b, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer b.Close(context.WithoutCancel(ctx))
	// While b is in a transaction, it has a connection that was a's before, if a did not keep that.
	tx, err := b.Begin(ctx)
	if err == nil {
		_, err = backend(ctx, b)
	}
	if own, ok := errors.AsType[*pgconn.PgError](err); ok && strings.Contains(own.Message, "statement pooling") {
		return "", fault.Wrap(fault.Unavailable,
			"At the address in DB_URI is a PgBouncer that gives connections out for one statement, so that there are no transactions. Set pool_mode = transaction there (docs/postgresql.md).",
			ErrStatements)
	}
	if err != nil {
		return "", err
	}
	again, err := backend(ctx, a)
	if err = errors.Join(err, tx.Rollback(ctx)); err != nil {
		return "", err
	}
	if again != behind {
		return "transaction", nil
	}
	return "session", nil
}

// backend asks which of the server's processes a connection leads to.
func backend(ctx context.Context, c *pgx.Conn) (pid uint32, err error) {
	err = c.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
	return pid, err
}
