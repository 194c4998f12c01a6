package store

import (
	"strings"
	"testing"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/isolation/pgtest"
)

func TestAPoolerWithoutTransactions(t *testing.T) {
	t.Parallel()
	uri := pgtest.BouncerOf(t, pgtest.New(t), "statement").URI
	_, err := Open(t.Context(), uri)
	_, _, _, looked := Look(t.Context(), uri)
	for _, err := range []error{err, looked} {
		if fault.KindOf(err) != fault.Unavailable || engine.Away(err) || !strings.Contains(fault.MessageOf(err), "pool_mode = transaction") {
			t.Errorf("%v", err)
		}
	}
}
