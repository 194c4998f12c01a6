package simulator

import (
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	// A client shows the first code for 60 s and five more for 20 s each.
	qrCodes    = 6
	qrLifetime = 160 * time.Second
	// restartGrace is how long a client that was told to log in again may keep its socket.
	restartGrace = 5 * time.Second

	reasonBadRequest = 400
	reasonLoggedOut  = 401
)

var errPayload = errors.New("the client's payload holds neither a login nor a registration")

// admit answers the client's payload: a paired device is logged in, any other client is
// offered codes to be paired with.
func (c *connection) admit(static [32]byte, payload *waWa6.ClientPayload) error {
	if payload.GetUsername() == 0 {
		return c.register(static, payload.GetDevicePairingData())
	}
	number, id := strconv.FormatUint(payload.GetUsername(), 10), uint16(payload.GetDevice())
	n := c.n
	n.mu.RLock()
	var d *device
	if a := n.accounts[number]; a != nil {
		d = a.device(id)
	}
	known := d != nil && d.Noise == static
	n.mu.RUnlock()
	if f := n.takeLoginFailure(number, &id); f != nil {
		if known && id != 0 && f.Reason == reasonLoggedOut {
			n.unlink(d) // the client forgets its keys
		}
		c.refuse(*f)
		return nil
	}
	if !known {
		c.refuse(LoginFailure{Reason: reasonLoggedOut})
		return nil
	}
	c.login(d)
	return nil
}

func (c *connection) login(d *device) {
	n := c.n
	n.mu.Lock()
	d.LastSeen = time.Now()
	n.saveDevice(d)
	n.mu.Unlock()
	c.device.Store(d)
	d.logins.Add(1)
	n.stats.logins.Add(1)
	old := d.queue.attach(c)
	c.send(node("success", waBinary.Attrs{
		"t": unixNow(), "lid": d.jid(types.HiddenUserServer), "props": "27", "abprops": "61", "location": "sim", "creation": d.Linked.Unix(),
	}))
	if old != nil {
		old.finish(replaced(), goodbye)
	}
	if d.removed.Load() { // since it was looked up
		c.finish(deviceRemoved(), goodbye)
	}
	n.log.Debug("device logged in", "connection", c.id, "device", d.ID)
}

func (c *connection) refuse(f LoginFailure) {
	attrs := waBinary.Attrs{"reason": f.Reason, "location": "sim"}
	if f.Code != 0 {
		attrs["code"] = f.Code
	}
	if f.Expire > 0 {
		attrs["expire"] = int(f.Expire.Seconds())
	}
	c.finish(node("failure", attrs), goodbye)
}

// register offers codes to a client that is not paired.
func (c *connection) register(static [32]byte, data *waWa6.ClientPayload_DevicePairingRegistrationData) error {
	if data == nil {
		return errPayload
	}
	if f := c.n.takeLoginFailure("", nil); f != nil {
		c.refuse(*f)
		return nil
	}
	p := &pairing{noise: static}
	if len(data.GetERegid()) != 4 || len(data.GetEIdent()) != 32 || len(data.GetESkeyID()) != 3 ||
		len(data.GetESkeyVal()) != 32 || len(data.GetESkeySig()) != 64 {
		c.refuse(LoginFailure{Reason: reasonBadRequest})
		return nil
	}
	p.registration = binary.BigEndian.Uint32(data.GetERegid())
	p.identity = [32]byte(data.GetEIdent())
	p.signedPreKey = SignedPreKey{
		ID:        binary.BigEndian.Uint32(append([]byte{0}, data.GetESkeyID()...)),
		Pub:       [32]byte(data.GetESkeyVal()),
		Signature: [64]byte(data.GetESkeySig()),
	}
	var props waCompanionReg.DeviceProps
	if proto.Unmarshal(data.GetDeviceProps(), &props) == nil {
		p.platform = props.GetOs()
	}
	refs := make([]waBinary.Node, qrCodes)
	for i := range refs {
		ref := "2@" + token(33)
		p.refs = append(p.refs, ref)
		refs[i] = waBinary.Node{Tag: "ref", Content: []byte(ref)}
	}
	c.n.connMu.Lock()
	c.pairing = p
	for _, ref := range p.refs {
		c.n.refs[ref] = c
	}
	c.n.connMu.Unlock()
	lifetime := time.AfterFunc(qrLifetime, func() {
		if c.device.Load() == nil {
			c.close()
		}
	})
	go func() {
		<-c.done
		lifetime.Stop()
	}()
	c.send(node("iq", waBinary.Attrs{"from": types.ServerJID, "type": "set", "id": c.n.nextID(), "xmlns": "md"},
		node("pair-device", nil, refs...)))
	return nil
}

// forgetRefs needs connMu.
func (c *connection) forgetRefs() {
	if c.pairing == nil {
		return
	}
	for _, ref := range c.pairing.refs {
		delete(c.n.refs, ref)
	}
	c.pairing.refs = nil
}
