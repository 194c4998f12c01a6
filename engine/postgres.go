package engine

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"switchboard/fault"
)

// OpenPostgres opens a PostgreSQL database. The handle uses at most four connections and
// gives the last one back after half a minute without work.
func OpenPostgres(ctx context.Context, uri string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(uri)
	if err != nil {
		// The error repeats the URI and so, perhaps, the password.
		return nil, fault.New(fault.Invalid,
			`DB_URI is no PostgreSQL address; write it as "postgres://user:password@host:5432/database", with special characters in the password percent-encoded.`)
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(30 * time.Second)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fault.Wrap(fault.Unavailable,
			"The PostgreSQL server of DB_URI does not answer or refuses the login; check that it runs, and the address, user and password.", err)
	}
	return db, nil
}
