package simulator

import (
	"context"
	"encoding/binary"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const (
	// fewPreKeys is when a client is told to upload more.
	fewPreKeys = 5
	preKeySize = 3 + 32 // id and value, as they are stored
	keyTypeDJB = 5
)

// handleEncrypt answers questions about prekeys: how many are left, take these, give me
// those of that device.
func (c *connection) handleEncrypt(d *device, iq *waBinary.Node, first waBinary.Node, set bool) {
	switch {
	case set && first.Tag == "registration":
		if err := c.n.storePreKeys(d, iq); err != nil {
			c.n.log.Error("prekeys could not be stored", "err", err)
			c.fail(iq, 500, "internal-server-error")
			return
		}
		c.result(iq)
	case first.Tag == "count":
		c.n.mu.RLock()
		left := d.PreKeysStored - d.PreKeysGiven
		c.n.mu.RUnlock()
		c.result(iq, node("count", waBinary.Attrs{"value": left}))
	case first.Tag == "key" && c.n.refusesKeys(d):
		c.fail(iq, 503, "service-unavailable")
	case first.Tag == "key":
		var users []waBinary.Node
		for _, user := range first.GetChildren() {
			users = append(users, c.n.bundle(attrJID(&user, "jid")))
		}
		c.result(iq, node("list", nil, users...))
	default:
		c.unknown(iq)
	}
}

// storePreKeys takes an upload. Keys that came before are left out: handing one out twice
// would break a session.
func (n *Network) storePreKeys(d *device, upload *waBinary.Node) error {
	d.uploading.Lock()
	defer d.uploading.Unlock()
	list, _ := child(upload, "list")
	n.mu.Lock()
	var keys []byte
	for _, key := range list.GetChildren() {
		id, _ := child(&key, "id")
		value, _ := child(&key, "value")
		rawID, rawValue := content(&id), content(&value)
		if len(rawID) != 3 || len(rawValue) != 32 {
			continue
		}
		if number := binary.BigEndian.Uint32(append([]byte{0}, rawID...)); number > d.LastPreKey {
			d.LastPreKey = number
			keys = append(append(keys, rawID...), rawValue...)
		}
	}
	if skey, ok := child(upload, "skey"); ok {
		if signed, ok := parseSignedPreKey(&skey); ok {
			d.SignedPreKey = signed
		}
	}
	first, count := d.PreKeysStored, len(keys)/preKeySize
	n.mu.Unlock()
	var ops []op
	if count > 0 {
		ops = append(ops, op{
			`INSERT INTO "prekeys" ("number", "device", "first", "count", "keys") VALUES ($1, $2, $3, $4, $5)`,
			[]any{d.account.Number, d.ID, first, count, keys},
		})
	}
	if err := n.state.journal.write(ops...); err != nil {
		return err
	}
	n.mu.Lock()
	d.PreKeysStored += count
	save := deviceOp(d)
	n.mu.Unlock()
	return n.state.journal.write(save)
}

func parseSignedPreKey(n *waBinary.Node) (SignedPreKey, bool) {
	id, _ := child(n, "id")
	value, _ := child(n, "value")
	signature, _ := child(n, "signature")
	rawID, pub, sig := content(&id), content(&value), content(&signature)
	if len(rawID) != 3 || len(pub) != 32 || len(sig) != 64 {
		return SignedPreKey{}, false
	}
	return SignedPreKey{ID: binary.BigEndian.Uint32(append([]byte{0}, rawID...)), Pub: [32]byte(pub), Signature: [64]byte(sig)}, true
}

// bundle is what somebody needs to start a session with a device. It uses up one prekey.
func (n *Network) bundle(jid types.JID) waBinary.Node {
	n.mu.Lock()
	d := n.findDevice(jid)
	if d == nil {
		n.mu.Unlock()
		return node("user", waBinary.Attrs{"jid": jid}, node("error", waBinary.Attrs{"code": 404, "text": "item-not-found"}))
	}
	place := -1
	left := d.PreKeysStored - d.PreKeysGiven
	if left > 0 {
		place = d.PreKeysGiven
		d.PreKeysGiven++
		left--
		n.saveDevice(d)
	}
	identity, registration, signed, signedIdentity := d.Identity, d.Registration, d.SignedPreKey, d.SignedIdentity
	n.mu.Unlock()

	parts := []waBinary.Node{
		data("registration", nil, binary.BigEndian.AppendUint32(nil, registration)),
		data("type", nil, []byte{keyTypeDJB}),
		data("identity", nil, identity[:]),
		node("skey", nil,
			data("id", nil, binary.BigEndian.AppendUint32(nil, signed.ID)[1:]),
			data("value", nil, signed.Pub[:]),
			data("signature", nil, signed.Signature[:])),
	}
	if place >= 0 {
		if id, value, err := n.preKey(d, place); err != nil {
			n.log.Error("prekey could not be read", "err", err)
		} else {
			parts = append(parts, node("key", nil, data("id", nil, id), data("value", nil, value)))
		}
		if left < fewPreKeys {
			n.notify(d, "encrypt", types.ServerJID, nil, node("count", waBinary.Attrs{"value": left}))
		}
	}
	if signedIdentity != nil {
		parts = append(parts, data("device-identity", nil, signedIdentity))
	}
	return node("user", waBinary.Attrs{"jid": jid, "t": unixNow()}, parts...)
}

// preKey reads the prekey at a place, counted over all uploads of the device.
func (n *Network) preKey(d *device, place int) (id, value []byte, err error) {
	var raw []byte
	err = n.state.readDB.QueryRowContext(context.Background(),
		`SELECT substr("keys", ($1 - "first") * $2 + 1, $2) FROM "prekeys"
		 WHERE "number" = $3 AND "device" = $4 AND "first" <= $1 AND "first" + "count" > $1`,
		place, preKeySize, d.account.Number, d.ID).Scan(&raw)
	if err != nil {
		return nil, nil, err
	}
	return raw[:3], slices.Clone(raw[3:]), nil
}
