package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"switchboard/isolation/pgtest"
)

// TestAFullServerFailsNothing gives twelve numbers a PostgreSQL server with too few
// connections for them, makes them all at once and sends to all of them at once. What has to
// wait waits; no worker ends, and every message is stored.
func TestAFullServerFailsNothing(t *testing.T) {
	t.Parallel()
	const count, rounds, connections = 12, 5, 25
	cluster := pgtest.Own(t, fmt.Sprintf("max_connections=%d", connections))
	database := cluster.New(t)
	super, err := sql.Open("pgx", database.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close()
	ctx, stop := context.WithCancel(t.Context())
	most := 0
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			var n int
			if super.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'`).Scan(&n) == nil {
				most = max(most, n)
			}
		}
	})
	f := startFleet(t, count, 30000, "DB_URI="+database.URI)
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
	stop()
	watching.Wait()
	for _, inst := range f.now() {
		if inst.Status != "connected" || inst.Restarts > 0 {
			t.Errorf("%+v", inst)
		}
	}
	t.Logf("%d numbers with %d connections between them; %d were in use at most", count, connections, most)
	if most < connections-5 {
		t.Error("the server was not full, so nothing was tested")
	}
}
