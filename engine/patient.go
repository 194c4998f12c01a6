package engine

import (
	"context"
	"database/sql/driver"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"switchboard/fault"
)

// patient is a connector that waits while the server is away or has no connection left. It
// stands below database/sql, so that everybody who opens a database has its patience.
type patient struct {
	driver.Connector
	pool Pool
}

// The pauses between two attempts to connect.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

// Connect makes a connection; ctx bounds the waiting as well. A server that stays away is a
// fault.Unavailable.
func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, p.pool.Wait)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		made, err := p.Connector.Connect(ctx)
		if err == nil {
			p.tell(false)
			return p.admit(ctx, made)
		}
		if ctx.Err() != nil || !Away(err) {
			return nil, err
		}
		p.tell(true)
		// Spread, lest all who wait come back at once.
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-limited.Done():
			return nil, fault.Wrap(fault.Unavailable, "The database does not answer at the moment. Nothing is lost; please try again in a minute.", err)
		}
	}
}

// admit makes a connection ours, if it may be used.
func (p patient) admit(ctx context.Context, made driver.Conn) (driver.Conn, error) {
	if p.pool.Allowed != nil {
		if err := p.pool.Allowed(ctx); err != nil {
			_ = made.Close()
			return nil, err
		}
	}
	return &conn{Conn: made.(*stdlib.Conn), allowed: p.pool.Allowed}, nil
}

func (p patient) tell(away bool) {
	if p.pool.Away != nil {
		p.pool.Away(away)
	}
}

// conn lets database/sql try again, on another connection, what is lost with a connection
// and harmless to repeat: to begin a transaction, and to read outside of one.
type conn struct {
	*stdlib.Conn
	allowed func(ctx context.Context) error // nil: always
	inTx    bool
}

// ResetSession makes sure that a connection which was used before can be used again. What
// is wrong with it, database/sql learns when it then makes another one.
func (c *conn) ResetSession(ctx context.Context) error {
	if err := c.Conn.ResetSession(ctx); err != nil {
		return err
	}
	if c.allowed != nil && c.allowed(ctx) != nil {
		return driver.ErrBadConn
	}
	return nil
}

// BeginTx begins a transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	begun, err := c.Conn.BeginTx(ctx, opts)
	if err != nil {
		return nil, repeatable(ctx, err)
	}
	c.inTx = true
	return tx{begun, c}, nil
}

// QueryContext runs a query.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if err != nil && !c.inTx && strings.HasPrefix(strings.TrimSpace(query), "SELECT") {
		return nil, repeatable(ctx, err)
	}
	return rows, err
}

// repeatable turns the loss of a connection into the error at which database/sql takes
// another one.
func repeatable(ctx context.Context, err error) error {
	if ctx.Err() == nil && Away(err) {
		return driver.ErrBadConn
	}
	return err
}

type tx struct {
	driver.Tx
	conn *conn
}

func (t tx) Commit() error   { t.conn.inTx = false; return t.Tx.Commit() }
func (t tx) Rollback() error { t.conn.inTx = false; return t.Tx.Rollback() }
