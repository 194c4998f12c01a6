package lease_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/isolation/pgtest"
	"switchboard/lease"
	"switchboard/migrations"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// number is the main database of a number.
type number struct {
	t   *testing.T
	uri string
	db  *sql.DB
}

func newNumber(t *testing.T) number {
	t.Helper()
	n := number{t: t, uri: pgtest.New(t).URI}
	n.db = n.open()
	if err := migrations.Up(t.Context(), n.db, engine.Postgres, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	n.exec(`CREATE TABLE "written" ("by" TEXT)`)
	return n
}

// open opens the database as a host's worker does.
func (n number) open() *sql.DB {
	n.t.Helper()
	db, err := engine.OpenPostgres(n.t.Context(), n.uri, engine.Pool{Open: 2, Idle: time.Minute, Wait: 20 * time.Second})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (n number) exec(statement string) {
	n.t.Helper()
	if _, err := n.db.ExecContext(n.t.Context(), statement); err != nil {
		n.t.Fatal(err)
	}
}

// expire has the lease run out.
func (n number) expire() { n.t.Helper(); n.exec(`UPDATE "lease" SET "expires_at" = 1`) }

func (n number) take(db *sql.DB, holder string) *lease.Lease {
	n.t.Helper()
	l, err := lease.Take(n.t.Context(), db, holder)
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

func (n number) refused(db *sql.DB, holder string) {
	n.t.Helper()
	_, err := lease.Take(n.t.Context(), db, holder)
	if !errors.Is(err, lease.ErrHeld) || fault.KindOf(err) != fault.Unavailable {
		n.t.Errorf("taken by %s although it is held: %v", holder, err)
	}
}

// write writes in a transaction that checks the lease first.
func write(ctx context.Context, db *sql.DB, l *lease.Lease) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := l.Check(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO "written" VALUES ('x')`); err != nil {
		return err
	}
	return tx.Commit()
}

func (n number) holds(what string, db *sql.DB, l *lease.Lease) {
	n.t.Helper()
	if err := errors.Join(write(n.t.Context(), db, l), l.Valid(n.t.Context())); err != nil {
		n.t.Errorf("%s: %v", what, err)
	}
}

func (n number) lost(what string, db *sql.DB, l *lease.Lease) {
	n.t.Helper()
	if err := write(n.t.Context(), db, l); !errors.Is(err, lease.ErrLost) {
		n.t.Errorf("%s: writing gives %v", what, err)
	}
	if err := l.Valid(n.t.Context()); !errors.Is(err, lease.ErrLost) {
		n.t.Errorf("%s: it is valid: %v", what, err)
	}
	select {
	case <-l.Lost():
	default:
		n.t.Errorf("%s: nobody is told", what)
	}
}

func TestOneHolderAtATime(t *testing.T) {
	t.Parallel()
	n := newNumber(t)
	here, there := n.open(), n.open()
	a := n.take(here, "here")
	n.refused(there, "there")
	n.holds("after another tried", here, a)

	// The same folder again: the process that held the lease is known to have ended.
	again := n.take(here, "here")
	n.lost("the former process", here, a)
	n.holds("the new one", here, again)
	n.refused(there, "there")

	// A graceful end.
	if err := again.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := n.take(there, "there")
	n.refused(here, "here")

	// A lease that ran out is lost only when somebody takes it.
	n.expire()
	n.holds("run out, taken by nobody", there, b)
	n.expire()
	c := n.take(here, "here")
	n.lost("run out and taken", there, b)
	n.holds("its successor", here, c)
	if err := b.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.refused(there, "there") // what is lost cannot be given back
}

// Whatever the former holder has under way when it is taken over comes to nothing.
func TestATakeoverEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	n := newNumber(t)
	here, there := n.open(), n.open()
	a := n.take(here, "here")
	tx, err := here.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO "written" VALUES ('late')`); err != nil {
		t.Fatal(err)
	}
	// The row is locked by the transaction, so the lease cannot be made to run out beside it:
	// the same holder takes it.
	n.take(there, "here")
	if err := tx.Commit(); err == nil {
		t.Error("the transaction of the former holder was committed")
	}
	var rows int
	if err := n.db.QueryRowContext(t.Context(), `SELECT count(*) FROM "written"`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows were written, %v", rows, err)
	}
	n.lost("afterwards", here, a)
}

func TestARaceHasOneWinner(t *testing.T) {
	t.Parallel()
	n := newNumber(t)
	total := 0
	for round := range 5 {
		var mu sync.Mutex
		var winners int
		var all sync.WaitGroup
		hosts := map[string]*sql.DB{}
		for _, host := range []string{"a", "b", "c", "d", "e", "f"} {
			hosts[host] = n.open() // before anybody takes the lease, which ends connections
		}
		for host, db := range hosts {
			all.Go(func() {
				_, err := lease.Take(t.Context(), db, host)
				switch {
				case err == nil:
					mu.Lock()
					winners++
					mu.Unlock()
				case !errors.Is(err, lease.ErrHeld) && !engine.Away(err):
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		// None, if the winner's connection was ended by one who came too late, before the
		// answer: then it tries again and has the lease already.
		if total += winners; winners > 1 {
			t.Errorf("round %d: %d winners", round, winners)
		}
		n.expire()
	}
	if total == 0 {
		t.Error("nobody ever won")
	}
}

// Holding a lease costs no connection.
func TestNoConnectionIsKept(t *testing.T) {
	t.Parallel()
	n := newNumber(t)
	db := n.open()
	l := n.take(db, "here")
	n.expire()
	if err := l.Valid(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stats := db.Stats(); stats.OpenConnections > 1 { // the one that opening made
		t.Errorf("%d connections are open", stats.OpenConnections)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := lease.Holder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := lease.Holder(dir); err != nil || again != first {
		t.Errorf("the same folder is %q and %q, %v", first, again, err)
	}
	copied := t.TempDir()
	text, err := os.ReadFile(filepath.Join(dir, "holder"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "holder"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := lease.Holder(copied); err != nil || other == first {
		t.Errorf("a copy of the folder is the same holder, %v", err)
	}
	if _, err := lease.Holder(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that does not exist has a holder")
	}
}
