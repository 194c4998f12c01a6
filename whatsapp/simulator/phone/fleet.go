// Package phone plays the phones of a simulated WhatsApp network.
//
// A phone is an unmodified whatsmeow client that is logged in as device 0 of its account, so
// that encryption is the real thing. Around it is what a person's phone does beyond that:
// it scans the code of another device and vouches for it, hands it the keys and the history
// it needs, keeps the chats and shows them, and answers by itself if told to.
//
// A Fleet holds the phones of one network. Their keys and chats are in one SQLite file, so
// that they are still there after a restart.
package phone

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the phones' database
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
)

// Options of a fleet.
type Options struct {
	Network *simulator.Network
	Dir     string // holds phones.db; made when missing
	Log     *slog.Logger
}

// Fleet is all phones of one network. All methods may be called from any goroutine.
type Fleet struct {
	network *simulator.Network
	db      *sql.DB
	keys    *sqlstore.Container
	files   string // folder of the files that phones keep
	book    *book
	log     *slog.Logger

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex
	phones map[string]*Phone

	gate   sync.Mutex // closed, and no work is added after it
	closed bool
	work   sync.WaitGroup
}

// Open loads the phones that were added before and switches them on. It does not wait until
// they are connected; what needs a connection does.
func Open(ctx context.Context, o Options) (*Fleet, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the phones' folder: %w", err)
	}
	path := filepath.Join(o.Dir, "phones.db")
	// A crash of the program loses nothing this way, a power cut a few messages of a simulation.
	db, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=on&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open the phones' database: %w", err)
	}
	// One connection: SQLite has one writer anyhow, and phones that wait for a Go mutex are
	// served in turn, while those that wait for SQLite's lock sleep and try again.
	db.SetMaxOpenConns(1)
	f := &Fleet{
		network: o.Network,
		db:      db,
		keys:    sqlstore.NewWithDB(db, "sqlite3", whatsmeowLog{log: o.Log, module: "Database"}),
		files:   filepath.Join(o.Dir, "files"),
		log:     o.Log,
		phones:  map[string]*Phone{},
	}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := f.load(ctx); err != nil {
		f.cancel()
		return nil, fmt.Errorf("open the phones in %s: %w", o.Dir, closeAfter(db, err))
	}
	return f, nil
}

func closeAfter(db *sql.DB, err error) error {
	_ = db.Close()
	return err
}

func (f *Fleet) load(ctx context.Context) error {
	if err := f.keys.Upgrade(ctx); err != nil {
		return fmt.Errorf("set up the phones' keys: %w", err)
	}
	var err error
	if f.book, err = openBook(ctx, f.db); err != nil {
		return err
	}
	records, err := f.book.records(ctx)
	if err != nil {
		return err
	}
	for number, r := range records {
		device, err := f.keys.GetDevice(ctx, types.NewJID(number, types.DefaultUserServer))
		if err != nil {
			return fmt.Errorf("load the keys of a phone: %w", err)
		}
		if device == nil {
			f.log.Warn("phone has lost its keys and is forgotten", "phone", short(number))
			continue
		}
		p, err := f.join(ctx, number, r, device)
		if err != nil {
			return err
		}
		f.phones[number] = p
	}
	// A few at a time: a thousand handshakes at once would starve each other.
	turns := make(chan struct{}, 8)
	for _, p := range f.phones {
		if p.record.Off {
			continue
		}
		f.background(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if err := p.connect(); err != nil && f.ctx.Err() == nil {
				p.log.Warn("phone could not connect", "error", err)
			}
		})
	}
	return nil
}

// join registers a phone's account with the network and puts a client on its keys.
func (f *Fleet) join(ctx context.Context, number string, r record, device *store.Device) (*Phone, error) {
	signed := device.SignedPreKey
	lid, err := f.network.AddAccount(ctx, simulator.Primary{
		Number:         number,
		LID:            device.LID.User,
		Name:           r.Name,
		RegistrationID: device.RegistrationID,
		NoisePub:       *device.NoiseKey.Pub,
		IdentityPub:    *device.IdentityKey.Pub,
		SignedPreKey:   simulator.SignedPreKey{ID: signed.KeyID, Pub: *signed.Pub, Signature: *signed.Signature},
	})
	if err != nil {
		return nil, fmt.Errorf("register a phone with the network: %w", err)
	}
	if device.LID.User != lid {
		device.LID = types.NewJID(lid, types.HiddenUserServer)
		if err := device.Save(ctx); err != nil {
			return nil, fmt.Errorf("save the keys of a phone: %w", err)
		}
	}
	if err := device.LIDs.PutLIDMapping(ctx, device.LID, *device.ID); err != nil {
		return nil, fmt.Errorf("save the address of a phone: %w", err)
	}
	return newPhone(f, number, r, device), nil
}

// AddPhone returns the phone with that number and makes it if it does not exist, with an
// account of its own. It waits until the phone is connected. An existing phone keeps its name
// unless name is given.
func (f *Fleet) AddPhone(ctx context.Context, number, name string) (*Phone, error) {
	number, err := checkNumber(number)
	if err != nil {
		return nil, err
	}
	p, err := f.findOrMake(ctx, number, name)
	if err != nil {
		return nil, err
	}
	if !p.Online() {
		return p, nil
	}
	return p, p.ready(ctx)
}

func (f *Fleet) findOrMake(ctx context.Context, number, name string) (*Phone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return nil, errSwitchedOff
	}
	if p, ok := f.phones[number]; ok {
		if name != "" && name != p.Name() {
			return p, p.rename(ctx, name)
		}
		return p, nil
	}
	r := record{Name: cmp.Or(name, "+"+number), RawID: rand.Uint32()}
	device, err := f.newDevice(ctx, number, r)
	if err != nil {
		return nil, err
	}
	p, err := f.join(ctx, number, r, device)
	if err != nil {
		return nil, err
	}
	f.phones[number] = p
	f.background(func() {
		if err := p.connect(); err != nil && f.ctx.Err() == nil {
			p.log.Warn("phone could not connect", "error", err)
		}
	})
	return p, nil
}

func (f *Fleet) newDevice(ctx context.Context, number string, r record) (*store.Device, error) {
	device := f.keys.NewDevice()
	jid := types.NewJID(number, types.DefaultUserServer)
	device.ID, device.PushName, device.Platform = &jid, r.Name, "android"
	var err error
	if device.Account, err = (statement{rawID: r.RawID}).forPhone(device.IdentityKey); err != nil {
		return nil, err
	}
	if err := device.Save(ctx); err != nil {
		return nil, fmt.Errorf("save the keys of a new phone: %w", err)
	}
	// whatsmeow uploads 812 one-time keys if it has none at all, and 50 if it has one; 50 is
	// plenty, and a thousand phones are ready in a tenth of the time.
	if _, err := device.PreKeys.GenOnePreKey(ctx); err != nil {
		return nil, fmt.Errorf("make the first key of a new phone: %w", err)
	}
	return device, f.book.saveRecord(ctx, number, r)
}

// Phone returns the phone with that number.
func (f *Fleet) Phone(number string) (*Phone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.phones[digits(number)]
	if !ok {
		return nil, fault.New(fault.NotFound, "There is no phone with this number on the simulated network. Create it first.")
	}
	return p, nil
}

// Phones lists the phones in order of their numbers.
func (f *Fleet) Phones() []*Phone {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*Phone, 0, len(f.phones))
	for _, p := range f.phones {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *Phone) int { return cmp.Compare(a.number, b.number) })
	return all
}

// Close switches all phones off, waits for what they are doing and closes the database. The
// network may be closed before or after.
func (f *Fleet) Close() error {
	f.cancel()
	f.gate.Lock()
	f.closed = true
	f.gate.Unlock()
	var down sync.WaitGroup
	for _, p := range f.Phones() {
		down.Go(p.client.Disconnect)
	}
	down.Wait()
	f.work.Wait()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("close the phones' database: %w", err)
	}
	return nil
}

// background runs work that Close waits for; after Close it does nothing.
func (f *Fleet) background(work func()) {
	f.gate.Lock()
	defer f.gate.Unlock()
	if !f.closed {
		f.work.Go(work)
	}
}
