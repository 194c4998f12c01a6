package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

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

// AddAccount registers an account with its phone as device 0 and returns the account's LID.
// It is idempotent for the same keys. A phone with other keys takes the number over: the
// old phone's keys and queue are forgotten, its companions are unlinked.
func (n *Network) AddAccount(_ context.Context, p Primary) (lid string, err error) {
	if !digits(p.Number) || p.LID != "" && !digits(p.LID) {
		return "", fmt.Errorf("an account needs a number of 7 to 15 digits without a leading zero")
	}
	n.mu.Lock()
	a := n.accounts[p.Number]
	var old []*device
	if a != nil {
		phone := a.device(0)
		if phone.Noise == p.NoisePub && phone.Identity == p.IdentityPub {
			defer n.mu.Unlock()
			return a.LID, nil
		}
		old = a.devices
		for _, d := range old {
			n.removeDevice(d)
		}
	} else {
		if p.LID != "" && n.lids[p.LID] != nil {
			defer n.mu.Unlock()
			return "", errors.New("another account has this LID: leave it empty to have one made up")
		}
		a = &account{Number: p.Number, LID: p.LID, versions: map[string]uint64{}}
		if a.LID == "" {
			a.LID = n.newLID()
		}
		n.accounts[a.Number], n.lids[a.LID] = a, a
	}
	a.Name = p.Name
	phone := &device{
		Noise: p.NoisePub, Identity: p.IdentityPub, Registration: p.RegistrationID, SignedPreKey: p.SignedPreKey,
		Platform: "phone", Linked: time.Now(), LastSeen: time.Now(), account: a,
	}
	a.devices = []*device{phone}
	save := []op{accountOp(a), deviceOp(phone)}
	n.mu.Unlock()
	for _, d := range old {
		if conn := d.queue.connection(); conn != nil {
			conn.finish(deviceRemoved(), goodbye)
		}
	}
	return a.LID, n.state.journal.write(save...)
}

func digits(s string) bool {
	return len(s) >= 7 && len(s) <= 15 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

// Accounts lists the accounts, in order of their numbers.
func (n *Network) Accounts() []Account {
	n.mu.RLock()
	defer n.mu.RUnlock()
	out := make([]Account, 0, len(n.accounts))
	for _, a := range n.accounts {
		out = append(out, Account{Number: a.Number, LID: a.LID, Name: a.Name, Passkey: a.WantsPass})
	}
	slices.SortFunc(out, func(x, y Account) int { return strings.Compare(x.Number, y.Number) })
	return out
}

// Devices lists the devices of an account, the phone first.
func (n *Network) Devices(number string) []Device {
	n.mu.RLock()
	defer n.mu.RUnlock()
	a := n.accounts[number]
	if a == nil {
		return nil
	}
	out := make([]Device, len(a.devices))
	for i, d := range a.devices {
		out[i] = Device{
			JID: d.jid(types.DefaultUserServer), LID: d.jid(types.HiddenUserServer), Platform: d.Platform,
			KeyIndex: d.KeyIndex, Linked: d.Linked, LastSeen: d.LastSeen,
			Online: d.queue.connection() != nil, Queued: d.queue.length(),
		}
	}
	return out
}

// notify keeps a notification for a device.
func (n *Network) notify(to *device, kind string, from types.JID, extra waBinary.Attrs, children ...waBinary.Node) {
	attrs := waBinary.Attrs{"from": from, "type": kind, "id": n.nextID(), "t": unixNow()}
	maps.Copy(attrs, extra)
	n.push(to, node("notification", attrs, children...))
}

// devicesChanged tells the account's other devices and everybody who has asked for its list
// of devices that d came or went.
func (n *Network) devicesChanged(d *device, change string) {
	a := d.account
	n.mu.RLock()
	own := slices.Clone(a.devices)
	var watchers []*device
	for number := range a.Watchers {
		if w := n.accounts[number]; w != nil && w != a {
			watchers = append(watchers, w.devices...)
		}
	}
	pns, lids := a.deviceJIDs(types.DefaultUserServer), a.deviceJIDs(types.HiddenUserServer)
	n.mu.RUnlock()

	list := make([]waBinary.Node, len(pns))
	for i, jid := range pns {
		list[i] = node("device", waBinary.Attrs{"jid": jid})
	}
	pn, lid := a.jid(types.DefaultUserServer), a.jid(types.HiddenUserServer)
	for _, o := range own {
		if o != d {
			n.notify(o, "account_sync", pn, nil, node("devices", waBinary.Attrs{"dhash": participantHash(pns)}, list...))
		}
	}
	// A client caches the lists of one user's PN and LID apart, and looks a notification up
	// by its sender alone: each of the two lists gets its own.
	for _, w := range watchers {
		n.notify(w, "devices", lid, nil, node(change, waBinary.Attrs{"device_hash": participantHash(lids)},
			node("device", waBinary.Attrs{"jid": d.jid(types.HiddenUserServer)})))
		n.notify(w, "devices", pn, nil, node(change, waBinary.Attrs{"device_hash": participantHash(pns)},
			node("device", waBinary.Attrs{"jid": d.jid(types.DefaultUserServer)})))
	}
}
