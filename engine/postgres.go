package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"switchboard/fault"
)

// Pool bounds what a handle takes of a PostgreSQL server, which has connections for all
// numbers together and not more.
type Pool struct {
	Open int           // connections at once
	Idle time.Duration // how long one without work is kept
}

// OpenPostgres opens a PostgreSQL database. A URI that cannot be read is a fault.Invalid, a
// server that does not let us in a fault.Unavailable that wraps ErrRefused. A server that
// has no connection left is waited for, now and later.
func OpenPostgres(ctx context.Context, uri string, pool Pool) (*sql.DB, error) {
	config, err := ParsePostgres(uri)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(patient{stdlib.GetConnector(*config)})
	db.SetMaxOpenConns(pool.Open)
	db.SetMaxIdleConns(pool.Open)
	db.SetConnMaxIdleTime(pool.Idle)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fault.Wrap(fault.Unavailable, fmt.Sprintf(
			"The PostgreSQL server %s %s.", config.Host, why(err)), fmt.Errorf("%w: %w", ErrRefused, err))
	}
	return db, nil
}

// ParsePostgres reads a PostgreSQL URI.
func ParsePostgres(uri string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(uri)
	if err != nil {
		// The cause is left out: it repeats the URI.
		return nil, fault.New(fault.Invalid,
			`DB_URI is no PostgreSQL address; write it as "postgres://user:password@host:5432/database", with special characters in the password percent-encoded.`)
	}
	return config, nil
}

// PostgresFor returns the URI with which a role opens another database of the same server.
// Of the URI it was made from, it keeps what leads to the server, and nothing that would log
// in as somebody else or belongs to one database only.
func PostgresFor(uri, role, password, database string) (string, error) {
	config, err := ParsePostgres(uri)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(uri)
	if err != nil {
		return "", fault.New(fault.Invalid, "DB_URI is no PostgreSQL address.")
	}
	query := u.Query()
	for _, name := range []string{
		"user", "password", "passfile", "service", "servicefile", "sslcert", "sslkey", "sslpassword",
		"dbname", "database", "search_path", "options",
	} {
		query.Del(name)
	}
	if u.Host == "" && !query.Has("host") {
		// What this process found in its environment, a worker would not.
		query.Set("host", config.Host)
		query.Set("port", strconv.Itoa(int(config.Port)))
	}
	u.User, u.Path, u.RawPath, u.RawQuery = url.UserPassword(role, password), "/"+database, "", query.Encode()
	return u.String(), nil
}

// why says in words what a failed connection means.
func why(err error) string {
	switch code := codeOf(err); {
	case strings.HasPrefix(code, "28"): // invalid authorization
		return "refuses the login; check the user and the password in DB_URI"
	case code == "3D000", code == "42501": // no such database, no privilege
		return "does not open the database of that name; check that it exists and that the user may connect to it"
	case code == tooMany:
		return "has no connection left; raise its max_connections, or stop some numbers"
	case code == "57P03": // starting up, shutting down
		return "is starting or stopping; try again in a minute"
	}
	return "does not answer; check that it runs, and the host and port in DB_URI"
}

// tooMany is the server's code for "too many clients already" and for a role's own limit.
const tooMany = "53300"

func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// patience is how long a connection is waited for while the server has none left.
const patience = 20 * time.Second

// patient is a connector that waits while the server has no connection left.
type patient struct{ driver.Connector }

// Connect makes a connection; ctx bounds the waiting as well.
func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		conn, err := p.Connector.Connect(ctx)
		if codeOf(err) != tooMany {
			return conn, err
		}
		// Spread, lest all who wait come back at once.
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-limited.Done():
			return nil, err
		}
	}
}
