package simulator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go.mau.fi/whatsmeow/types"
)

var errSkeleton = errors.New("the simulated network cannot do this yet")

// Options of a network.
type Options struct {
	Dir    string // state: accounts, devices, keys, queues, groups, media; made when missing
	Listen string // host:port; port 0 takes a free one
	Log    *slog.Logger
}

// Network is a simulated WhatsApp network. All methods may be called from any goroutine.
type Network struct{}

// Open loads the state in o.Dir and starts to listen.
func Open(ctx context.Context, o Options) (*Network, error) { return nil, errSkeleton }

// Addr returns host:port at which clients connect with plain TCP, whatever the host name
// they ask for: websocket and media.
func (n *Network) Addr() string { return "" }

// RootKey returns the public key that the network's certificates hang on.
func (n *Network) RootKey() [32]byte { return [32]byte{} }

// Close ends all connections and saves the state.
func (n *Network) Close() error { return errSkeleton }

// Restart closes all sockets and the listener, and listens again at the same port.
func (n *Network) Restart(ctx context.Context) error { return errSkeleton }

// PhoneTransport returns a transport for all three HTTP clients of a simulated phone in
// this process.
func (n *Network) PhoneTransport() http.RoundTripper { return nil }

// SignedPreKey is the public part of a signed prekey.
type SignedPreKey struct {
	ID        uint32
	Pub       [32]byte
	Signature [64]byte
}

// Primary is what the network has to know of a phone, device 0 of its account.
type Primary struct {
	Number         string // digits
	LID            string // digits; "" = made up
	Name           string
	RegistrationID uint32
	NoisePub       [32]byte
	IdentityPub    [32]byte
	SignedPreKey   SignedPreKey
}

// Account is one number.
type Account struct {
	Number, LID string // digits
	Name        string
	Passkey     bool // linking a device asks for a passkey
}

// Device is one device of an account; device 0 is the phone.
type Device struct {
	JID, LID types.JID
	Platform string
	KeyIndex uint32
	Linked   time.Time
	LastSeen time.Time
	Online   bool
	Queued   int // stanzas that wait for it
}

// PendingDevice is a client that shows a QR code.
type PendingDevice struct {
	Ref            string
	NoisePub       [32]byte
	IdentityPub    [32]byte
	RegistrationID uint32
	Platform       string // as the client names itself
}

// LinkCodeRequest is a client that shows a code to be typed into the phone.
type LinkCodeRequest struct {
	Ref              string
	Number           string
	Platform         string
	WrappedEphemeral []byte // 80 bytes: salt, iv, encrypted public key
	ServerAuthKeyPub []byte
	Nonce            []byte
	At               time.Time
}

// LinkCodeFinish is the client's answer to a typed code.
type LinkCodeFinish struct {
	WrappedKeyBundle     []byte
	CompanionIdentityPub []byte
}

// AddAccount registers an account with its phone as device 0. It is idempotent for the same
// keys and returns the account's LID.
func (n *Network) AddAccount(ctx context.Context, p Primary) (lid string, err error) {
	return "", errSkeleton
}

// Accounts lists the accounts, in order of their numbers.
func (n *Network) Accounts() []Account { return nil }

// Devices lists the devices of an account, the phone first.
func (n *Network) Devices(number string) []Device { return nil }

// PendingDevice returns the client that shows a QR code with that ref.
func (n *Network) PendingDevice(ref string) (PendingDevice, bool) { return PendingDevice{}, false }

// Accept links the client behind ref (of a QR code, a link code or a passkey pairing) to
// the account: it sends pair-success, waits for the client's signature, stores the device
// and asks the client to log in. It fails when the client refuses, and with
// ErrPasskeyRequired when the account wants a passkey first.
func (n *Network) Accept(ctx context.Context, ref, number string, signedDeviceIdentityHMAC []byte, keyIndex uint32) (types.JID, error) {
	return types.EmptyJID, errSkeleton
}

// LinkCodeRequests lists the clients that wait for their code to be typed into that phone.
func (n *Network) LinkCodeRequests(number string) []LinkCodeRequest { return nil }

// PrimaryHello passes the phone's half of a code pairing on and waits for the client's
// answer.
func (n *Network) PrimaryHello(ctx context.Context, ref string, wrappedPrimaryEphemeral, primaryIdentityPub []byte) (LinkCodeFinish, error) {
	return LinkCodeFinish{}, errSkeleton
}

// Remove unlinks a companion.
func (n *Network) Remove(ctx context.Context, jid types.JID) error { return errSkeleton }

// ErrPasskeyRequired is what Accept fails with for an account that wants a passkey, until
// RequestPasskey, ContinuePasskey and FinishPasskey went through for the same ref.
var ErrPasskeyRequired = errors.New("this account wants a passkey before it links a device")

// PasskeyPrologue is the client's answer to the request for a passkey. The network has
// checked the assertion.
type PasskeyPrologue struct {
	Ref          string // new ref of this pairing
	CredentialID []byte
	Assertion    []byte // WebAuthn response, JSON
	Payload      []byte // waCompanionReg.ProloguePayload
	HandoffProof []byte // HMAC over Payload by the scanned code's secret; may be missing
}

// SetPasskey says whether linking a device to the account asks for a passkey. The account
// gets a key pair of its own the first time.
func (n *Network) SetPasskey(ctx context.Context, number string, required bool) error {
	return errSkeleton
}

// AnswerPasskey plays the authenticator that holds the account's passkey: it answers
// WebAuthn request options (JSON, as the client received them) with a credential (JSON).
func (n *Network) AnswerPasskey(number string, options []byte) (credential []byte, err error) {
	return nil, errSkeleton
}

// RequestPasskey asks the client behind ref for the account's passkey and waits for the
// answer.
func (n *Network) RequestPasskey(ctx context.Context, ref, number string) (PasskeyPrologue, error) {
	return PasskeyPrologue{}, errSkeleton
}

// ContinuePasskey passes on the phone's waCompanionReg.PrimaryEphemeralIdentity and waits
// for the client's nonce.
func (n *Network) ContinuePasskey(ctx context.Context, ref string, primaryEphemeralIdentity []byte) (companionNonce []byte, err error) {
	return nil, errSkeleton
}

// FinishPasskey waits until the client's user has confirmed the code, and returns its
// waCompanionReg.EncryptedPairingRequest. Accept with the same ref comes next.
func (n *Network) FinishPasskey(ctx context.Context, ref string) (encryptedPairingRequest []byte, err error) {
	return nil, errSkeleton
}
