package phone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
	"switchboard/whatsapp/simulator"
)

// Link is how far linking a device has come, for the phone's screen.
type Link struct {
	Waiting string `json:"waiting,omitempty"` // "passkey" or "confirmation" of the other screen; "" = nothing
	Code    string `json:"code,omitempty"`    // shown on both screens during confirmation
}

// Link returns how far linking a device has come.
func (p *Phone) Link() Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

func (p *Phone) setLink(l Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = l
	p.wake()
}

// Companion is a device that is linked to the phone.
type Companion struct {
	JID      string    `json:"jid"`
	Device   uint16    `json:"device"`
	Platform string    `json:"platform"`
	Linked   time.Time `json:"linked"`
	LastSeen time.Time `json:"last_seen,omitzero"`
	Online   bool      `json:"online"`
	Queued   int       `json:"queued"` // what waits for it on the network
}

// Companions lists the linked devices.
func (p *Phone) Companions() []Companion {
	var all []Companion
	for _, d := range p.fleet.network.Devices(p.number) {
		if d.JID.Device != 0 {
			all = append(all, Companion{
				JID: d.JID.String(), Device: d.JID.Device, Platform: d.Platform,
				Linked: d.Linked, LastSeen: d.LastSeen, Online: d.Online, Queued: d.Queued,
			})
		}
	}
	return all
}

// Unlink removes a linked device; it is logged out at once.
func (p *Phone) Unlink(ctx context.Context, device uint16) error {
	for _, d := range p.fleet.network.Devices(p.number) {
		if d.JID.Device == device && device != 0 {
			return p.fleet.network.Remove(ctx, d.JID)
		}
	}
	return fault.New(fault.NotFound, "No such device is linked to this phone.")
}

// Scan links the device that shows the QR code with that text. It returns once the device
// was accepted and everything it needs to begin is on its way. If the account wants a
// passkey, that includes waiting for the person at the other screen; see Link.
func (p *Phone) Scan(ctx context.Context, text string) (types.JID, error) {
	t, err := parseLinkText(text)
	if err != nil {
		return types.EmptyJID, err
	}
	p.linking.Lock()
	defer p.linking.Unlock()
	if err := p.ready(ctx); err != nil {
		return types.EmptyJID, err
	}
	pending, ok := p.fleet.network.PendingDevice(t.ref)
	if !ok {
		return types.EmptyJID, fault.InField("text", "This code has expired or was used already. Scan the one that the other screen shows now.")
	}
	if pending.NoisePub != t.noise || pending.IdentityPub != t.identity {
		return types.EmptyJID, fault.InField("text", "This code does not belong to the device that is waiting. Scan the code again.")
	}
	return p.accept(ctx, t.ref, t.identity, t.secret)
}

// EnterCode links the device that shows that eight-character code, after it asked for this
// phone's number.
func (p *Phone) EnterCode(ctx context.Context, typed string) (types.JID, error) {
	code, err := normalCode(typed)
	if err != nil {
		return types.EmptyJID, err
	}
	p.linking.Lock()
	defer p.linking.Unlock()
	if err := p.ready(ctx); err != nil {
		return types.EmptyJID, err
	}
	requests := p.fleet.network.LinkCodeRequests(p.number)
	if len(requests) == 0 {
		return types.EmptyJID, fault.New(fault.Conflict, "No device is waiting for a code for this number. Ask for a code on the other screen first.")
	}
	// More than one device may wait for this number; the code says which one is meant, and the
	// likeliest is the one that asked last.
	for _, request := range slices.Backward(requests) {
		identity, secret, err := p.exchangeCode(ctx, request, code)
		if errors.Is(err, errWrongCode) {
			continue
		}
		if err != nil {
			return types.EmptyJID, err
		}
		return p.accept(ctx, request.Ref, identity, secret)
	}
	return types.EmptyJID, fault.InField("code", "This is not the code on the other screen. Look again and type it once more.")
}

func (p *Phone) exchangeCode(ctx context.Context, r simulator.LinkCodeRequest, code string) (identity [32]byte, secret []byte, err error) {
	own := p.client.Store.IdentityKey
	pairing, hello, err := startCodePairing(own, code, r.WrappedEphemeral)
	if err != nil {
		return identity, nil, err
	}
	finish, err := p.fleet.network.PrimaryHello(ctx, r.Ref, hello, own.Pub[:])
	if err != nil {
		return identity, nil, fmt.Errorf("pass the code on: %w", err)
	}
	if len(finish.CompanionIdentityPub) != 32 {
		return identity, nil, errors.New("the other device sent no identity")
	}
	identity = [32]byte(finish.CompanionIdentityPub)
	secret, err = pairing.finish(finish.WrappedKeyBundle, identity)
	return identity, secret, err
}

// accept vouches for the device behind ref and hands it what it needs to begin.
func (p *Phone) accept(ctx context.Context, ref string, identity [32]byte, secret []byte) (types.JID, error) {
	jid, err := p.vouch(ctx, ref, identity, secret)
	if errors.Is(err, simulator.ErrPasskeyRequired) {
		defer p.setLink(Link{})
		if ref, identity, secret, err = p.askForPasskey(ctx, ref, secret); err != nil {
			return types.EmptyJID, fmt.Errorf("link a device with a passkey: %w", err)
		}
		jid, err = p.vouch(ctx, ref, identity, secret)
	}
	if err != nil {
		return types.EmptyJID, fmt.Errorf("link a device: %w", err)
	}
	p.log.Info("device linked", "device", jid.Device)
	if err := p.greet(ctx, jid); err != nil {
		return jid, fmt.Errorf("hand the linked device its keys: %w", err)
	}
	return jid, nil
}

func (p *Phone) vouch(ctx context.Context, ref string, identity [32]byte, secret []byte) (types.JID, error) {
	if err := p.remember(ctx, func(r *record) { r.KeyIndex++ }); err != nil {
		return types.EmptyJID, err
	}
	p.mu.Lock()
	s := statement{rawID: p.record.RawID, keyIndex: p.record.KeyIndex, at: time.Now()}
	p.mu.Unlock()
	envelope, err := s.forCompanion(p.client.Store.IdentityKey, identity, secret)
	if err != nil {
		return types.EmptyJID, err
	}
	return p.fleet.network.Accept(ctx, ref, p.number, envelope, s.keyIndex)
}

// askForPasskey has the client prove that its user holds the account's passkey, and returns
// what it is to be vouched for with then.
func (p *Phone) askForPasskey(ctx context.Context, ref string, scanned []byte) (newRef string, identity [32]byte, secret []byte, err error) {
	p.setLink(Link{Waiting: "passkey"})
	prologue, err := p.fleet.network.RequestPasskey(ctx, ref, p.number)
	if err != nil {
		return "", identity, nil, err
	}
	pairing, err := startPasskeyPairing(prologue.Payload, prologue.HandoffProof, scanned)
	if err != nil {
		return "", identity, nil, err
	}
	hello, err := pairing.hello()
	if err != nil {
		return "", identity, nil, err
	}
	nonce, err := p.fleet.network.ContinuePasskey(ctx, prologue.Ref, hello)
	if err != nil {
		return "", identity, nil, err
	}
	code, err := pairing.code(nonce)
	if err != nil {
		return "", identity, nil, err
	}
	p.setLink(Link{Waiting: "confirmation", Code: code})
	encrypted, err := p.fleet.network.FinishPasskey(ctx, prologue.Ref)
	if err != nil {
		return "", identity, nil, err
	}
	request, err := pairing.finish(encrypted)
	if err != nil {
		return "", identity, nil, err
	}
	return prologue.Ref, [32]byte(request.GetCompanionIdentityKey()), request.GetAdvSecret(), nil
}

// SetPasskey says whether linking a device to this phone asks for a passkey.
func (p *Phone) SetPasskey(ctx context.Context, required bool) error {
	return p.fleet.network.SetPasskey(ctx, p.number, required)
}

// AnswerPasskey answers WebAuthn request options, as the other screen received them, with the
// account's passkey.
func (p *Phone) AnswerPasskey(options []byte) ([]byte, error) {
	return p.fleet.network.AnswerPasskey(p.number, options)
}
