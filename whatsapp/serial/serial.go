// Package serial keeps a device's Signal sessions from being stepped twice at once, or in vain.
//
// Encrypting a message and decrypting one both read the session with the other device,
// step its ratchet and write it back. whatsmeow does the first in SendMessage and the
// second in its handler queue, without a lock between them. When the two meet, one step is
// lost, the next message is encrypted with a key that was already used, and the receiver
// drops it without telling anybody. A Guard gives out one turn per device: whoever is about
// to step a session waits for it, and gives it back once the session is written.
//
// Decrypting also steps states of the session that the message does not belong to; repair
// puts those back before the session is written.
//
// SendMessage leaves out every device that it could not encrypt for, be it that a store
// failed, and has WhatsApp take what is left, which may be nothing. A guard lets no such
// message out: see Send.
//
// Nothing in whatsmeow or libsignal is changed. The guard stands in front of the two stores
// that whatsmeow reads and writes sessions through, and of others that it asks the same again
// with every message. It needs Client.EnableDecryptedEventBuffer,
// since whatsmeow then decrypts inside EventBuffer.DoDecryptionTxn, which has a beginning and
// an end.
package serial

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// loanTime is how long a call outside of Send and of a decryption may keep the turn. Such a
// call (the answer to a retry receipt, a request to the phone) has no end that could be seen
// but its write, and an error in between may keep that from coming. From read to write it
// takes milliseconds.
const loanTime = 3 * time.Second

// Guard gives out the turn of one device. It is safe for concurrent use.
type Guard struct {
	// Persist, if it is set, runs what has to be read or written before a message can be
	// decrypted, and may run it again after an error. It has to be set before the client
	// connects. An error that whatsmeow gets makes it acknowledge the message, unless the
	// error wraps context.Canceled.
	Persist func(ctx context.Context, do func() error) error

	identities *identities // nil before the device has stores
	device     *store.Device

	turn chan struct{} // holds a token while nobody has the turn

	mu   sync.Mutex
	loan *loan
}

// loan is the turn in the hands of a call that carries no hold.
type loan struct {
	addresses []string
	expiry    *time.Timer
}

// Wrap puts a guard in front of device's sessions and returns it. Call it once per device,
// before the client connects; it stays in place when a new device gets its stores at pairing.
func Wrap(device *store.Device) *Guard {
	g := &Guard{turn: make(chan struct{}, 1), device: device}
	g.turn <- struct{}{}
	g.attach(device)
	return g
}

func (g *Guard) persist(ctx context.Context, do func() error) error {
	if g.Persist == nil {
		return do()
	}
	return g.Persist(ctx, do)
}

// attach puts the guard in front of the stores that device has now.
func (g *Guard) attach(device *store.Device) {
	if inner := device.Sessions; inner != nil {
		if _, done := inner.(*sessions); !done {
			device.Sessions = &sessions{SessionStore: inner, guard: g}
		}
	}
	if inner := device.Identities; inner != nil {
		if _, done := inner.(*identities); !done {
			g.identities = &identities{IdentityStore: inner, guard: g}
			device.Identities = g.identities
		}
	}
	if inner := device.PrivacyTokens; inner != nil {
		if _, done := inner.(*tokens); !done {
			device.PrivacyTokens = &tokens{PrivacyTokenStore: inner}
		}
	}
	if inner := device.SenderKeys; inner != nil {
		if _, done := inner.(*senderKeys); !done {
			device.SenderKeys = &senderKeys{SenderKeyStore: inner, guard: g}
		}
	}
	if inner := device.MsgSecrets; inner != nil {
		if _, done := inner.(*secrets); !done {
			device.MsgSecrets = &secrets{MsgSecretStore: inner, guard: g}
		}
	}
	if inner := device.NCTSalt; inner != nil {
		if _, done := inner.(*salts); !done {
			device.NCTSalt = &salts{NCTSaltStore: inner}
		}
	}
	if inner := device.EventBuffer; inner != nil {
		if _, done := inner.(*buffer); !done {
			device.EventBuffer = &buffer{EventBuffer: inner, guard: g}
		}
	}
	if inner := device.Container; inner != nil {
		if _, done := inner.(*container); !done {
			device.Container = &container{DeviceContainer: inner, guard: g}
		}
	}
}

// Send runs send, which should call SendMessage (or anything that ends there) with the
// context it is given. The turn is taken when whatsmeow reads the sessions, given back when it
// has written them, so that waiting for the network keeps nobody waiting, and at the latest
// when send returns. Sends of one device may run at the same time. The error is send's.
//
// When a store fails, nothing goes out and the error is the store's. The same with
// ErrUnreached for a message to a person: it goes out only if it could be encrypted for at
// least one of their devices. In a group, whoever was left out asks for the message.
func (g *Guard) Send(ctx context.Context, to types.JID, send func(context.Context) error) error {
	return g.SendWhen(ctx, to, nil, send)
}

// SendWhen is Send of a message that goes out only when ready has returned nil; an error of
// ready is its own. A message to a person is encrypted meanwhile: whatsmeow writes the
// sessions right before the message, and ready is waited for in between, when the turn is
// given back. If it then does not go out, the step of the sessions was in vain, which the
// other end does not mind.
func (g *Guard) SendWhen(ctx context.Context, to types.JID, ready func() error, send func(context.Context) error) error {
	h := &hold{guard: g, reach: reach{person: to.Server == types.DefaultUserServer || to.Server == types.HiddenUserServer}}
	switch {
	case ready == nil:
	case h.person:
		h.ready = ready
	default: // its keys may be written before the sessions are, or none at all
		if err := ready(); err != nil {
			return err
		}
	}
	defer h.end()
	if err := send(context.WithValue(ctx, holdKey{g}, h)); err != nil {
		return err
	}
	return h.unwritten()
}

// holdKey is the context key of a guard's hold. It has the guard in it, so that a context
// that travels from one device to another claims nothing there.
type holdKey struct{ guard *Guard }

// hold is the claim of one Send or one decryption on the turn.
type hold struct {
	guard *Guard
	keep  bool         // a decryption keeps the turn over any number of writes
	ready func() error // is waited for before the message goes out; may be nil
	reach

	mu     sync.Mutex
	has    bool
	over   bool
	before map[string][]byte // the sessions that a decryption has read, by address
}

// holdOf returns the hold in ctx, nil if there is none or if its call has returned.
func (g *Guard) holdOf(ctx context.Context) *hold {
	h, _ := ctx.Value(holdKey{g}).(*hold)
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return nil
	}
	return h
}

// load keeps the session at address as a decryption has read it.
func (h *hold) load(address string, session []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.before == nil {
		h.before = map[string][]byte{}
	}
	h.before[address] = session
}

// loaded returns the session at address as it was read last, nil if there was none.
func (h *hold) loaded(address string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.before[address]
}

// take makes h have the turn, waiting for it if need be.
func (h *hold) take(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.has {
		return nil
	}
	if err := h.guard.take(ctx); err != nil {
		return err
	}
	h.has = true
	return nil
}

// release gives the turn back if h has it.
func (h *hold) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.has {
		h.has = false
		h.guard.give()
	}
}

func (h *hold) end() {
	h.release()
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
}

func (g *Guard) take(ctx context.Context) error {
	select {
	case <-g.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Guard) give() { g.turn <- struct{}{} }

// read takes the turn for the sessions at addresses and runs f, which reads them. The turn
// stays with the caller until its write, unless f fails.
func (g *Guard) read(ctx context.Context, addresses []string, f func() error) error {
	if h := g.holdOf(ctx); h != nil {
		if err := h.take(ctx); err != nil {
			return err
		}
		err := f()
		if err != nil && !h.keep {
			h.release()
		}
		return err
	}
	if err := g.take(ctx); err != nil {
		return err
	}
	if err := f(); err != nil {
		g.give()
		return err
	}
	l := &loan{addresses: addresses}
	g.mu.Lock()
	g.loan = l
	l.expiry = time.AfterFunc(loanTime, func() {
		if g.settle(l) {
			g.give()
		}
	})
	g.mu.Unlock()
	return nil
}

// write runs f, which writes the sessions at addresses, within the turn, and gives the turn
// back if it had been taken to read them.
func (g *Guard) write(ctx context.Context, addresses []string, f func() error) error {
	if h := g.holdOf(ctx); h != nil {
		if err := h.take(ctx); err != nil {
			return err
		}
		if !h.keep {
			defer h.release()
		}
		return f()
	}
	// A call without a hold cannot be told from another; but while one has the turn, no other
	// has come further than its read, so a write to these sessions is its own.
	if l := g.borrowed(addresses); l == nil || !g.settle(l) {
		if err := g.take(ctx); err != nil {
			return err
		}
	}
	defer g.give()
	return f()
}

// borrowed returns the loan that covers one of addresses, or nil.
func (g *Guard) borrowed(addresses []string) *loan {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.loan == nil {
		return nil
	}
	for _, a := range addresses {
		if slices.Contains(g.loan.addresses, a) {
			return g.loan
		}
	}
	return nil
}

// settle ends l and reports whether it was still out; the caller then has its turn.
func (g *Guard) settle(l *loan) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.loan != l {
		return false
	}
	g.loan = nil
	l.expiry.Stop()
	return true
}

// within runs f in a turn of its own, or in the one that ctx has already.
func (g *Guard) within(ctx context.Context, f func() error) error {
	if h := g.holdOf(ctx); h != nil {
		h.mu.Lock()
		has := h.has
		h.mu.Unlock()
		if has {
			return f()
		}
	}
	if err := g.take(ctx); err != nil {
		return err
	}
	defer g.give()
	return f()
}
