package simulator

import (
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Connection is one live connection.
type Connection struct {
	ID     int64     // never used twice
	JID    types.JID // zero before login and for a client that is being paired
	Since  time.Time
	Logins int // how often this device has logged in since the network was opened
}

// Connections lists the live connections, oldest first. One that is being ended is not live
// any more, even if its socket is still open for a moment.
func (n *Network) Connections() []Connection {
	var out []Connection
	for _, c := range n.live() {
		if c.ended.Load() {
			continue
		}
		info := Connection{ID: c.id, Since: c.since}
		if d := c.device.Load(); d != nil {
			info.JID, info.Logins = d.jid(types.DefaultUserServer), int(d.logins.Load())
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(x, y Connection) int { return int(x.ID - y.ID) })
	return out
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
	Queued      int64 // stanzas that wait for an acknowledgement now
}

// Stats returns the counters.
func (n *Network) Stats() Stats {
	s := &n.stats
	return Stats{
		Connections: s.connections.Load(), Logins: s.logins.Load(), Messages: s.messages.Load(),
		Deliveries: s.deliveries.Load(), Receipts: s.receipts.Load(), Retries: s.retries.Load(),
		Iqs: s.iqs.Load(), UnknownIqs: s.unknownIqs.Load(), Queued: s.queued.Load(),
	}
}
