package simulator

import (
	"time"

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

// Connection is one live connection.
type Connection struct {
	ID     int64     // never used twice
	JID    types.JID // zero before login and for a client that is being paired
	Since  time.Time
	Logins int // how often this device has logged in since the network was opened
}

// Stats counts since the network was opened.
type Stats struct {
	Connections int64 // accepted websockets
	Logins      int64
	Messages    int64 // accepted from clients, without repetitions
	Deliveries  int64 // message stanzas written to clients
	Receipts    int64
	Retries     int64 // retry receipts
	Iqs         int64
	UnknownIqs  int64 // answered with error 501
	Queued      int64 // stanzas that wait for a receipt now
}

// Drop closes the sockets without a word and returns how many.
func (n *Network) Drop(t Target) int { return 0 }

// Silence makes the live connections mute and deaf, or ends that: the sockets stay open,
// what comes in is thrown away, what would go out waits. New connections are not affected.
func (n *Network) Silence(t Target, on bool) int { return 0 }

// FailStream ends the connections with a stream error.
func (n *Network) FailStream(t Target, e StreamError) int { return 0 }

// FailLogins makes coming logins fail; nil clears.
func (n *Network) FailLogins(t Target, f *LoginFailure) {}

// RefuseSends answers messages with that error code, 463 for example; 0 clears.
func (n *Network) RefuseSends(t Target, code int) {}

// Connections lists the live connections, oldest first.
func (n *Network) Connections() []Connection { return nil }

// Stats returns the counters.
func (n *Network) Stats() Stats { return Stats{} }
