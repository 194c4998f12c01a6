package simulator

import (
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Target says whom a fault strikes. The zero value is everybody. Phones (device 0) are only
// struck when named with Device, because some faults make a client delete its keys.
type Target struct {
	Number string // "" = every account
	// Device narrows the target to one device of Number.
	Device *uint16
}

// OnDevice is the target of one device.
func OnDevice(jid types.JID) Target {
	d := jid.Device
	return Target{Number: jid.User, Device: &d}
}

// StreamError is a reason for which the network ends a connection.
type StreamError string

// The stream errors.
const (
	StreamReplaced    StreamError = "replaced"       // another client took the session
	StreamRemoved     StreamError = "device_removed" // 401; the device is unlinked too
	StreamUnavailable StreamError = "503"
	StreamRestart     StreamError = "515"
)

// LoginFailure is what a login is answered with instead of success.
type LoginFailure struct {
	Reason int           // 401, 402 (temporary ban), 403, 405 (outdated), 500, 503 …
	Code   int           // of a temporary ban, 101 to 106
	Expire time.Duration // of a temporary ban
	Times  int           // how many logins fail; 0 = until it is cleared
}

// faults are the standing ones; guarded by Network.connMu.
type faults struct {
	logins   []loginFault
	sends    []sendFault
	keys     []Target
	uploads  []Target
	passkeys map[string]int // how many answers are still to be lost, by number
}

type loginFault struct {
	target  Target
	failure LoginFailure
}

type sendFault struct {
	target Target
	code   int
}

// matches reports whether the target covers a device. A client that is not paired, which
// has neither number nor device, is covered by everybody.
func (t Target) matches(number string, device *uint16) bool {
	switch {
	case t.Number != "" && t.Number != number:
		return false
	case t.Device != nil:
		return device != nil && *t.Device == *device
	}
	return device == nil || *device != 0
}

func (t Target) equal(o Target) bool {
	return t.Number == o.Number && (t.Device == nil) == (o.Device == nil) && (t.Device == nil || *t.Device == *o.Device)
}

// struck lists the live connections of a target.
func (n *Network) struck(t Target) []*connection {
	return slices.DeleteFunc(n.live(), func(c *connection) bool {
		if d := c.device.Load(); d != nil {
			return !t.matches(d.account.Number, &d.ID)
		}
		return !t.matches("", nil)
	})
}

// Drop closes the sockets without a word and returns how many.
func (n *Network) Drop(t Target) int {
	conns := n.struck(t)
	for _, c := range conns {
		c.close()
	}
	return len(conns)
}

// Silence makes the live connections mute and deaf, or ends that: the sockets stay open,
// what comes in is thrown away, what would go out waits. New connections are not affected.
func (n *Network) Silence(t Target, on bool) int {
	conns := n.struck(t)
	for _, c := range conns {
		c.silent.Store(on)
		c.wakeUp()
	}
	return len(conns)
}

// FailStream ends the connections with a stream error and returns how many.
func (n *Network) FailStream(t Target, e StreamError) int {
	conns := n.struck(t)
	for _, c := range conns {
		switch d := c.device.Load(); e {
		case StreamReplaced:
			c.finish(replaced(), goodbye)
		case StreamRemoved:
			if d != nil && d.ID != 0 {
				n.unlink(d)
			}
			c.finish(deviceRemoved(), goodbye)
		case StreamRestart:
			c.finish(node("stream:error", waBinary.Attrs{"code": string(e)}), restartGrace)
		default:
			c.finish(node("stream:error", waBinary.Attrs{"code": string(e)}), goodbye)
		}
	}
	return len(conns)
}

func replaced() waBinary.Node {
	return node("stream:error", nil, node("conflict", waBinary.Attrs{"type": "replaced"}))
}

func deviceRemoved() waBinary.Node {
	return node("stream:error", waBinary.Attrs{"code": "401"}, node("conflict", waBinary.Attrs{"type": "device_removed"}))
}

// FailLogins makes coming logins of a target fail; nil clears. A fault for everybody also
// strikes clients that are not paired yet.
func (n *Network) FailLogins(t Target, f *LoginFailure) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	n.faults.logins = slices.DeleteFunc(n.faults.logins, func(l loginFault) bool { return l.target.equal(t) })
	if f != nil {
		n.faults.logins = append(n.faults.logins, loginFault{t, *f})
	}
}

// takeLoginFailure returns the failure for one login and counts it.
func (n *Network) takeLoginFailure(number string, device *uint16) *LoginFailure {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	for i := range n.faults.logins {
		l := &n.faults.logins[i]
		if !l.target.matches(number, device) {
			continue
		}
		f := l.failure
		if l.failure.Times > 0 {
			if l.failure.Times--; l.failure.Times == 0 {
				n.faults.logins = slices.Delete(n.faults.logins, i, i+1)
			}
		}
		return &f
	}
	return nil
}

// RefuseSends answers a target's messages with that error code, 463 for example; 0 clears.
func (n *Network) RefuseSends(t Target, code int) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	n.faults.sends = slices.DeleteFunc(n.faults.sends, func(s sendFault) bool { return s.target.equal(t) })
	if code != 0 {
		n.faults.sends = append(n.faults.sends, sendFault{t, code})
	}
}

func (n *Network) refusal(d *device) int {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	for _, s := range n.faults.sends {
		if s.target.matches(d.account.Number, &d.ID) {
			return s.code
		}
	}
	return 0
}

// RefuseKeys has a target get no keys of others, with which it could begin a session, or
// ends that.
func (n *Network) RefuseKeys(t Target, on bool) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	n.faults.keys = slices.DeleteFunc(n.faults.keys, t.equal)
	if on {
		n.faults.keys = append(n.faults.keys, t)
	}
}

func (n *Network) refusesKeys(d *device) bool {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	return slices.ContainsFunc(n.faults.keys, func(t Target) bool { return t.matches(d.account.Number, &d.ID) })
}

// RefuseUploads has the servers of media answer a target's uploads with an error, or ends that.
func (n *Network) RefuseUploads(t Target, on bool) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	n.faults.uploads = slices.DeleteFunc(n.faults.uploads, t.equal)
	if on {
		n.faults.uploads = append(n.faults.uploads, t)
	}
}

func (n *Network) refusesUpload(number string, device uint16) bool {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	return slices.ContainsFunc(n.faults.uploads, func(t Target) bool { return t.matches(number, &device) })
}

// LosePasskeys has the network take the next answers of an account's passkey and lose them: the
// person has to answer once more, and to compare the code then, since the proof that it is the
// device whose code was scanned goes with the first answer alone.
func (n *Network) LosePasskeys(number string, times int) {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if n.faults.passkeys == nil {
		n.faults.passkeys = map[string]int{}
	}
	n.faults.passkeys[number] = times
}

func (n *Network) losesPasskey(number string) bool {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	if n.faults.passkeys[number] == 0 {
		return false
	}
	n.faults.passkeys[number]--
	return true
}
