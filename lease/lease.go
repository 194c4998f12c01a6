// Package lease makes sure that one worker alone writes the databases of a number that live
// on a PostgreSQL server, however many hosts can reach them.
//
// A lease is a row in the number's main database: who holds it, until when by the server's
// clock, and a token that rises with every taking. No connection stays open for it: the
// holder renews the row now and then. A lease that ran out is not lost as long as nobody
// else has taken it, so that an outage of the server costs nothing. One that was taken is
// noticed before anything is written: Check looks within the writing transaction, and Valid
// before a connection is used at all.
package lease

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"switchboard/fault"
)

// Why a lease cannot be had, or no longer. The faults of this package wrap one of them.
var (
	ErrHeld = errors.New("lease is held by another worker")
	ErrLost = errors.New("lease was taken by another worker")
)

// term is how long a lease lasts without being renewed, and with it how long a number of a
// host that broke down cannot run elsewhere.
const term = 90 * time.Second

// renewal is the time from one renewal to the next, which leaves room for two.
const renewal = 40 * time.Second

// farewell is how long Release waits for the server.
const farewell = 2 * time.Second

// Lease is a lease that was taken. Its methods are safe for concurrent use.
type Lease struct {
	db    *sql.DB
	token int64
	lost  chan struct{}

	mu    sync.Mutex
	until time.Time // by our own clock, and not later than the server's
	gone  bool
}

// now is the server's time in Unix milliseconds.
const now = `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`

// Take takes the lease in db, the main database of a number, for a holder. It takes it from
// the same holder, from whom it ran out and from nobody, but not from another whose lease
// still lasts: that is a fault.Unavailable that wraps ErrHeld. The caller makes sure that no
// other process says to be the same holder. Whatever the former holder has under way on the
// server is ended.
func Take(ctx context.Context, db *sql.DB, holder string) (*Lease, error) {
	l := &Lease{db: db, lost: make(chan struct{})}
	begun := time.Now()
	err := l.briefly(ctx, func(conn *sql.Conn) error { return l.take(ctx, conn, holder) })
	if err != nil {
		return nil, err
	}
	l.until = begun.Add(term)
	return l, nil
}

func (l *Lease) take(ctx context.Context, conn *sql.Conn, holder string) error {
	_, err := conn.ExecContext(ctx, `INSERT INTO "lease" ("one", "token", "holder", "expires_at") VALUES (1, 0, '', 0) ON CONFLICT ("one") DO NOTHING`)
	if err != nil {
		return fmt.Errorf("take lease: %w", err)
	}
	var before string
	var over bool
	err = conn.QueryRowContext(ctx, `SELECT "token", "holder", "expires_at" <= `+now+` FROM "lease"`).Scan(&l.token, &before, &over)
	switch {
	case err != nil:
		return fmt.Errorf("take lease: %w", err)
	case before != holder && !over:
		return held()
	case before != "":
		// A process that was stopped in the middle of a transaction would keep its locks, and
		// commit when it goes on.
		_, err = conn.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()`)
		if err != nil {
			return fmt.Errorf("end former holder: %w", err)
		}
	}
	err = conn.QueryRowContext(ctx, `UPDATE "lease" SET "token" = "token" + 1, "holder" = $1, "expires_at" = `+now+` + $2
		WHERE "token" = $3 AND ("holder" = $1 OR "expires_at" <= `+now+`) RETURNING "token"`,
		holder, term.Milliseconds(), l.token).Scan(&l.token)
	if errors.Is(err, sql.ErrNoRows) {
		return held() // somebody was faster
	}
	if err != nil {
		return fmt.Errorf("take lease: %w", err)
	}
	return nil
}

func held() error {
	return fault.Wrap(fault.Unavailable,
		"This number runs in another Switchboard, which has its lease. Stop it there; after a breakdown of that host, the lease ends by itself within two minutes.", ErrHeld)
}

// Lost is closed when another worker was found to have taken the lease.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Check makes sure, within a transaction of the main database, that the lease is not lost,
// and that nobody takes it before the transaction ends.
func (l *Lease) Check(ctx context.Context, tx *sql.Tx) error {
	var token int64
	err := tx.QueryRowContext(ctx, `SELECT "token" FROM "lease" WHERE "one" = 1 FOR SHARE`).Scan(&token)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("check lease: %w", err)
	}
	if token != l.token {
		return l.lose()
	}
	return nil
}

// Valid makes sure that the lease has not run out, and renews it if it has. It does no I/O
// while the lease lasts.
func (l *Lease) Valid(ctx context.Context) error {
	l.mu.Lock()
	gone, lasts := l.gone, time.Now().Before(l.until)
	l.mu.Unlock()
	switch {
	case gone:
		return lost()
	case lasts:
		return nil
	}
	return l.renew(ctx)
}

// Keep renews the lease until ctx ends or the lease is lost.
func (l *Lease) Keep(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-time.After(renewal - rand.N(renewal/4)):
		case <-ctx.Done():
			return
		}
		err := l.renew(ctx)
		switch {
		case errors.Is(err, ErrLost):
			return
		case err != nil && ctx.Err() == nil:
			log.Warn("lease not renewed, will be tried again", "error", err)
		}
	}
}

func (l *Lease) renew(ctx context.Context) error {
	var begun time.Time
	var renewed int64
	err := l.briefly(ctx, func(conn *sql.Conn) error {
		begun = time.Now()
		result, err := conn.ExecContext(ctx, `UPDATE "lease" SET "expires_at" = `+now+` + $1 WHERE "token" = $2`, term.Milliseconds(), l.token)
		if err == nil {
			renewed, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	if renewed == 0 {
		return l.lose()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := begun.Add(term); until.After(l.until) {
		l.until = until
	}
	return nil
}

// Release gives the lease back, so that the number can run elsewhere at once. It waits two
// seconds at most; a lease that cannot be given back runs out. Nothing may be written
// afterwards.
func (l *Lease) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	return l.briefly(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, `UPDATE "lease" SET "holder" = '', "expires_at" = 0 WHERE "token" = $1`, l.token)
		return err
	})
}

func (l *Lease) lose() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gone {
		l.gone = true
		close(l.lost)
	}
	return lost()
}

func lost() error {
	return fault.Wrap(fault.Unavailable, "Another Switchboard has taken this number over.", ErrLost)
}

// briefly runs f on a connection that is not kept for later: a thousand idle numbers that
// renew their leases must not hold a thousand connections for seconds.
func (l *Lease) briefly(ctx context.Context, f func(*sql.Conn) error) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close()
	}()
	return f(conn)
}
