package simulator

import (
	"sync"
	"sync/atomic"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// window is how many kept stanzas may be under way to one client. A whatsmeow client whose
// handler queue (2,048) overflows loses the order, so that a long backlog has to be handed
// out as it is being worked off.
const window = 512

// item is one stanza that is kept until its device has acknowledged it.
type item struct {
	seq            int64
	number         string
	device         uint16
	class          string // message, receipt or notification
	key            string // what its acknowledgement is recognised by
	stanza         []byte
	acked          bool // guarded by the queue
	written        bool // guarded by the journal
	dropped        bool // guarded by the journal
	beforeThisTime bool // waited for a login: is handed out with an offline attribute
}

// queue holds what a device has not acknowledged yet, in order. It outlives connections.
type queue struct {
	mu       sync.Mutex
	items    []*item
	next     int         // index of the first item that was not sent on conn
	inFlight int         // sent and not acknowledged
	conn     *connection // nil while the device is offline
	active   bool        // conn has asked for its messages
	backlog  int         // items not sent yet that waited for conn's login
	total    int         // the backlog as it was at the login
}

// stanzaKey names a stanza in the words of its acknowledgement: the client answers with the
// class, the id, from as to, the participant and (messages aside) the type.
func stanzaKey(class, id string, from, participant types.JID, kind string) string {
	if class == "message" {
		kind = ""
	}
	return class + "|" + id + "|" + from.String() + "|" + participant.String() + "|" + kind
}

// push keeps a stanza for the device and sends it if the device is there.
func (n *Network) push(d *device, stanza waBinary.Node) {
	raw, err := waBinary.Marshal(stanza)
	if err != nil {
		n.log.Error("stanza cannot be encoded", "tag", stanza.Tag, "err", err)
		return
	}
	it := &item{
		number: d.account.Number, device: d.ID, class: stanza.Tag, stanza: raw,
		key: stanzaKey(stanza.Tag, attr(&stanza, "id"), attrJID(&stanza, "from"), attrJID(&stanza, "participant"), attr(&stanza, "type")),
	}
	q := &d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.removed.Load() {
		return
	}
	it.seq = n.sequence.Add(1)
	q.items = append(q.items, it)
	n.stats.queued.Add(1)
	n.state.journal.keep(it)
	q.pump(&n.stats)
}

// acknowledge forgets the oldest stanza under way with that key.
func (n *Network) acknowledge(d *device, key string) {
	q := &d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items[:q.next] {
		if it.acked || it.key != key {
			continue
		}
		it.acked = true // its bytes stay: the journal may be writing them right now
		q.inFlight--
		n.stats.queued.Add(-1)
		n.state.journal.drop(it)
		break
	}
	done := 0
	for done < q.next && q.items[done].acked {
		q.items[done] = nil
		done++
	}
	q.items, q.next = q.items[done:], q.next-done
	q.pump(&n.stats)
}

// attach makes conn the device's connection and returns the one it replaces.
func (q *queue) attach(conn *connection) (old *connection) {
	q.mu.Lock()
	defer q.mu.Unlock()
	old = q.conn
	q.reset(conn)
	return old
}

// detach takes the device offline, if conn is still its connection.
func (q *queue) detach(conn *connection) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn != conn {
		return false
	}
	q.reset(nil)
	return true
}

// reset needs mu: whatever was under way has to be sent again.
func (q *queue) reset(conn *connection) {
	waiting := q.items[:0]
	for _, it := range q.items {
		if !it.acked {
			waiting = append(waiting, it)
		}
	}
	clear(q.items[len(waiting):])
	q.items, q.next, q.inFlight, q.conn, q.active, q.backlog = waiting, 0, 0, conn, false, 0
}

// activate hands the backlog to conn between the two stanzas that frame it.
func (q *queue) activate(conn *connection, stats *counters) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn != conn || q.active {
		return
	}
	q.active = true
	count := map[string]int{}
	for _, it := range q.items {
		it.beforeThisTime = true
		count[it.class]++
	}
	total := len(q.items)
	if total > 0 {
		conn.send(node("ib", waBinary.Attrs{"from": types.ServerJID}, node("offline_preview", waBinary.Attrs{
			"count": total, "message": count["message"], "notification": count["notification"],
			"receipt": count["receipt"], "appdata": 0, "call": 0,
		})))
	}
	q.backlog, q.total = total, total
	if total == 0 {
		q.endBacklog()
	}
	q.pump(stats)
}

// endBacklog needs mu.
func (q *queue) endBacklog() {
	q.conn.send(node("ib", waBinary.Attrs{"from": types.ServerJID}, node("offline", waBinary.Attrs{"count": q.total})))
}

// pump needs mu.
func (q *queue) pump(stats *counters) {
	for q.active && q.inFlight < window && q.next < len(q.items) {
		it := q.items[q.next]
		q.next++
		q.inFlight++
		q.conn.sendRaw(it.wire())
		if it.class == "message" {
			stats.deliveries.Add(1)
		}
		if it.beforeThisTime && q.backlog > 0 {
			if q.backlog--; q.backlog == 0 {
				q.endBacklog()
			}
		}
	}
}

// wire is the stanza as it is sent.
func (it *item) wire() []byte {
	if !it.beforeThisTime {
		return it.stanza
	}
	stanza, err := waBinary.Unmarshal(it.stanza[1:]) // behind the flag byte
	if err != nil {
		return it.stanza
	}
	stanza.Attrs["offline"] = "0"
	raw, err := waBinary.Marshal(*stanza)
	if err != nil {
		return it.stanza
	}
	return raw
}

func (q *queue) connection() *connection {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.conn
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := 0
	for _, it := range q.items {
		if !it.acked {
			waiting++
		}
	}
	return waiting
}

// counters behind Stats.
type counters struct {
	connections, logins, messages, deliveries, receipts, retries, iqs, unknownIqs, queued atomic.Int64
}
