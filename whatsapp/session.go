// Package whatsapp holds one number's connection to WhatsApp.
//
// A Session keeps the connection up, pairs the number with its phone, stores what arrives
// before WhatsApp is told that it arrived, and sends. It always knows how the number stands,
// and says "connected" only while WhatsApp gives signs of life. Of all packages only this
// one and its sub-folders know whatsmeow, the library that speaks WhatsApp's protocol.
package whatsapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/proxies"
	"switchboard/settings"
	"switchboard/whatsapp/serial"
)

// Options of a session.
type Options struct {
	Keys      *sql.DB // the keys database; stays the caller's to close, after Close
	Dialect   string  // in which whatsmeow has to speak to Keys
	Messages  *messages.Messages
	Simulator *Simulator // nil: the real network
	// Direct makes the connection to a number's proxy; nil makes any. Settings are those that
	// the session begins with: not even its first connection goes another way.
	Direct   proxies.Dial
	Settings settings.Settings
	// Media is the folder for media; "" for keeping none. It is made when it is needed.
	// MediaSpace is how many bytes all of them together may have now; 0, or without it: no limit.
	Media      string
	MediaSpace func() int64
	// Bucket opens the bucket to which media go once they are in the folder, if settings name
	// one; nil where there is none.
	Bucket func(settings.Bucket) (Bucket, error)
	Log    *slog.Logger
	// Sync returns when what is stored would survive a loss of power, SyncKeys when what Keys
	// holds would; nil where storing does that.
	Sync, SyncKeys func() error
	// OnStatus is told of every change of status or reason, in order. It must not block, nor
	// ask the session. It may be nil.
	OnStatus func(instances.Report)

	pace *pace // for tests; nil: the usual one
}

// Session is one number's connection. All methods may be called from any goroutine. Errors
// that a person can do something about are faults.
type Session struct {
	log          *slog.Logger
	store        *sqlstore.Container
	keysInFile   bool // and not with a server
	messages     *messages.Messages
	network      *network
	pace         pace
	onStatus     func(instances.Report)
	set          atomic.Pointer[settings.Settings]
	fetch        *fetcher
	bucket       func(settings.Bucket) (Bucket, error)
	sync         func() error // as in Options
	syncKeys     func() error
	arrivals     chan *arrival // what may have to be answered by itself
	tidy         chan struct{} // the settings changed
	historyParts chan struct{} // there are some
	spare        spare
	sending      atomic.Int64 // how many messages are on their way to WhatsApp

	ctx      context.Context // of everything that goes on until Close
	cancel   context.CancelFunc
	inbox    chan func(*keeper) // what the keeper has to deal with
	stop     chan struct{}
	done     chan struct{}  // closed when the keeper has ended
	beside   sync.WaitGroup // what runs beside the keeper until ctx ends
	turned   atomic.Int64   // Unix nanoseconds when the keeper last looked around
	active   atomic.Int64   // … and when a message last came or went
	once     sync.Once      // for Close
	away     atomic.Bool    // the database server is
	disk     atomic.Value   // the instances.Reason why nothing can be stored on it, "" for none
	asked    atomic.Bool    // the phone was, for what could not be read
	learning atomic.Bool    // groups are being learned, or known

	mu      sync.Mutex
	account *account
	report  instances.Report
	changed chan struct{}
	leaving bool // a logout that was asked for here is under way
}

// account is one linked device, or one that waits to be linked: its keys and its client. A
// logout ends it, and another takes its place.
type account struct {
	device *store.Device
	client *whatsmeow.Client
	guard  *serial.Guard
	calls  calls
	acks   acks
}

// announce sets how the phone lists us under "Linked devices". whatsmeow keeps that in
// package variables.
var announce = sync.OnceFunc(func() {
	store.SetOSInfo("Switchboard", [3]uint32{1, 0, 0})
	store.DeviceProps.PlatformType = waCompanionReg.DeviceProps_CHROME.Enum()
	store.DeviceProps.RequireFullSync = proto.Bool(false)
})

// ErrNewer says that the keys database was written by a newer program.
var ErrNewer = errors.New("keys database is newer than this program")

// Open brings the keys database to whatsmeow's schema and begins to connect. It does not
// wait for the connection: Report and Changed tell what becomes of it.
func Open(ctx context.Context, o Options) (*Session, error) {
	announce()
	s := &Session{
		log: o.Log, messages: o.Messages,
		store: sqlstore.NewWithDB(o.Keys, o.Dialect, bridge(o.Log)), keysInFile: o.Dialect == "sqlite3",
		network: newNetwork(o.Simulator, o.Direct),
		pace:    usualPace, onStatus: o.OnStatus, bucket: o.Bucket, sync: o.Sync, syncKeys: o.SyncKeys,
		inbox: make(chan func(*keeper), 64),
		stop:  make(chan struct{}), done: make(chan struct{}),
		fetch: newFetcher(o.Media, o.MediaSpace), arrivals: make(chan *arrival, automaticWaiting), tidy: make(chan struct{}, 1), historyParts: make(chan struct{}, 1), spare: make(spare),
		changed: make(chan struct{}),
		report:  instances.Report{Status: instances.Starting},
	}
	if o.pace != nil {
		s.pace = *o.pace
	}
	s.set.Store(&o.Settings)
	s.disk.Store(instances.Reason(""))
	s.network.goThrough(o.Settings.Proxy)
	if err := s.store.Upgrade(ctx); errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
		return nil, fault.Wrap(fault.Unavailable,
			"The keys of this number were written by a newer version of Switchboard. Update Switchboard to go on.", errors.Join(ErrNewer, err))
	} else if err != nil {
		return nil, fault.Wrap(fault.Unavailable,
			"The keys database of this number cannot be prepared. Look into the number's log.", err)
	}
	device, err := s.store.GetFirstDevice(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the linked device: %w", err)
	}
	if err := s.messages.FailQueued(ctx); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.take(device)
	go newKeeper(s).run()
	s.beside.Go(s.automate)
	s.beside.Go(s.keepTidy)
	s.beside.Go(s.takeHistory)
	if o.Media != "" {
		s.beside.Go(s.fetchWaiting)
		s.beside.Go(s.putAway)
		s.fetch.putAway()
	}
	return s, nil
}

// take makes device the session's.
func (s *Session) take(device *store.Device) *account {
	a := &account{device: device, guard: serial.Wrap(device)}
	a.guard.Persist = func(ctx context.Context, do func() error) error {
		err := s.persist(ctx, do)
		if engine.Failed(err) && !errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%w: %w", err, context.Canceled) // it says nothing about the message, which has to come again
		}
		if errors.Is(err, context.Canceled) {
			s.tell((*keeper).notStored)
		}
		return err
	}
	a.client = whatsmeow.NewClient(device, bridge(s.log))
	s.network.equip(a.client, s.pace.socket)
	a.client.BackgroundEventCtx = s.ctx
	// The keeper alone decides when to connect: whatsmeow's own waits grow to minutes, and
	// all its first attempts come at the same moment.
	a.client.EnableAutoReconnect = false
	a.client.DisableLoginAutoReconnect = true
	// A message counts as received when it is stored, not before.
	a.client.SynchronousAck = true
	a.client.EnableDecryptedEventBuffer = true
	a.client.EmitAppStateEventsOnFullSync = true // the address book comes in no other way
	// So does the history: the library would tell the phone first, then fetch it, once.
	a.client.ManualHistorySyncDownload = true
	a.client.DisableManualHistorySyncReceipt = true
	// What the sender does not send again in a form that can be read, the phone may still have.
	a.client.AutomaticMessageRerequestFromPhone = true
	a.client.GetMessageForRetry = s.messageForRetry
	a.client.AddEventHandlerWithSuccessStatus(func(evt any) bool { return s.handle(a, evt) })
	s.mu.Lock()
	s.account = a
	s.mu.Unlock()
	return a
}

func (s *Session) current() *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

// Report returns how the number stands.
func (s *Session) Report() instances.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	if r.JID != "" {
		r.ProvenAt = s.proof()
	}
	if at := s.active.Load(); at != 0 {
		r.ActiveAt = time.Unix(0, at)
	}
	if r.Pairing != nil {
		p := *r.Pairing
		r.Pairing = &p
	}
	return r
}

// proof returns when the connection last proved itself: bytes came, and a keeper was there
// that looks after them. A keeper that has not turned for a while will not turn again.
func (s *Session) proof() time.Time {
	heard := s.network.lastHeard()
	turned := time.Unix(0, s.turned.Load())
	if turned.Add(2 * s.pace.turn).Before(heard) {
		return turned
	}
	return heard
}

// Changed returns a channel that is closed at the next change of the report.
func (s *Session) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Close disconnects and waits until nothing of the session runs any more, at most a few
// seconds: whatsmeow cannot be interrupted in the middle of a handshake.
func (s *Session) Close() {
	s.once.Do(func() {
		close(s.stop)
		// The goodbye to a line that is dead would wait for an answer.
		polite := time.AfterFunc(s.pace.goodbye, s.network.cut)
		defer polite.Stop()
		select {
		case <-s.done:
		case <-time.After(s.pace.goodbye + 5*time.Second):
			s.log.Warn("closed in the middle of a handshake")
		}
		s.cancel()
		ended := make(chan struct{})
		go func() { s.beside.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(5 * time.Second): // an automatic answer waits for WhatsApp
		}
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.messages.Settle(last)
	})
}

// tell hands f to the keeper and does not wait for it.
func (s *Session) tell(f func(*keeper)) {
	select {
	case s.inbox <- f:
	case <-s.stop:
	}
}

// errClosed is what commands fail with after Close.
var errClosed = errors.New("the session is closed")

// ask hands f to the keeper and waits until it has run.
func (s *Session) ask(ctx context.Context, f func(*keeper) error) error {
	answer := make(chan error, 1)
	s.tell(func(k *keeper) { answer <- f(k) })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return errClosed
	}
}

// linked says whether the device is linked to a phone.
func (a *account) linked() bool { return !a.jid().IsEmpty() }

func (a *account) jid() types.JID { return a.device.GetJID() }
