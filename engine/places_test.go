package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/isolation/pgtest"
)

// places counts who is in, and says that somebody waits when a test wants it.
type places struct {
	mu      sync.Mutex
	in      int
	waiting bool
	changed chan int
}

func (p *places) Enter(context.Context) (func(), error) {
	p.add(1)
	return sync.OnceFunc(func() { p.add(-1) }), nil
}

func (p *places) add(n int) {
	p.mu.Lock()
	p.in += n
	in := p.in
	p.mu.Unlock()
	p.changed <- in
}

func (p *places) Waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// A connection has its place until the server has seen its end, and gives it up for somebody
// who waits, without whoever uses the handle noticing.
func TestPlaces(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	p := &places{changed: make(chan int, 100)}
	db := openPostgres(t, database.URI, engine.Pool{Open: 2, Idle: time.Hour, Wait: 20 * time.Second, Places: p})
	super := openPostgres(t, database.SuperURI, pool)
	there := func() (n int) {
		t.Helper()
		if err := super.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE usename = $1`, database.Tag).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if in := <-p.changed; in != 1 || there() != 1 {
		t.Fatalf("%d places for %d connections", in, there())
	}
	for range 5 {
		if _, err := db.ExecContext(t.Context(), `SELECT pg_sleep(0.15)`); err != nil { // longer than one may be idle
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	p.waiting = true
	p.mu.Unlock()
	if in := <-p.changed; in != 0 || there() != 0 {
		t.Fatalf("with somebody waiting, %d places for %d connections", in, there())
	}
	// In use, it stays.
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT pg_sleep(0.5)`); err != nil {
		t.Fatal(err)
	}
	if in := <-p.changed; in != 1 || there() != 1 {
		t.Fatalf("in use, %d places for %d connections", in, there())
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if in := <-p.changed; in != 0 || there() != 0 {
		t.Fatalf("after its use, %d places for %d connections", in, there())
	}
	if _, err := db.ExecContext(t.Context(), `SELECT 1`); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if in := <-p.changed; in != 1 {
		t.Fatalf("%d places", in)
	}
	if in := <-p.changed; in != 0 || there() != 0 {
		t.Fatalf("closed, %d places for %d connections", in, there())
	}
}
