package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"switchboard/fault"
)

// Pool bounds what a handle takes of a PostgreSQL server, which has connections for all
// numbers together and not more.
type Pool struct {
	Open     int           // connections at once
	Idle     time.Duration // how long one without work is kept
	Wait     time.Duration // how long a connection is waited for while the server is away or full
	ReadOnly bool          // sessions refuse to write, unless PgBouncer is in between
	// Away, if it is set, is told when a connection has to be waited for, and when the next
	// one was made. It may be called from several goroutines, and must not block.
	Away func(away bool)
	// Allowed, if it is set, is asked before a connection is used. Its error is that of
	// whoever wanted to use it.
	Allowed func(ctx context.Context) error
	// Places, if it is set, bounds what this pool and others have together.
	Places Places
}

// Places are what connections of several pools, perhaps of several processes, share.
type Places interface {
	// Enter takes a place, and waits for one until ctx ends; leave gives it back.
	Enter(ctx context.Context) (leave func(), err error)
	// Waiting reports whether somebody else waits for a place.
	Waiting() bool
}

// openTime is how long OpenPostgres waits at most for a server that is away or full.
const openTime = 15 * time.Second

// OpenPostgres opens a PostgreSQL database. A URI that cannot be read is a fault.Invalid, a
// server that does not let us in a fault.Unavailable that wraps ErrRefused. A server that is
// away or has no connection left is waited for, now for up to 15 seconds and later for as
// long as pool.Wait.
func OpenPostgres(ctx context.Context, uri string, pool Pool) (*sql.DB, error) {
	config, err := ParsePostgres(uri)
	if err != nil {
		return nil, err
	}
	if pool.ReadOnly {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	db := sql.OpenDB(patient{stdlib.GetConnector(*config, stdlib.OptionShouldPing(always)), pool})
	db.SetMaxOpenConns(pool.Open)
	db.SetMaxIdleConns(pool.Open)
	db.SetConnMaxIdleTime(pool.Idle)
	limited, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if err := db.PingContext(limited); err != nil {
		_ = db.Close()
		return nil, fault.Wrap(fault.Unavailable, fmt.Sprintf(
			"The PostgreSQL server %s %s.", config.Host, why(err)), fmt.Errorf("%w: %w", ErrRefused, err))
	}
	return db, nil
}

func always(context.Context, stdlib.ShouldPingParams) bool { return true }

// ParsePostgres reads a PostgreSQL URI. A URI without a database names the one that is
// called like its user.
func ParsePostgres(uri string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(Plain(uri))
	if file, unreadable := errors.AsType[*fs.PathError](err); unreadable {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("DB_URI names the file %s, which cannot be read; check the path, and that this user may read it.", file.Path))
	}
	if err != nil {
		// The cause is left out: it repeats the URI.
		return nil, fault.New(fault.Invalid,
			`DB_URI is no PostgreSQL address; write it as "postgres://user:password@host:5432/database", with special characters in the password percent-encoded.`)
	}
	if config.Database == "" {
		config.Database = config.User
	}
	// Prepared statements outlive a transaction and do not survive PgBouncer, which gives the
	// next one to another server connection.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second // of an address that swallows packets
	}
	return config, nil
}

// Plain rewrites the folder of a unix socket in the place of the host, as libpq takes it, to
// the form that Go's URLs know.
func Plain(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	before, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(before, "/")
	at := strings.LastIndex(authority, "@") + 1
	host, port, _ := strings.Cut(authority[at:], ":")
	if len(host) < 3 || !strings.EqualFold(host[:3], "%2f") {
		return uri
	}
	params := "host=" + host
	if port != "" {
		params += "&port=" + port
	}
	if query != "" {
		params += "&" + query
	}
	return scheme + "://" + authority[:at] + "/" + path + "?" + params
}

// PostgresFor returns the URI with which a role opens another database of the same server.
// Of the URI it was made from, it keeps what leads to the server, and nothing that would log
// in as somebody else or belongs to one database only.
func PostgresFor(uri, role, password, database string) (string, error) {
	config, err := ParsePostgres(uri)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(Plain(uri))
	if err != nil {
		return "", fault.New(fault.Invalid, "DB_URI is no PostgreSQL address.")
	}
	u.RawQuery = strings.ReplaceAll(u.RawQuery, "+", "%2B") // in these addresses, a plus is a plus
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
	u.User, u.Path, u.RawPath = url.UserPassword(role, password), "/"+database, ""
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String(), nil
}
