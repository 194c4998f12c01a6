package simulator

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	// maxDevice is the highest number of a companion, as it is on the real network.
	maxDevice = 99
	// beforeRestart lets the client tell its user that it is paired before its connection ends.
	beforeRestart = 150 * time.Millisecond
)

// Errors of pairing.
var (
	ErrUnknownRef = errors.New("no client waits for this code any more: ask it for a new one")
	// ErrPasskeyRequired is what Accept fails with for an account that wants a passkey, until
	// RequestPasskey, ContinuePasskey and FinishPasskey went through for the same ref.
	ErrPasskeyRequired = errors.New("this account wants a passkey before it links a device")
	ErrUnknownAccount  = errors.New("there is no account with this number: add its phone first")
	ErrUnknownDevice   = errors.New("the account has no such device")
)

// PendingDevice is a client that shows a QR code.
type PendingDevice struct {
	Ref            string
	NoisePub       [32]byte
	IdentityPub    [32]byte
	RegistrationID uint32
	Platform       string // as the client names itself
}

// pairing is the state of a client that is not paired yet; guarded by Network.connMu.
type pairing struct {
	refs         []string
	noise        [32]byte
	identity     [32]byte
	registration uint32
	signedPreKey SignedPreKey
	platform     string
	link         *linking
	passkey      *passkeying
}

// PendingDevice returns the client that shows a QR code with that ref.
func (n *Network) PendingDevice(ref string) (PendingDevice, bool) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	c := n.refs[ref]
	if c == nil {
		return PendingDevice{}, false
	}
	p := c.pairing
	return PendingDevice{Ref: ref, NoisePub: p.noise, IdentityPub: p.identity, RegistrationID: p.registration, Platform: p.platform}, true
}

func (n *Network) pending(ref string) (*connection, *pairing, error) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	c := n.refs[ref]
	if c == nil {
		return nil, nil, ErrUnknownRef
	}
	return c, c.pairing, nil
}

// Accept links the client behind ref (of a QR code, a link code or a passkey pairing) to
// the account: it sends pair-success with the phone's ADVSignedDeviceIdentityHMAC, waits
// for the client's signature, stores the device and asks the client to log in. It fails
// when the client refuses, and with ErrPasskeyRequired when the account wants a passkey
// first. After a refusal the client may be tried again.
func (n *Network) Accept(ctx context.Context, ref, number string, signedDeviceIdentityHMAC []byte, keyIndex uint32) (types.JID, error) {
	c, p, err := n.pending(ref)
	if err != nil {
		return types.EmptyJID, err
	}
	identity, err := unwrapIdentity(signedDeviceIdentityHMAC)
	if err != nil {
		return types.EmptyJID, err
	}
	d, err := n.newDevice(number, p, keyIndex)
	if err != nil {
		return types.EmptyJID, err
	}
	jid := d.jid(types.DefaultUserServer)
	answer, err := c.ask(ctx, node("iq", waBinary.Attrs{"from": types.ServerJID, "type": "set", "id": n.nextID(), "xmlns": "md", "t": unixNow()},
		node("pair-success", nil,
			data("device-identity", nil, signedDeviceIdentityHMAC),
			node("biz", waBinary.Attrs{"name": ""}),
			node("device", waBinary.Attrs{"jid": jid, "lid": d.jid(types.HiddenUserServer)}),
			node("platform", waBinary.Attrs{"name": "android"}),
		)))
	if err != nil {
		return types.EmptyJID, fmt.Errorf("link a device: %w", err)
	}
	if err := d.sign(identity, answer); err != nil {
		return types.EmptyJID, err
	}
	if err := n.addDevice(d); err != nil {
		return types.EmptyJID, err
	}
	n.connMu.Lock()
	c.forgetRefs()
	n.connMu.Unlock()
	n.devicesChanged(d, "add")
	select {
	case <-time.After(beforeRestart):
	case <-c.done:
	}
	c.finish(node("stream:error", waBinary.Attrs{"code": "515"}), restartGrace)
	n.log.Info("device linked", "device", jid.Device)
	return jid, nil
}

func unwrapIdentity(wrapped []byte) (*waAdv.ADVSignedDeviceIdentity, error) {
	var container waAdv.ADVSignedDeviceIdentityHMAC
	if err := proto.Unmarshal(wrapped, &container); err != nil {
		return nil, fmt.Errorf("the phone's signed device identity: %w", err)
	}
	var identity waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(container.GetDetails(), &identity); err != nil {
		return nil, fmt.Errorf("the phone's signed device identity: %w", err)
	}
	return &identity, nil
}

// newDevice makes the device that the client is about to become.
func (n *Network) newDevice(number string, p *pairing, keyIndex uint32) (*device, error) {
	n.connMu.Lock()
	passed := p.passkey != nil && p.passkey.finished && p.passkey.number == number
	d := &device{
		Noise: p.noise, Identity: p.identity, Registration: p.registration, SignedPreKey: p.signedPreKey,
		Platform: p.platform, KeyIndex: keyIndex, Linked: time.Now(), LastSeen: time.Now(),
	}
	n.connMu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[number]
	if a == nil {
		return nil, ErrUnknownAccount
	}
	if a.WantsPass && !passed {
		return nil, ErrPasskeyRequired
	}
	d.account = a
	for range maxDevice {
		a.LastDevice = a.LastDevice%maxDevice + 1
		if a.device(a.LastDevice) == nil {
			d.ID = a.LastDevice
			n.saveAccount(a)
			return d, nil
		}
	}
	return nil, fmt.Errorf("the account has %d linked devices already: remove one first", maxDevice)
}

// sign checks the client's answer to pair-success and completes the device's identity.
func (d *device) sign(identity *waAdv.ADVSignedDeviceIdentity, answer *waBinary.Node) error {
	if attr(answer, "type") == "error" {
		reason, _ := child(answer, "error")
		return fmt.Errorf("the client refused to be linked: %s %s", attr(&reason, "code"), attr(&reason, "text"))
	}
	signed, ok := answer.GetOptionalChildByTag("pair-device-sign", "device-identity")
	if !ok {
		return errors.New("the client answered the pairing without its signature")
	}
	if index := strconv.FormatUint(uint64(d.KeyIndex), 10); attr(&signed, "key-index") != index {
		return fmt.Errorf("the client signed key index %s instead of %s", attr(&signed, "key-index"), index)
	}
	var theirs waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(content(&signed), &theirs); err != nil {
		return fmt.Errorf("the client's signed device identity: %w", err)
	}
	message := slices.Concat(whatsmeow.AdvDeviceSignaturePrefix, identity.GetDetails(), d.Identity[:], identity.GetAccountSignatureKey())
	if len(theirs.GetDeviceSignature()) != 64 || !bytes.Equal(theirs.GetDetails(), identity.GetDetails()) ||
		!ecc.VerifySignature(ecc.NewDjbECPublicKey(d.Identity), message, [64]byte(theirs.GetDeviceSignature())) {
		return errors.New("the client's signature on its device identity is wrong")
	}
	identity.DeviceSignature = theirs.DeviceSignature
	raw, err := proto.Marshal(identity)
	d.SignedIdentity = raw
	return err
}

func (n *Network) addDevice(d *device) error {
	n.mu.Lock()
	a := d.account
	if a.device(d.ID) != nil {
		n.mu.Unlock()
		return errors.New("the device number was taken meanwhile: scan again")
	}
	a.devices = append(slices.Clone(a.devices), d)
	slices.SortFunc(a.devices, func(x, y *device) int { return int(x.ID) - int(y.ID) })
	save := deviceOp(d)
	n.mu.Unlock()
	return n.state.journal.write(save)
}

// Remove unlinks a companion: it is told so if it is connected, and can never log in again.
func (n *Network) Remove(_ context.Context, jid types.JID) error {
	n.mu.RLock()
	d := n.findDevice(jid)
	n.mu.RUnlock()
	if d == nil || d.ID == 0 {
		return ErrUnknownDevice
	}
	conn := d.queue.connection()
	n.unlink(d)
	if conn != nil {
		conn.finish(deviceRemoved(), goodbye)
	}
	return nil
}

// unlink removes a companion and tells everybody who knows of it.
func (n *Network) unlink(d *device) {
	n.mu.Lock()
	n.removeDevice(d)
	n.mu.Unlock()
	n.devicesChanged(d, "remove")
	n.log.Info("device unlinked", "device", d.ID)
}

// nextID returns an id for a stanza of the server's own.
func (n *Network) nextID() string {
	return strconv.FormatInt(n.stanzaID.Add(1), 10)
}

func token(size int) string {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}
