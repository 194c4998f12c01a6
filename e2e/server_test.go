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

// BenchmarkServer gives numbers (-numbers 200: 400 databases) a PostgreSQL server as it is
// installed, with 100 connections for everybody. All are made and paired, started at once
// after a stop of the panel, and get messages, all at the same time. It prints how many connections
// there were at most in each phase, the panel's among them; a number that was not connected, had to
// be started again, or lacks a message fails it.
func BenchmarkServer(b *testing.B) {
	for b.Loop() { // what counts is measured once, below
	}
	b.ReportMetric(0, "ns/op")
	const rounds = 5
	cluster := pgtest.Own(b)
	database := cluster.New(b)
	watch := watchConnections(b, database.SuperURI)
	began := time.Now()
	f := startFleet(b, *fleetSize, 24000, "DB_URI="+database.URI)
	other := f.network.addPhone(friend, "Grace")
	b.ReportMetric(time.Since(began).Seconds(), "s-to-make-and-pair")
	b.ReportMetric(float64(watch.most()), "connections-making")

	f.stop()
	watch.most()
	began = time.Now()
	f.restart(b)
	f.connected()
	b.ReportMetric(time.Since(began).Seconds(), "s-to-all-connected")
	b.ReportMetric(float64(watch.most()), "connections-starting")

	began = time.Now()
	for round := range rounds {
		for _, p := range f.phones {
			other.send(p.number, fmt.Sprint("round ", round))
		}
	}
	for i, inst := range f.numbers {
		main := mainDatabase(b, database.SuperURI, inst.Database.Main)
		poll(b, fmt.Sprintf("number %d has its messages", i), func() bool {
			var n int
			err := main.QueryRow(`SELECT count(*) FROM "messages" WHERE "text" LIKE 'round %'`).Scan(&n)
			return err == nil && n == rounds
		}, nil)
		_ = main.Close()
	}
	b.ReportMetric(float64(rounds*len(f.numbers))/time.Since(began).Seconds(), "messages/s")
	b.ReportMetric(float64(watch.most()), "connections-receiving")
	for _, inst := range f.now() {
		if inst.Status != "connected" || inst.Restarts > 0 {
			b.Errorf("%+v", inst)
		}
	}
}

// connectionWatch looks at the connections of a server all the time, its own left out.
type connectionWatch struct {
	mu   sync.Mutex
	peak int
}

func watchConnections(t testing.TB, super string) *connectionWatch {
	t.Helper()
	db, err := sql.Open("pgx", super)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	w := &connectionWatch{}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			var n int
			// Superusers are tests' own.
			if db.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'postgres'`).Scan(&n) == nil {
				w.mu.Lock()
				w.peak = max(w.peak, n)
				w.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { stop(); watching.Wait(); _ = db.Close() })
	return w
}

// most returns the most that there were since it was asked last.
func (w *connectionWatch) most() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := w.peak
	w.peak = 0
	return most
}
