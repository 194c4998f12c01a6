package engine

import (
	"context"
	"database/sql/driver"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"

	"switchboard/fault"
)

// patient is a connector that waits while the server is away or has no connection left. It
// stands below database/sql, so that everybody who opens a database has its patience.
type patient struct {
	driver.Connector
	pool Pool
}

// Connect makes a connection; ctx bounds the waiting as well. A server that stays away is a
// fault.Unavailable.
func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, p.pool.Wait)
	defer cancel()
	leave := func() {}
	if p.pool.Places != nil {
		var err error
		if leave, err = p.pool.Places.Enter(limited); err != nil {
			return nil, p.tired(ctx, err)
		}
	}
	made, err := p.connect(ctx, limited, leave)
	if err != nil {
		leave()
	}
	return made, err
}

// connect tries until the server lets us in.
func (p patient) connect(ctx, limited context.Context, leave func()) (driver.Conn, error) {
	var made driver.Conn
	err := Again(limited, Away, func() (err error) {
		if made, err = p.Connector.Connect(ctx); err == nil || ctx.Err() == nil && Away(err) {
			p.tell(err != nil)
		}
		return err
	})
	switch {
	case err == nil:
		return p.admit(ctx, made, leave)
	case Away(err):
		return nil, p.tired(ctx, err)
	}
	return nil, err
}

// tired is what becomes of err when the pool's patience has come to its end, or that of ctx.
func (p patient) tired(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fault.Wrap(fault.Unavailable, "The database does not answer at the moment. Nothing is lost; please try again in a minute.", err)
}

// admit makes a connection ours, if it may be used.
func (p patient) admit(ctx context.Context, made driver.Conn, leave func()) (driver.Conn, error) {
	if p.pool.Allowed != nil {
		if err := p.pool.Allowed(ctx); err != nil {
			_ = made.Close()
			return nil, err
		}
	}
	return &conn{Conn: made.(*stdlib.Conn), allowed: p.pool.Allowed, places: p.pool.Places, leave: leave}, nil
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
	places  Places // nil: not bounded
	leave   func()

	mu    sync.Mutex
	idle  *time.Timer // until yield, while it is not in use
	ended bool        // by yield
}

// grace is how long a connection without work is kept although somebody waits for its place.
const grace = 100 * time.Millisecond

// farewell is how long the server may take to see that a connection has ended.
const farewell = time.Second

// Close closes the connection and gives its place to the next, but not before the server has
// closed it too: until then, it counts.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	if c.ended {
		return nil
	}
	return c.end()
}

func (c *conn) end() error {
	defer c.leave()
	if pg := c.Conn.Conn().PgConn(); c.places != nil && !pg.IsClosed() {
		pg.Frontend().Send(&pgproto3.Terminate{})
		if pg.Frontend().Flush() == nil && pg.Conn().SetReadDeadline(time.Now().Add(farewell)) == nil {
			_, _ = io.Copy(io.Discard, pg.Conn()) // ends with the connection
		}
	}
	return c.Conn.Close()
}

// IsValid says whether database/sql may keep the connection for later, which it does from now
// on until ResetSession.
func (c *conn) IsValid() bool {
	if c.places == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = time.AfterFunc(grace, c.yield)
	return true
}

// yield ends the connection when somebody waits for its place while it has nothing to do. What
// belongs to one message follows within moments, so it is not given up at once: a
// new one costs more than most of what is done with it.
func (c *conn) yield() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.idle == nil: // it is in use again
	case c.places.Waiting():
		c.idle, c.ended = nil, true
		_ = c.end()
	default:
		c.idle.Reset(grace)
	}
}

// ResetSession makes sure that a connection which was used before can be used again. What
// is wrong with it, database/sql learns when it then makes another one.
func (c *conn) ResetSession(ctx context.Context) error {
	c.mu.Lock()
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	ended := c.ended
	c.mu.Unlock()
	if ended {
		return driver.ErrBadConn
	}
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
