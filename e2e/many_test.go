package e2e

import (
	"fmt"
	"testing"

	"switchboard/isolation/pgtest"
)

// TestAFullServerFailsNothing gives twelve numbers a PostgreSQL server with too few
// connections for them, makes them all at once and sends to all of them at once. What has to
// wait waits; no worker ends, and every message is stored. Unless they are told otherwise, the
// numbers leave a fifth of the connections to others.
func TestAFullServerFailsNothing(t *testing.T) {
	t.Parallel()
	// Three are the superuser's.
	t.Run("shared", func(t *testing.T) { t.Parallel(); crowd(t, 30000, 1, (25-3)*4/5) })
	t.Run("full", func(t *testing.T) { t.Parallel(); crowd(t, 30100, 25-5, 25, "DB_CONNECTIONS=1000") })
}

func crowd(t *testing.T, port, least, most int, vars ...string) {
	const count, rounds = 12, 5
	cluster := pgtest.Own(t, "max_connections=25")
	database := cluster.New(t)
	watch := watchConnections(t, database.SuperURI)
	f := startFleet(t, count, port, append(vars, "DB_URI="+database.URI)...)
	other := f.network.addPhone(friend, "Grace")
	for round := range rounds {
		for _, p := range f.phones {
			other.send(p.number, fmt.Sprint("round ", round))
		}
	}
	for i, inst := range f.numbers {
		main := mainDatabase(t, database.SuperURI, inst.Database.Main)
		poll(t, fmt.Sprintf("number %d has its messages", i), func() bool {
			var n int
			err := main.QueryRow(`SELECT count(*) FROM "messages" WHERE "text" LIKE 'round %'`).Scan(&n)
			return err == nil && n == rounds
		}, nil)
		_ = main.Close()
	}
	for _, inst := range f.now() {
		if inst.Status != "connected" || inst.Restarts > 0 {
			t.Errorf("%+v", inst)
		}
	}
	peak := watch.most()
	t.Logf("%d numbers; %d connections were in use at most", count, peak)
	if peak < least || peak > most {
		t.Errorf("%d connections were in use at most, want between %d and %d", peak, least, most)
	}
}
