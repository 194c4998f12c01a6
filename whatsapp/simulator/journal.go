package simulator

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// lazyDelay is how long a change that nobody waits for may stay in memory.
const lazyDelay = 100 * time.Millisecond

// op is one statement of the journal.
type op struct {
	query string
	args  []any
}

// journal writes changes to the database from one goroutine, many in one transaction.
// Stanzas that are acknowledged before they were written never reach the disk.
type journal struct {
	log   *slog.Logger
	conn  *sql.Conn
	stmts map[string]*sql.Stmt

	mu     sync.Mutex
	items  []*item       // stanzas to be kept
	gone   []int64       // stanzas that were acknowledged, by sequence number
	ops    []op          // everything else
	after  []func(error) // called when the transaction ended
	armed  bool          // a lazy flush is on its way
	failed error

	wake chan struct{}
	quit chan struct{}
	done chan struct{}
}

func newJournal(ctx context.Context, db *sql.DB, log *slog.Logger) (*journal, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	j := &journal{
		log: log, conn: conn, stmts: map[string]*sql.Stmt{},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go j.run()
	return j, nil
}

// later writes ops within lazyDelay.
func (j *journal) later(ops ...op) {
	j.mu.Lock()
	j.ops = append(j.ops, ops...)
	j.arm()
	j.mu.Unlock()
}

// write writes ops now and returns when they are on disk.
func (j *journal) write(ops ...op) error {
	result := make(chan error, 1)
	j.mu.Lock()
	j.ops = append(j.ops, ops...)
	j.after = append(j.after, func(err error) { result <- err })
	j.mu.Unlock()
	j.flushNow()
	select {
	case err := <-result:
		return err
	case <-j.done:
		return context.Canceled
	}
}

// committed calls f, which must not block, once everything handed over so far is on disk.
func (j *journal) committed(f func(error)) {
	j.mu.Lock()
	j.after = append(j.after, f)
	j.mu.Unlock()
	j.flushNow()
}

// keep writes a stanza within lazyDelay, unless drop comes first.
func (j *journal) keep(it *item) {
	j.mu.Lock()
	j.items = append(j.items, it)
	j.arm()
	j.mu.Unlock()
}

// drop forgets a kept stanza.
func (j *journal) drop(it *item) {
	j.mu.Lock()
	it.dropped = true
	if it.written {
		j.gone = append(j.gone, it.seq)
		j.arm()
	}
	j.mu.Unlock()
}

// arm needs mu.
func (j *journal) arm() {
	if !j.armed {
		j.armed = true
		time.AfterFunc(lazyDelay, j.flushNow)
	}
}

func (j *journal) flushNow() {
	select {
	case j.wake <- struct{}{}:
	default: // a flush is due already
	}
}

func (j *journal) run() {
	defer close(j.done)
	for {
		select {
		case <-j.wake:
			j.flush()
		case <-j.quit:
			j.flush()
			return
		}
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	items, gone, ops, after := j.items, j.gone, j.ops, j.after
	j.items, j.gone, j.ops, j.after, j.armed = nil, nil, nil, nil, false
	kept := items[:0]
	for _, it := range items {
		if !it.dropped {
			it.written = true
			kept = append(kept, it)
		}
	}
	j.mu.Unlock()

	batch := make([]op, 0, len(kept)+len(gone)+len(ops))
	for _, it := range kept {
		batch = append(batch, op{
			`INSERT INTO "queue" ("seq", "number", "device", "class", "key", "stanza") VALUES ($1, $2, $3, $4, $5, $6)`,
			[]any{it.seq, it.number, it.device, it.class, it.key, it.stanza},
		})
	}
	for _, seq := range gone {
		batch = append(batch, op{`DELETE FROM "queue" WHERE "seq" = $1`, []any{seq}})
	}
	err := j.transact(append(batch, ops...))
	for _, f := range after {
		f(err)
	}
}

// transact executes ops in one transaction, or, if one of them is refused, the others one by
// one: a mistake in one place must not cost messages in another.
func (j *journal) transact(ops []op) error {
	if len(ops) == 0 {
		return nil
	}
	err := j.exec(op{query: `BEGIN IMMEDIATE`})
	for i := 0; i < len(ops) && err == nil; i++ {
		err = j.exec(ops[i])
	}
	if err == nil {
		err = j.exec(op{query: `COMMIT`})
	}
	if err == nil {
		return nil
	}
	_ = j.exec(op{query: `ROLLBACK`}) // fails if nothing was begun
	err = nil
	for _, o := range ops {
		if refused := j.exec(o); refused != nil {
			err = refused
			j.log.Error("state of the simulated network could not be written", "err", refused)
		}
	}
	if err != nil {
		j.mu.Lock()
		j.failed = err
		j.mu.Unlock()
	}
	return err
}

func (j *journal) exec(o op) error {
	stmt := j.stmts[o.query]
	if stmt == nil {
		var err error
		if stmt, err = j.conn.PrepareContext(context.Background(), o.query); err != nil {
			return fmt.Errorf("prepare %q: %w", o.query, err)
		}
		j.stmts[o.query] = stmt
	}
	_, err := stmt.ExecContext(context.Background(), o.args...) // what was begun is finished
	return err
}

// close writes what is left.
func (j *journal) close() error {
	close(j.quit)
	<-j.done
	for _, stmt := range j.stmts {
		_ = stmt.Close()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.conn.Close(); err != nil && j.failed == nil {
		j.failed = err
	}
	return j.failed
}
