package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"switchboard/engine"
	"switchboard/fault"
)

// unmigrated is what a person hears when the control database could not be made ready: what
// the user lacks there, if that is why.
func (s *Store) unmigrated(ctx context.Context, err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && (server.Code == "42501" || server.Code == "3F000") { // no privilege, no schema
		if lacks := s.MayMakeTables(ctx); fault.KindOf(lacks) == fault.Unavailable {
			return lacks
		}
	}
	return err
}

// MayMakeTables returns a fault.Unavailable, which has the SQL that mends it, when the user may
// make no tables where the control database's are.
func (s *Store) MayMakeTables(ctx context.Context) error {
	if s.engine == engine.SQLite {
		return nil
	}
	var user, database, schema string
	var owner, may bool
	err := s.db.QueryRowContext(ctx, `SELECT current_user, current_database(), coalesce(current_schema(), ''),
			pg_has_role(current_user, d.datdba, 'USAGE'), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
		FROM pg_database d WHERE d.datname = current_database()`).Scan(&user, &database, &schema, &owner, &may)
	if err != nil {
		return fmt.Errorf("read what the user may do in the control database: %w", err)
	}
	quoted := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	var why string
	switch {
	case may:
		return nil
	case schema == "":
		why = fmt.Sprintf("The search_path of DB_URI, or the user's own, names no schema of the database %s. Make one there with CREATE SCHEMA, or take search_path out.", database)
	case !owner:
		why = fmt.Sprintf("The PostgreSQL user %s may not make tables in the database %s; let an administrator run: ALTER DATABASE %s OWNER TO %s;",
			user, database, quoted(database), quoted(user))
	default:
		why = fmt.Sprintf("The PostgreSQL user %s may not make tables in the schema %s of the database %s; let an administrator run there: GRANT USAGE, CREATE ON SCHEMA %s TO %s;",
			user, schema, database, quoted(schema), quoted(user))
	}
	return fault.Wrap(fault.Unavailable, why, engine.ErrRefused)
}

// pooled is err, or the reason for it where a pooler is between that lets no transaction through.
func pooled(ctx context.Context, uri string, err error) error {
	if _, why := engine.Pooler(ctx, uri); errors.Is(why, engine.ErrStatements) {
		return why
	}
	return err
}

// transacts makes sure that there are transactions.
func transacts(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	return tx.Rollback()
}
