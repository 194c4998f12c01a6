package e2e

import (
	"testing"

	"switchboard/isolation/pgtest"
)

// TestThroughPgBouncer walks the whole way of a number whose databases are behind PgBouncer
// in transaction mode.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	story(t, "DB_URI="+pgtest.Bouncer(t, pgtest.New(t)).URI)
}
