//go:build !race

package whatsapp

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"switchboard/instances"
	"switchboard/isolation/pgtest"
)

// A number uses two connections for each database at most, whatever happens to it, and none
// when nothing does.
func TestConnectionsToTheServer(t *testing.T) {
	t.Parallel()
	main, keys := pgtest.New(t), pgtest.New(t)
	super, err := sql.Open("pgx", main.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close()
	inUse := func(ctx context.Context) (most int) {
		err := super.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) FROM
			(SELECT count(*) AS n FROM pg_stat_activity WHERE usename IN ($1, $2) GROUP BY datname) AS each`, main.Tag, keys.Tag).Scan(&most)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		return most
	}
	ctx, stop := context.WithCancel(t.Context())
	most, samples := 0, 0
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			most = max(most, inUse(ctx))
			samples++
		}
	})

	p, s, number := onServer(t, main, keys)
	owner, err := fleet.Phone(number)
	if err != nil {
		t.Fatal(err)
	}
	friend := newPhone(t, "Friend")
	talk := func(round string) {
		t.Helper()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if _, err := friend.SendText(within(t), number, fmt.Sprint("in ", round, i)); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if _, err := s.SendText(within(t), friend.Number(), fmt.Sprint("out ", round, i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for i := range 10 {
			p.one("a message", text(fmt.Sprint("in ", round, i)))
		}
	}
	talk("at first ")
	for range 3 {
		if err := s.Reconnect(within(t)); err != nil {
			t.Fatal(err)
		}
		until(t, s, "the reconnect", func(r instances.Report) bool { return r.Status == instances.Reconnecting })
		untilIs(t, s, instances.Connected, "")
	}
	talk("reconnected ")
	if err := s.Logout(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Pair(within(t)); err != nil {
		t.Fatal(err)
	}
	scan(t, s, owner)
	talk("paired again ")
	stop()
	watching.Wait()
	t.Logf("%d connections to one database at most, in %d samples", most, samples)
	if most > 2 || most == 0 {
		t.Errorf("%d connections to one database", most)
	}
	// The number stays connected to WhatsApp, and gives everything back.
	begun := time.Now()
	for end := within(t); inUse(end) > 0; {
		select {
		case <-time.After(50 * time.Millisecond): // the server tells nobody
		case <-end.Done():
			t.Fatalf("%d connections to one database stay open while nothing happens", inUse(t.Context()))
		}
	}
	t.Logf("all given back after %s", time.Since(begun).Round(100*time.Millisecond))
	untilIs(t, s, instances.Connected, "")
}
