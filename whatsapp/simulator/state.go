package simulator

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"switchboard/engine"

	_ "github.com/mattn/go-sqlite3" // the driver
	"go.mau.fi/whatsmeow/util/keys"
)

// schema of the network's own database. It is SQLite only, since a simulated network lives
// in one process and one folder.
const schema = `
CREATE TABLE IF NOT EXISTS "meta" ("name" TEXT PRIMARY KEY, "value" BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS "accounts" ("number" TEXT PRIMARY KEY, "lid" TEXT NOT NULL UNIQUE, "data" BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS "devices" ("number" TEXT NOT NULL, "device" INTEGER NOT NULL, "data" BLOB NOT NULL,
	PRIMARY KEY ("number", "device"));
CREATE TABLE IF NOT EXISTS "prekeys" ("number" TEXT NOT NULL, "device" INTEGER NOT NULL, "first" INTEGER NOT NULL,
	"count" INTEGER NOT NULL, "keys" BLOB NOT NULL, PRIMARY KEY ("number", "device", "first"));
CREATE TABLE IF NOT EXISTS "queue" ("seq" INTEGER PRIMARY KEY, "number" TEXT NOT NULL, "device" INTEGER NOT NULL,
	"class" TEXT NOT NULL, "key" TEXT NOT NULL, "stanza" BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS "groups" ("id" TEXT PRIMARY KEY, "data" BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS "newsletters" ("id" TEXT PRIMARY KEY, "data" BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS "app_state" ("number" TEXT NOT NULL, "collection" TEXT NOT NULL, "version" INTEGER NOT NULL,
	"patch" BLOB NOT NULL, PRIMARY KEY ("number", "collection", "version"));
`

// state is the network's folder: a database for everything but media.
type state struct {
	writeDB, readDB *sql.DB
	journal         *journal
	mediaDir        string
	lock            *os.File
}

func openState(ctx context.Context, dir string, log *slog.Logger) (*state, error) {
	mediaDir := filepath.Join(dir, "media")
	if err := os.MkdirAll(mediaDir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the simulated network: %w", err)
	}
	dsn := (&url.URL{Scheme: "file", Opaque: url.PathEscape(filepath.Join(dir, "network.db")), RawQuery: "_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000"}).String()
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &state{mediaDir: mediaDir, lock: lock}
	if err = s.open(ctx, dsn, log); err != nil {
		return nil, errors.Join(fmt.Errorf("database of the simulated network: %w", err), s.close())
	}
	return s, nil
}

func (s *state) open(ctx context.Context, dsn string, log *slog.Logger) (err error) {
	if s.writeDB, err = sql.Open("sqlite3", dsn); err != nil {
		return err
	}
	if _, err = s.writeDB.ExecContext(ctx, schema); err != nil {
		return err
	}
	if s.readDB, err = sql.Open("sqlite3", dsn); err != nil {
		return err
	}
	s.readDB.SetMaxOpenConns(4)
	s.journal, err = newJournal(ctx, s.writeDB, log)
	return err
}

func (s *state) close() error {
	var errs []error
	if s.journal != nil {
		errs = append(errs, s.journal.close())
	}
	for _, db := range []*sql.DB{s.readDB, s.writeDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// lockDir keeps a second network out of the folder, until the file is closed.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("folder of the simulated network: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another simulated network uses %s: stop it or choose another folder", dir)
	}
	return lock, nil
}

// processRoot is the root key of every network whose folder is new, and of all phones in
// this process: whatsmeow keeps the root key that it trusts in a variable of the process.
var processRoot = sync.OnceValue(keys.NewKeyPair)

// key returns the key pair of that name, which is made on first use.
func (s *state) key(ctx context.Context, name string, make func() *keys.KeyPair) (*keys.KeyPair, error) {
	var private []byte
	err := s.readDB.QueryRowContext(ctx, `SELECT "value" FROM "meta" WHERE "name" = $1`, name).Scan(&private)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		pair := make()
		return pair, s.journal.write(op{`INSERT INTO "meta" ("name", "value") VALUES ($1, $2)`, []any{name, pair.Priv[:]}})
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(private) != 32:
		return nil, fmt.Errorf("%s in the database of the simulated network is damaged", name)
	}
	return keys.NewKeyPairFromPrivateKey([32]byte(private)), nil
}

// load fills the network from the database.
func (n *Network) load(ctx context.Context) error {
	for _, part := range []struct {
		query string
		read  func(engine.Row) error
	}{
		{`SELECT "number", "lid", "data" FROM "accounts"`, n.loadAccount},
		{`SELECT "number", "device", "data" FROM "devices" ORDER BY "number", "device"`, n.loadDevice},
		{`SELECT "seq", "number", "device", "class", "key", "stanza" FROM "queue" ORDER BY "seq"`, n.loadItem},
		{`SELECT "number", "collection", MAX("version") FROM "app_state" GROUP BY "number", "collection"`, n.loadVersion},
		{`SELECT "id", "data" FROM "newsletters"`, n.loadNewsletter},
		{`SELECT "id", "data" FROM "groups"`, n.loadGroup},
	} {
		if err := engine.Each(ctx, n.state.readDB, "load the simulated network", part.read, part.query); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) loadAccount(r engine.Row) error {
	a := &account{versions: map[string]uint64{}}
	var raw []byte
	if err := r.Scan(&a.Number, &a.LID, &raw); err != nil {
		return err
	}
	n.accounts[a.Number], n.lids[a.LID] = a, a
	return json.Unmarshal(raw, a)
}

func (n *Network) loadDevice(r engine.Row) error {
	d := &device{}
	var number string
	var raw []byte
	if err := r.Scan(&number, &d.ID, &raw); err != nil {
		return err
	}
	if d.account = n.accounts[number]; d.account == nil {
		return nil
	}
	d.account.devices = append(d.account.devices, d)
	return json.Unmarshal(raw, d)
}

func (n *Network) loadItem(r engine.Row) error {
	it := &item{written: true}
	if err := r.Scan(&it.seq, &it.number, &it.device, &it.class, &it.key, &it.stanza); err != nil {
		return err
	}
	n.sequence.Store(it.seq)
	if a := n.accounts[it.number]; a != nil && a.device(it.device) != nil {
		q := &a.device(it.device).queue
		q.items = append(q.items, it)
		n.stats.queued.Add(1)
	}
	return nil
}

func (n *Network) loadVersion(r engine.Row) error {
	var number, collection string
	var version uint64
	if err := r.Scan(&number, &collection, &version); err != nil {
		return err
	}
	if a := n.accounts[number]; a != nil {
		a.versions[collection] = version
	}
	return nil
}

func (n *Network) loadNewsletter(r engine.Row) error {
	l := &newsletter{Followers: map[string]bool{}}
	var raw []byte
	if err := r.Scan(&l.ID, &raw); err != nil {
		return err
	}
	n.newsletters[l.ID] = l
	return json.Unmarshal(raw, l)
}

func (n *Network) loadGroup(r engine.Row) error {
	g := &group{}
	var raw []byte
	if err := r.Scan(&g.ID, &raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, g); err != nil {
		return err
	}
	n.addGroup(g)
	return nil
}

// removeDevice needs mu.
func (n *Network) removeDevice(d *device) {
	a := d.account
	d.removed.Store(true)
	a.devices = slices.DeleteFunc(slices.Clone(a.devices), func(other *device) bool { return other == d })
	n.state.journal.later(
		op{`DELETE FROM "devices" WHERE "number" = $1 AND "device" = $2`, []any{a.Number, d.ID}},
		op{`DELETE FROM "prekeys" WHERE "number" = $1 AND "device" = $2`, []any{a.Number, d.ID}},
		op{`DELETE FROM "queue" WHERE "number" = $1 AND "device" = $2`, []any{a.Number, d.ID}},
	)
	q := &d.queue
	q.mu.Lock()
	for _, it := range q.items {
		if it != nil && !it.acked {
			it.acked = true
			n.stats.queued.Add(-1)
			n.state.journal.drop(it)
		}
	}
	q.items, q.next, q.inFlight = nil, 0, 0
	q.mu.Unlock()
}
