package phone

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/whatsapp/serial"
)

// patience is how long a phone waits for its connection to come (back) before it gives up on
// what it was asked to do.
const patience = 30 * time.Second

var errSwitchedOff = fault.New(fault.Conflict, "This phone is switched off. Switch it on and try again.")

// Phone is one simulated phone. All methods may be called from any goroutine.
type Phone struct {
	fleet  *Fleet
	number string
	client *whatsmeow.Client
	guard  *serial.Guard
	log    *slog.Logger

	linking       sync.Mutex // one device is linked at a time
	power         sync.Mutex // one switching on or off at a time
	undecryptable atomic.Int64
	replies       line

	mu        sync.Mutex
	record    record
	connected chan struct{} // closed while the phone is connected
	changed   chan struct{} // closed and replaced when an entry changes
	groups    map[string]string
	peers     map[types.MessageID]*peerMessage
	link      Link
	version   int64            // counts changes
	marks     map[string]Marks // nil until they are asked for
	labels    map[string]string
	calls     []Call
	activity  map[string]Activity
}

func newPhone(f *Fleet, number string, r record, device *store.Device) *Phone {
	log := f.log.With("phone", short(number))
	p := &Phone{
		fleet:     f,
		number:    number,
		guard:     serial.Wrap(device),
		log:       log,
		record:    r,
		connected: make(chan struct{}),
		changed:   make(chan struct{}),
		groups:    map[string]string{},
		peers:     map[types.MessageID]*peerMessage{},
		activity:  map[string]Activity{},
	}
	c := whatsmeow.NewClient(device, whatsmeowLog{log: log})
	http := &http.Client{Transport: f.network.PhoneTransport()}
	c.SetPreLoginHTTPClient(http)
	c.SetWebsocketHTTPClient(http)
	c.SetMediaHTTPClient(http)
	c.BackgroundEventCtx = f.ctx
	c.EnableAutoReconnect, c.InitialAutoReconnect = true, true
	c.SynchronousAck = true
	c.EnableDecryptedEventBuffer = true
	c.GetMessageForRetry = p.messageForRetry
	// A phone in somebody's hand confirms with two ticks, not with the hidden receipt of a
	// browser tab in the background.
	c.SetForceActiveDeliveryReceipts(true)
	c.AddEventHandlerWithSuccessStatus(p.handle)
	p.client = c
	return p
}

// Number returns the phone's number, digits only.
func (p *Phone) Number() string { return p.number }

// Name returns the name under which the phone's messages arrive.
func (p *Phone) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record.Name
}

// Online reports whether the phone is switched on. It may be without a connection for a moment.
func (p *Phone) Online() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.record.Off
}

// Connected reports whether the phone has a connection to the network right now.
func (p *Phone) Connected() bool { return p.client.IsConnected() && p.client.IsLoggedIn() }

// Undecryptable returns how many messages this phone has received since it was loaded that it
// could not open at first. Most of them come again after a retry receipt.
func (p *Phone) Undecryptable() int64 { return p.undecryptable.Load() }

// SetOnline switches the phone on or off. Switched on, it waits for the connection. What
// arrives while it is off waits on the network.
func (p *Phone) SetOnline(ctx context.Context, on bool) error {
	p.power.Lock()
	defer p.power.Unlock()
	if err := p.remember(ctx, func(r *record) { r.Off = !on }); err != nil {
		return err
	}
	if !on {
		p.client.Disconnect()
		p.setConnected(false)
		return nil
	}
	if err := p.connectLocked(); err != nil {
		return err
	}
	return p.ready(ctx)
}

func (p *Phone) connect() error {
	p.power.Lock()
	defer p.power.Unlock()
	if !p.Online() || p.fleet.ctx.Err() != nil {
		return nil
	}
	return p.connectLocked()
}

func (p *Phone) connectLocked() error {
	if p.client.IsConnected() {
		return nil
	}
	// The connection belongs to the fleet and not to the request that asked for it.
	if err := p.client.ConnectContext(p.fleet.ctx); err != nil {
		return fmt.Errorf("connect a phone: %w", err)
	}
	return nil
}

// ready waits until the phone is connected.
func (p *Phone) ready(ctx context.Context) error {
	p.mu.Lock()
	connected, off := p.connected, p.record.Off
	p.mu.Unlock()
	if off {
		return errSwitchedOff
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-connected:
		return nil
	case <-p.fleet.ctx.Done():
		return errSwitchedOff
	case <-wait.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fault.New(fault.Unavailable, "This phone has no connection to the network at the moment. Try again in a minute.")
	}
}

func (p *Phone) setConnected(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.connected:
		if !on {
			p.connected = make(chan struct{})
		}
	default:
		if on {
			close(p.connected)
		}
	}
}

// remember changes the phone's record and saves it.
func (p *Phone) remember(ctx context.Context, change func(*record)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.record
	change(&r)
	if r == p.record {
		return nil
	}
	if err := p.fleet.book.saveRecord(ctx, p.number, r); err != nil {
		return err
	}
	p.record = r
	return nil
}

func (p *Phone) rename(ctx context.Context, name string) error {
	if err := p.remember(ctx, func(r *record) { r.Name = name }); err != nil {
		return err
	}
	p.client.Store.PushName = name
	return p.client.Store.Save(ctx)
}

// handle takes whatsmeow's events. False means that the event could not be stored and that
// the network shall deliver it again.
func (p *Phone) handle(event any) bool {
	ctx := p.fleet.ctx
	var err error
	switch e := event.(type) {
	case *events.Connected:
		p.setConnected(true)
	case *events.Disconnected:
		p.setConnected(p.Connected()) // the event may come after the next connection
	case *events.LoggedOut:
		p.setConnected(false)
		p.log.Warn("phone lost its account", "reason", e.Reason.String())
	case *events.StreamReplaced, *events.TemporaryBan, *events.ClientOutdated, *events.ConnectFailure:
		p.setConnected(false)
		p.log.Warn("phone was turned away", "event", fmt.Sprintf("%T", e))
	case *events.Message:
		err = p.receive(ctx, e)
	case *events.UndecryptableMessage:
		p.undecryptable.Add(1)
		p.log.Debug("message cannot be opened", "id", e.Info.ID, "unavailable", e.IsUnavailable)
	case *events.Receipt:
		err = p.receipt(ctx, e)
	case *events.Star:
		err = p.starred(ctx, e)
	case *events.DeleteForMe:
		err = p.deleted(ctx, e)
	case *events.ChatPresence:
		p.typing(ctx, e)
	case *events.Presence:
		p.presence(ctx, e)
	case *events.JoinedGroup:
		p.nameGroup(e.JID, e.Name)
	case *events.GroupInfo:
		if e.Name != nil {
			p.nameGroup(e.JID, e.Name.Name)
		}
		if e.Ephemeral != nil {
			err = p.mark(ctx, e.JID, func(m *Marks) { m.Disappearing = int(e.Ephemeral.DisappearingTimer) })
		}
	case *events.CallOffer, *events.CallReject, *events.CallTerminate:
		p.called(ctx, e)
	default:
		err = p.marked(ctx, e)
	}
	if err != nil {
		p.log.Error("phone could not store an event", "event", fmt.Sprintf("%T", event), "error", err)
	}
	return err == nil
}

// digits returns only the digits of a number as people write it.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

// checkNumber returns the digits of a number with which a phone can be made.
func checkNumber(number string) (string, error) {
	d := digits(number)
	if len(d) < 7 || len(d) > 15 || d[0] == '0' || strings.Trim(number, "+0123456789 -()/.") != "" {
		return "", fault.InField("number", "A phone number has 7 to 15 digits and begins with the country code, like +49 151 1234567.")
	}
	if types.NewJID(d, types.DefaultUserServer).IsBot() {
		return "", fault.InField("number", "This number belongs to a chat bot of WhatsApp. Choose another one.")
	}
	return d, nil
}

// short is the end of a number, for logs.
func short(number string) string {
	if len(number) <= 4 {
		return number
	}
	return "…" + number[len(number)-4:]
}
