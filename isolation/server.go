package isolation

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/migrations"
)

// What numbers take of the server's connections. They are given back within seconds, so
// that it is not the count of numbers that is bounded, but the count of those that work at
// the same moment.
var (
	ofManager = engine.Pool{Open: 4, Idle: 3 * time.Second, Wait: time.Minute}
	// For each of its two databases. A worker has nothing better to do than to wait: it keeps
	// its connection to WhatsApp meanwhile.
	ofWorker = engine.Pool{Open: 2, Idle: time.Second, Wait: 4 * time.Minute}
	ofReader = engine.Pool{Open: 1, Idle: time.Second, Wait: 5 * time.Second, ReadOnly: true}
)

// provisions is how many numbers get their databases at the same time. Each takes a
// connection or two of the server, and more at once would not be faster.
const provisions = 4

// roleConnections is what the server lets one number's role have: both databases of its
// worker, and two readers in the panel.
const roleConnections = 6

// dropTime is how long a dropping waits for those whom it cannot end.
const dropTime = 30 * time.Second

// server is PostgreSQL: two databases, owned by a login role that bears the name of the main
// database.
//
// Both databases are made closed to everybody. They are opened when both exist and nobody
// but their owner may enter, keys last. So whatever a killed provisioning leaves behind, the
// next one goes on from there; and a missing main database beside keys that are open, or
// the other way round, was there and has been lost.
type server struct {
	uri     string
	db      *sql.DB // as the role of the URI, on the control database
	vault   Vault
	secrets Secrets
	log     *slog.Logger
	making  chan struct{} // places of those who provision
	places  engine.Places // of connections, nil: not bounded
}

func openServer(ctx context.Context, uri string, o options) (place, error) {
	if o.vault == nil || o.secrets == nil {
		return nil, errors.New("open PostgreSQL for numbers: no vault")
	}
	db, err := engine.OpenPostgres(ctx, uri, ofManager)
	if err != nil {
		return nil, err
	}
	s := &server{uri: uri, db: db, vault: o.vault, secrets: o.secrets, log: o.log, making: make(chan struct{}, provisions)}
	if o.asFound {
		return s, nil
	}
	if err = s.permitted(ctx); err == nil {
		err = s.closeControl(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

func (s *server) engine() string { return engine.Postgres }
func (s *server) close() error   { return s.db.Close() }

// permitted checks that we may make databases and roles.
func (s *server) permitted(ctx context.Context) error {
	var name string
	var super, databases, roles bool
	err := s.db.QueryRowContext(ctx, `SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user`).
		Scan(&name, &super, &databases, &roles)
	if err != nil {
		return fmt.Errorf("read own role: %w", err)
	}
	if super || databases && roles {
		return nil
	}
	return fault.Wrap(fault.Unavailable, fmt.Sprintf(
		"The PostgreSQL user %s may not make databases and roles for numbers; let an administrator run: ALTER ROLE %s CREATEDB CREATEROLE;",
		name, quote(name)), ErrRefused)
}

// askControl asks whether every role may enter the control database.
const askControl = `SELECT current_database(), has_database_privilege('public', current_database(), 'CONNECT')`

// closeControl makes sure that numbers' roles cannot enter the control database, which by
// default everybody can.
func (s *server) closeControl(ctx context.Context) error {
	var name string
	var open bool
	if err := s.db.QueryRowContext(ctx, askControl).Scan(&name, &open); err != nil || !open {
		return err
	}
	_, err := s.db.ExecContext(ctx, fmt.Sprintf(`GRANT CONNECT ON DATABASE %[1]s TO CURRENT_USER; REVOKE ALL ON DATABASE %[1]s FROM PUBLIC`, quote(name)))
	if err == nil {
		err = s.db.QueryRowContext(ctx, askControl).Scan(&name, &open)
	}
	if err != nil || open {
		return fault.Wrap(fault.Unavailable, fmt.Sprintf(
			"Every PostgreSQL user may enter the control database, and this one may not change that; let an administrator run: ALTER DATABASE %[1]s OWNER TO the user of DB_URI;",
			quote(name)), fmt.Errorf("%w: %w", ErrRefused, err))
	}
	return nil
}

func (s *server) step(ctx context.Context, id instances.ID, name string) {
	s.log.DebugContext(ctx, "database step", "instance", id, "step", name)
}

func (s *server) provision(ctx context.Context, id instances.ID) (instances.Access, error) {
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return instances.Access{}, ctx.Err()
	}
	s.step(ctx, id, "provision")
	var access instances.Access
	err := again(ctx, func() (err error) {
		access, err = s.complete(ctx, id)
		return err
	})
	if err != nil {
		return instances.Access{}, serverFault("The databases of this number cannot be made on the PostgreSQL server; the log tells why. Please try again.", err)
	}
	s.step(ctx, id, "migrated")
	return access, nil
}

// again is engine.Again for what the manager does while the server may go away, and does once
// more what was overtaken.
func again(ctx context.Context, do func() error) error {
	limited, cancel := context.WithTimeout(ctx, ofManager.Wait)
	defer cancel()
	return engine.Again(limited, engine.Away, func() error {
		err := do()
		if overtaken(err) {
			err = do()
		}
		return err
	})
}

func (s *server) complete(ctx context.Context, id instances.ID) (instances.Access, error) {
	access, err := s.role(ctx, id)
	if err == nil {
		err = s.databases(ctx, id)
	}
	if err == nil {
		err = s.migrate(ctx, access)
	}
	return access, err
}

// overtaken tells whether something came into being after we had looked for it: what a
// process that was killed had asked for, the server goes on to make.
func overtaken(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "42P04", "42710", "23505": // database, role, the same as the catalogue says it
		return true
	case "2BP01": // a role that has something, when it is to go
		return true
	}
	return false
}

// role makes the number's role, if it is missing, and returns the access with its password.
func (s *server) role(ctx context.Context, id instances.ID) (instances.Access, error) {
	there, err := s.look(ctx, id)
	if err != nil {
		return instances.Access{}, err
	}
	offered := s.secrets.Seal([]byte(rand.Text()))
	sealed, err := s.vault.KeepPassword(ctx, id, offered)
	if err != nil {
		return instances.Access{}, err
	}
	password, err := s.secrets.Open(sealed)
	if err != nil {
		return instances.Access{}, err
	}
	s.step(ctx, id, "password kept")
	name := quote(mainName(id))
	switch {
	case !there:
		var ours string
		if ours, err = s.mark(ctx, name); err != nil {
			break
		}
		// The manager becomes a member, because only who has the powers of a role can give it a
		// database. Sent together, the three are one transaction.
		err = s.exec(ctx, fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '%s' CONNECTION LIMIT %d; GRANT %s TO CURRENT_USER; %s`,
			name, verifier(string(password)), roleConnections, name, ours))
	case bytes.Equal(sealed, offered):
		// The control database came back from a backup that is older than the role.
		err = s.exec(ctx, fmt.Sprintf(`ALTER ROLE %s PASSWORD '%s'`, name, verifier(string(password))))
	}
	if err != nil {
		return instances.Access{}, fmt.Errorf("make role: %w", err)
	}
	s.step(ctx, id, "role made")
	return s.access(id, string(password))
}

func (s *server) access(id instances.ID, password string) (instances.Access, error) {
	main, err := engine.PostgresFor(s.uri, mainName(id), password, mainName(id))
	if err != nil {
		return instances.Access{}, err
	}
	keys, err := engine.PostgresFor(s.uri, mainName(id), password, keysName(id))
	return instances.Access{Engine: engine.Postgres, Main: main, Keys: keys}, err
}

// databases makes what is missing of the two.
func (s *server) databases(ctx context.Context, id instances.ID) error {
	found, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	names := []string{keysName(id), mainName(id)}
	for i, name := range names {
		if other := names[1-i]; !found[name].exists && found[other].open {
			return fault.Wrap(fault.Unavailable, fmt.Sprintf(
				"The PostgreSQL database %s is gone; put it back from a backup, or delete this number.", name), ErrRefused)
		}
	}
	if err := s.create(ctx, id, found, names); err != nil {
		return fmt.Errorf("make database: %w", err)
	}
	slices.Reverse(names) // keys are opened last
	for _, name := range names {
		if found[name].open {
			continue
		}
		if err := s.exec(ctx, fmt.Sprintf(`REVOKE ALL ON DATABASE %s FROM PUBLIC`, quote(name))); err != nil {
			return fmt.Errorf("close database to others: %w", err)
		}
		s.step(ctx, id, name+" closed to others")
		if err := s.exec(ctx, fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS true`, quote(name))); err != nil {
			return fmt.Errorf("open database: %w", err)
		}
		s.step(ctx, id, name+" open")
	}
	return nil
}

// create makes those of the databases that do not exist, at the same time: it is what takes
// long.
func (s *server) create(ctx context.Context, id instances.ID, found map[string]state, names []string) error {
	results := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		if found[name].exists {
			continue
		}
		all.Go(func() {
			// The encoding is ours, whatever the server was set up with.
			results[i] = s.exec(ctx, fmt.Sprintf(
				`CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' ALLOW_CONNECTIONS false`,
				quote(name), quote(mainName(id))))
			s.step(ctx, id, name+" made")
		})
	}
	all.Wait()
	return errors.Join(results...)
}

type state struct{ exists, open bool }

// find looks for the two databases. One that belongs to somebody else is a fault.Conflict:
// it is neither used nor dropped.
func (s *server) find(ctx context.Context, id instances.ID) (map[string]state, error) {
	found := map[string]state{}
	return found, engine.Each(ctx, s.db, "look for databases", func(r engine.Row) error {
		var name, owner string
		var open bool
		if err := r.Scan(&name, &open, &owner); err != nil {
			return err
		}
		if owner != mainName(id) {
			return fault.Wrap(fault.Conflict, fmt.Sprintf(
				"The PostgreSQL database %s belongs to another user, %s; rename or remove it first.", name, owner), ErrRefused)
		}
		found[name] = state{exists: true, open: open}
		return nil
	}, `SELECT datname, datallowconn, pg_get_userbyid(datdba) FROM pg_database WHERE datname IN ($1, $2)`, mainName(id), keysName(id))
}

func (s *server) migrate(ctx context.Context, access instances.Access) error {
	pool := ofWorker
	pool.Places = s.places
	db, err := engine.OpenPostgres(ctx, access.Main, pool)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	err = migrations.Up(ctx, db, engine.Postgres, migrations.Instance)
	if errors.Is(err, ErrNewer) {
		return nil // nothing is missing; the worker tells what is wrong
	}
	return err
}

func (s *server) drop(ctx context.Context, id instances.ID) error {
	s.step(ctx, id, "drop")
	if err := again(ctx, func() error { return s.dropAll(ctx, id) }); err != nil {
		return serverFault("The databases of this number cannot be removed from the PostgreSQL server; the log tells why. Please try again.", err)
	}
	s.step(ctx, id, "dropped")
	return nil
}

func (s *server) dropAll(ctx context.Context, id instances.ID) error {
	if _, err := s.look(ctx, id); errors.Is(err, errForeign) {
		return s.vault.ForgetPassword(ctx, id) // nothing is ours
	} else if err != nil {
		return err
	}
	found, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	for _, name := range []string{mainName(id), keysName(id)} {
		if found[name].exists {
			if err := s.dropDatabase(ctx, name); err != nil {
				return fmt.Errorf("drop database: %w", err)
			}
		}
		s.step(ctx, id, name+" dropped")
	}
	if err := s.exec(ctx, `DROP ROLE IF EXISTS `+quote(mainName(id))); err != nil {
		return fmt.Errorf("drop role: %w", err)
	}
	s.step(ctx, id, "role dropped")
	return s.vault.ForgetPassword(ctx, id)
}

// dropDatabase ends whoever is in a database, and drops it. A superuser, such as the one as
// whom PgBouncer looks passwords up, cannot be ended and is waited for.
func (s *server) dropDatabase(ctx context.Context, name string) error {
	limited, cancel := context.WithTimeout(ctx, dropTime)
	defer cancel()
	for {
		err := s.exec(ctx, fmt.Sprintf(`DROP DATABASE IF EXISTS %s WITH (FORCE)`, quote(name)))
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "42501" && e.Code != "55006" { // privilege, in use
			return err
		}
		// Nobody comes in any more.
		if err := s.exec(ctx, fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS false`, quote(name))); err != nil {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-limited.Done():
			return err
		}
	}
}

// unknown looks at what belongs to roles that are ours, and at databases of such names that
// belong to the panel's own user, to whom somebody may have brought them back. On a server with
// two installations, neither sees the numbers of the other.
func (s *server) unknown(ctx context.Context, known []instances.ID) ([]Leftover, error) {
	all, err := engine.All(ctx, s.db, "list roles", func(r engine.Row) (l Leftover, err error) {
		var name string
		err = r.Scan(&name, &l.Bytes)
		l.ID = instances.ID(strings.TrimPrefix(name, "whatsapp_"))
		return l, err
	}, `
		SELECT name, coalesce(sum(pg_database_size(oid)), 0)::bigint FROM (
			SELECT r.rolname AS name, d.oid FROM pg_roles r LEFT JOIN pg_database d ON d.datdba = r.oid
			WHERE r.rolname LIKE 'whatsapp\_%' AND r.rolname <> current_user AND pg_has_role(r.oid, 'MEMBER') AND NOT `+foreign+`
			UNION
			SELECT regexp_replace(d.datname, '^keys_', 'whatsapp_'), d.oid FROM pg_database d
			WHERE d.datname ~ '^(whatsapp|keys)_' AND pg_get_userbyid(d.datdba) = current_user
		) AS ours GROUP BY name ORDER BY name`)
	return slices.DeleteFunc(all, func(l Leftover) bool { return !l.ID.Valid() || slices.Contains(known, l.ID) }), err
}

// readMain reads as the number's own role, which keeps the panel's own rights out of
// numbers' databases.
func (s *server) readMain(ctx context.Context, id instances.ID) (*sql.DB, error) {
	sealed, err := s.vault.Password(ctx, id)
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		return nil, fault.Wrap(fault.Unavailable, "This number has no databases yet.", ErrRefused)
	}
	password, err := s.secrets.Open(sealed)
	if err != nil {
		return nil, err
	}
	access, err := s.access(id, string(password))
	if err != nil {
		return nil, err
	}
	pool := ofReader
	pool.Places = s.places
	return engine.OpenPostgres(ctx, access.Main, pool)
}

// exec runs statements that cannot have parameters.
//
// A session of PostgreSQL keeps a list of the roles that it is a member of, and when it makes
// the list in the very moment in which another session is granted one, it may miss that one until
// the next grant: then it is refused what is ours. A fresh session knows. (PostgreSQL 15, six sessions
// that grant without a pause: one answer in 4,000 was such a one, never two sessions at once.)
func (s *server) exec(ctx context.Context, statements string) error {
	err := s.execOnce(ctx, statements)
	if refusedOwner(err) {
		err = s.execOnce(ctx, statements)
	}
	return err
}

// execOnce does not keep a session that was refused.
func (s *server) execOnce(ctx context.Context, statements string) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, statements)
	if refusedOwner(err) {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which ends it
	}
	_ = conn.Close()
	return err
}

func refusedOwner(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "42501"
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func serverFault(message string, err error) error {
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.Wrap(fault.Unavailable, message, fmt.Errorf("%w: %w", ErrRefused, err))
}
