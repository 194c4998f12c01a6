package isolation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"switchboard/fault"
	"switchboard/instances"
)

// Several installations may share a server. The comment of a number's role names the control
// database of its installation. It counts as long as that database is there: a role whose
// installation is gone, or got a new name, belongs to whoever knows its number.
const madeFor = "Switchboard, control database "

// foreign is a condition on a role r: it is of another installation on this server.
const foreign = `EXISTS (SELECT FROM pg_database c WHERE c.datname <> current_database()
	AND shobj_description(r.oid, 'pg_authid') = '` + madeFor + `' || c.datname)`

// mark is the statement with which a role is made ours.
func (s *server) mark(ctx context.Context, role string) (string, error) {
	var control string
	if err := s.db.QueryRowContext(ctx, `SELECT current_database()`).Scan(&control); err != nil {
		return "", fmt.Errorf("look for control database: %w", err)
	}
	return fmt.Sprintf(`COMMENT ON ROLE %s IS '%s'`, role, strings.ReplaceAll(madeFor+control, `'`, `''`)), nil
}

// look reports whether the number's role exists. One of another installation is a
// fault.Conflict that wraps errForeign.
func (s *server) look(ctx context.Context, id instances.ID) (there bool, err error) {
	var others bool
	err = s.db.QueryRowContext(ctx, `SELECT `+foreign+` FROM pg_roles r WHERE rolname = $1`, mainName(id)).Scan(&others)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for role: %w", err)
	case others:
		return false, fault.Wrap(fault.Conflict, fmt.Sprintf(
			"Another Switchboard on this PostgreSQL server has a number with the id %s. Create the number again: it then gets another id.", id), errForeign)
	}
	return true, nil
}

var errForeign = fmt.Errorf("%w: role of another installation", ErrRefused)
