package isolation

import (
	"context"
	"fmt"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
)

// Connections is how numbers and panel share those of a database server.
type Connections struct {
	PerNumber int // at most, while it works; an idle number has none
	Panel     int // at most, for making and dropping databases
	Allowed   int // what the server gives to a role like ours
	InUse     int // of all databases of the server, whoever uses them
	OfNumbers int // of those, numbers'
}

// Share is how many connections all numbers have together: of limit, or with 0 of four fifths
// of what the server allows, what the panel leaves over.
func (c Connections) Share(limit int) int {
	if limit == 0 {
		limit = c.Allowed * 4 / 5
	}
	return max(limit-c.Panel, c.PerNumber)
}

// Worst is what so many numbers, which share so many connections, and the panel take at most.
func (c Connections) Worst(numbers, share int) int { return min(numbers*c.PerNumber, share) + c.Panel }

// Connections asks the server; nil with SQLite, which has none.
func (d *Databases) Connections(ctx context.Context) (*Connections, error) {
	s, ok := d.place.(*server)
	if !ok {
		return nil, nil
	}
	c := &Connections{PerNumber: 2 * ofWorker.Open, Panel: ofManager.Open}
	// PostgreSQL 16 can keep more of them back.
	err := s.db.QueryRowContext(ctx, `
		SELECT current_setting('max_connections')::int
			- CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 0
				ELSE current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int END,
			(SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database WHERE datid <> 0),
			(SELECT count(*)::int FROM pg_stat_activity WHERE usename LIKE 'whatsapp\_%' AND usename <> current_user)`).
		Scan(&c.Allowed, &c.InUse, &c.OfNumbers)
	if err != nil {
		return nil, serverFault("The PostgreSQL server does not tell about its connections; the log tells why.", fmt.Errorf("count connections: %w", err))
	}
	return c, nil
}

// oldest is the oldest version of PostgreSQL that has everything which is asked of it: DROP
// DATABASE WITH (FORCE).
const oldest = 13_00_00

// Server is what a database server tells about itself.
type Server struct {
	Version string
	// Missing is what keeps numbers from being made or from being apart, each as a fault with
	// the SQL that mends it.
	Missing []error
	// Unclosed says that every role may enter the control database, which is as it should be
	// until the first start closes it; nil once that is done.
	Unclosed error
	// Open names databases of the server, other than the control database, that every role may
	// enter, numbers' roles too.
	Open []string
}

// Server asks the server and changes nothing; nil with SQLite.
func (d *Databases) Server(ctx context.Context) (*Server, error) {
	s, ok := d.place.(*server)
	if !ok {
		return nil, nil
	}
	found := &Server{}
	var number int
	var control string
	var open bool
	err := s.db.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int`).Scan(&found.Version, &number)
	if err == nil {
		err = s.db.QueryRowContext(ctx, askControl).Scan(&control, &open)
	}
	if err != nil {
		return nil, serverFault("The PostgreSQL server does not tell about itself.", fmt.Errorf("ask server: %w", err))
	}
	if number < oldest {
		found.Missing = append(found.Missing, fault.New(fault.Unavailable, fmt.Sprintf("PostgreSQL %s is too old; use 13 or later.", found.Version)))
	}
	if err := s.permitted(ctx); err != nil {
		found.Missing = append(found.Missing, err)
	}
	if open {
		found.Unclosed = fault.New(fault.Unavailable, fmt.Sprintf(
			"Every PostgreSQL user may enter the control database until the next start closes it; or run now: REVOKE CONNECT ON DATABASE %s FROM PUBLIC;", quote(control)))
	}
	found.Open, err = engine.Values[string](ctx, s.db, "list open databases", `
		SELECT datname FROM pg_database
		WHERE datallowconn AND datname <> current_database() AND has_database_privilege('public', oid, 'CONNECT') ORDER BY datname`)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Sound looks at the two databases of an instance, beside its worker or without one: whether
// they are there, open, and, with SQLite, undamaged as far as a few seconds show. A fault
// says what is wrong. Nothing is changed.
func (d *Databases) Sound(ctx context.Context, id instances.ID) error {
	access, err := d.Access(ctx, id)
	if err != nil {
		return err
	}
	for _, dsn := range []string{access.Main, access.Keys} {
		if access.Engine == engine.SQLite {
			file, err := engine.ParseFile(dsn)
			if err == nil {
				err = file.Check(ctx)
			}
			if err != nil {
				return err
			}
			continue
		}
		db, err := engine.OpenPostgres(ctx, dsn, ofReader)
		if err != nil {
			return err
		}
		_ = db.Close()
	}
	return nil
}
