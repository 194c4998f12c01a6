package simulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// account is one number. Its fields and those of its devices are guarded by Network.mu,
// unless they say otherwise.
type account struct {
	Number      string            `json:"-"`
	LID         string            `json:"-"`
	Name        string            `json:"name,omitempty"`
	About       string            `json:"about,omitempty"`
	Picture     string            `json:"picture,omitempty"` // id
	Privacy     map[string]string `json:"privacy,omitempty"`
	Blocked     []string          `json:"blocked,omitempty"`     // numbers
	Watchers    map[string]bool   `json:"watchers,omitempty"`    // numbers that know the list of devices
	LastDevice  uint16            `json:"last_device,omitempty"` // the last number given to a companion
	WantsPass   bool              `json:"wants_passkey,omitempty"`
	PasskeyID   []byte            `json:"passkey_id,omitempty"`
	PasskeyPriv []byte            `json:"passkey_private,omitempty"` // PKCS#8
	LastSeen    int64             `json:"last_seen,omitempty"`       // Unix seconds
	Business    *Business         `json:"business,omitempty"`

	devices   []*device // ascending; the phone first
	appState  sync.Mutex
	versions  map[string]uint64 // of the app state's collections; guarded by appState
	available int               // how many connections say that they are

	mediaRequests []MediaRequest // that the phone has not taken yet
}

// device is one device of an account.
type device struct {
	ID             uint16       `json:"-"`
	Noise          [32]byte     `json:"noise"`
	Identity       [32]byte     `json:"identity"`
	Registration   uint32       `json:"registration"`
	SignedPreKey   SignedPreKey `json:"signed_prekey"`
	SignedIdentity []byte       `json:"signed_identity,omitempty"` // ADVSignedDeviceIdentity, nil for the phone
	KeyIndex       uint32       `json:"key_index,omitempty"`
	Platform       string       `json:"platform,omitempty"`
	Linked         time.Time    `json:"linked"`
	LastSeen       time.Time    `json:"last_seen"`
	PreKeysGiven   int          `json:"prekeys_given"`  // counted over all uploads
	PreKeysStored  int          `json:"prekeys_stored"` // likewise
	LastPreKey     uint32       `json:"last_prekey"`    // highest id ever uploaded
	account        *account
	removed        atomic.Bool
	logins         atomic.Int64
	uploading      sync.Mutex // one upload of prekeys at a time
	queue          queue
	recent         recent
}

func (a *account) jid(server string) types.JID {
	if server == types.HiddenUserServer {
		return types.NewJID(a.LID, server)
	}
	return types.NewJID(a.Number, types.DefaultUserServer)
}

func (d *device) jid(server string) types.JID {
	j := d.account.jid(server)
	j.Device = d.ID
	return j
}

// alternate is the other of the two ways to address a user.
func alternate(server string) string {
	if server == types.HiddenUserServer {
		return types.DefaultUserServer
	}
	return types.HiddenUserServer
}

// find needs mu.
func (n *Network) find(jid types.JID) *account {
	switch jid.Server {
	case types.DefaultUserServer, types.LegacyUserServer:
		return n.accounts[jid.User]
	case types.HiddenUserServer:
		return n.lids[jid.User]
	}
	return nil
}

// findDevice needs mu.
func (n *Network) findDevice(jid types.JID) *device {
	if a := n.find(jid); a != nil {
		return a.device(jid.Device)
	}
	return nil
}

func (a *account) device(id uint16) *device {
	for _, d := range a.devices {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// deviceJIDs lists the account's devices in the way they are addressed at server.
func (a *account) deviceJIDs(server string) []types.JID {
	out := make([]types.JID, len(a.devices))
	for i, d := range a.devices {
		out[i] = d.jid(server)
	}
	return out
}

// devicesOf lists the devices of an account, which the caller may keep.
func (n *Network) devicesOf(a *account) []*device {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Clone(a.devices)
}

// saveAccount needs mu.
func (n *Network) saveAccount(a *account) {
	n.state.journal.later(accountOp(a))
}

// saveDevice needs mu.
func (n *Network) saveDevice(d *device) {
	n.state.journal.later(deviceOp(d))
}

func accountOp(a *account) op {
	return op{
		`INSERT INTO "accounts" ("number", "lid", "data") VALUES ($1, $2, $3)
		 ON CONFLICT ("number") DO UPDATE SET "lid" = excluded."lid", "data" = excluded."data"`,
		[]any{a.Number, a.LID, document(a)},
	}
}

func deviceOp(d *device) op {
	return op{
		`INSERT INTO "devices" ("number", "device", "data") VALUES ($1, $2, $3)
		 ON CONFLICT ("number", "device") DO UPDATE SET "data" = excluded."data"`,
		[]any{d.account.Number, d.ID, document(d)},
	}
}

func document(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%T cannot be encoded: %v", v, err)) // plain data only
	}
	return out
}

// newLID needs mu.
func (n *Network) newLID() string {
	for {
		lid := fmt.Sprintf("%d", 100_000_000_000_000+rand.Int64N(900_000_000_000_000))
		if n.lids[lid] == nil {
			return lid
		}
	}
}
