package worker

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"switchboard/bucket"
	"switchboard/control"
	"switchboard/egress"
	"switchboard/engine"
	"switchboard/fault"
	"switchboard/isolation"
	"switchboard/lease"
	"switchboard/messages"
	"switchboard/settings"
	"switchboard/turnstile"
	"switchboard/webhooks"
	"switchboard/whatsapp"
)

// handles are the open databases, and what gives the right to write to them.
type handles struct {
	main, keys *sql.DB
	files      *files       // nil with a server
	lease      *lease.Lease // nil with SQLite, where the lock on the folder is enough
	hooks      *webhooks.Webhooks
	herald     *herald
}

// close gives back what there is.
func (h handles) close() {
	if h.keys != nil {
		_ = h.keys.Close()
	}
	if h.files != nil {
		h.files.closed()
	}
	if h.lease != nil {
		// One that cannot be given back runs out.
		_ = h.lease.Release(context.Background())
	}
	if h.main != nil {
		_ = h.main.Close()
	}
}

// keepLease keeps the lease until ctx ends, and calls end if it is lost. What it returns
// tells afterwards whether it was.
func (h handles) keepLease(ctx context.Context, end func(), log *slog.Logger) (lost func() error) {
	if h.lease == nil {
		return func() error { return nil }
	}
	go h.lease.Keep(ctx, log)
	go func() {
		select {
		case <-h.lease.Lost():
			end()
		case <-ctx.Done():
		}
	}()
	return func() error {
		select {
		case <-h.lease.Lost():
			return h.lease.Valid(context.Background())
		default:
			return nil
		}
	}
}

// How long a worker may take to open its databases: less than the panel waits for its first word.
const (
	startTime = 100 * time.Second // of a server or a disk that is slow
	awayTime  = 25 * time.Second  // of a server that is away
)

// openSoon is open, from the beginning if a database server goes away in between.
func openSoon(ctx context.Context, doc control.StartDocument, boot []byte, guard *guard, log *slog.Logger) (db handles, session *whatsapp.Session, err error) {
	limited, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	back, stop := context.WithTimeout(limited, awayTime)
	defer stop()
	err = engine.Again(back, engine.Away, func() (err error) {
		db, session, err = open(limited, doc, boot, guard, log)
		return err
	})
	if fault.KindOf(err) == fault.Internal && limited.Err() != nil && ctx.Err() == nil {
		err = fault.Wrap(fault.Unavailable, "The databases of this number did not open in time; check that the disk or the database server is not too slow.", err)
	}
	return db, session, err
}

func open(ctx context.Context, doc control.StartDocument, boot []byte, guard *guard, log *slog.Logger) (db handles, _ *whatsapp.Session, err error) {
	simulated, err := simulator(doc.Simulator)
	if err != nil {
		return db, nil, err
	}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	var watch outage
	main, keys := watch.of("main"), watch.of("keys")
	if doc.Connections > 0 {
		places := turnstile.Of(os.NewFile(control.ConnectionsFile, "connections"), doc.Connections)
		main.Places, keys.Places = places, places
	}
	if db.main, err = main.Main(ctx, doc.Database); err != nil {
		return db, nil, err
	}
	var options []messages.Option
	if doc.Database.Engine == engine.Postgres {
		if db.lease, err = takeLease(ctx, doc.Dir, db.main); err != nil {
			return db, nil, err
		}
		keys.Allowed = db.lease.Valid
		options = append(options, messages.WithFence(db.lease.Check))
	}
	var dialect string
	if db.keys, dialect, err = keys.Keys(ctx, doc.Database); err != nil {
		return db, nil, err
	}
	var syncMain, syncKeys func() error
	if doc.Database.Engine == engine.SQLite {
		if db.files, err = openedFiles(ctx, doc, db.keys, boot, log); err != nil {
			return db, nil, err
		}
		syncMain, syncKeys = db.files.main.Sync, db.files.keys.Sync
	}
	door := egress.New(doc.EgressAllow)
	o := webhooks.Options{ID: doc.ID, DB: db.main, Guard: door, Log: log}
	if db.lease != nil {
		o.Fence = db.lease.Check
	}
	if db.hooks, err = webhooks.New(ctx, o); err != nil {
		return db, nil, err
	}
	// Webhooks first: an event that comes before they are known would go to nobody.
	if err := configure(doc.Settings, db.hooks); err != nil {
		return db, nil, err
	}
	store := messages.New(db.main, append(options, messages.WithOutbox(db.hooks))...)
	db.herald = newHerald(store, db.hooks, log, doc.Missed)
	var set settings.Settings
	if len(doc.Settings) > 0 {
		if err := json.Unmarshal(doc.Settings, &set); err != nil {
			return db, nil, fault.Wrap(fault.Invalid, "The settings of this number cannot be read.", err)
		}
	}
	session, err := whatsapp.Open(ctx, whatsapp.Options{
		Direct: door.DialContext, Settings: set,
		Keys: db.keys, Dialect: dialect, Messages: store, Simulator: simulated, Log: log, OnStatus: db.herald.tell,
		Sync: syncMain, SyncKeys: syncKeys,
		Media: filepath.Join(doc.Dir, "media"), MediaSpace: guard.mediaSpace,
		Bucket: func(at settings.Bucket) (whatsapp.Bucket, error) { return bucket.New(at, door) },
	})
	if err != nil {
		return db, nil, diagnose(doc.Database, err)
	}
	if err := configure(doc.Settings, session); err != nil {
		session.Close()
		return db, nil, err
	}
	watch.toward(session.DatabaseAway)
	return db, session, nil
}

func takeLease(ctx context.Context, dir string, main *sql.DB) (*lease.Lease, error) {
	holder, err := lease.Holder(dir)
	if err != nil {
		return nil, err
	}
	return lease.Take(ctx, main, holder)
}

// outage knows whether the database server is away, from what is told about each of the
// number's databases.
type outage struct {
	mu     sync.Mutex
	away   map[string]bool
	listen func(away bool) // nil until somebody listens
}

// of returns an opener for a database that tells the outage about it.
func (o *outage) of(database string) isolation.Opener {
	return isolation.Opener{Away: func(away bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.away == nil {
			o.away = map[string]bool{}
		}
		if away {
			o.away[database] = true
		} else {
			delete(o.away, database)
		}
		o.tell()
	}}
}

// toward has listen called from now on, which must not block.
func (o *outage) toward(listen func(away bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listen = listen
	o.tell()
}

func (o *outage) tell() {
	if o.listen != nil {
		o.listen(len(o.away) > 0)
	}
}
