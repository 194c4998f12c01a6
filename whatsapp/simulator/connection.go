package simulator

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"

	"switchboard/whatsapp/simulator/noise"
)

const (
	handshakeTimeout = 30 * time.Second
	// goodbye is how long a client has to read a last stanza before its socket is closed.
	goodbye = 250 * time.Millisecond
	// maxBehind is how many bytes may wait for a client that does not read.
	maxBehind = 32 << 20
	// coalesce is up to which size frames share a websocket message.
	coalesce = 64 << 10
)

// connection is one websocket. Its read loop runs in the goroutine of the HTTP request and
// handles stanzas in the order of their arrival; its write loop has a goroutine of its own.
type connection struct {
	n     *Network
	id    int64
	ws    *websocket.Conn
	since time.Time
	noise *noise.Session // set once by the handshake
	ctx   context.Context
	stop  context.CancelFunc
	done  chan struct{} // closed when the read loop has ended and the device is offline

	device atomic.Pointer[device] // nil before login
	silent atomic.Bool
	ended  atomic.Bool // nothing that comes in counts any more

	mu       sync.Mutex
	out      [][]byte // stanzas that wait for the write loop
	behind   int      // their size
	wake     chan struct{}
	last     time.Duration // >= 0: close that long after out was written
	pairing  *pairing      // of a client that is not paired
	answers  map[string]chan *waBinary.Node
	presence bool // says that it is available

	subscriptions map[*account]bool // to presences; guarded by Network.connMu
}

func (n *Network) serveChat(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // any origin: there are no cookies to abuse
	if err != nil {
		return
	}
	ws.SetReadLimit(maxFrame + frameHeader + int64(len(clientHeader)))
	phone, _ := r.Context().Value(phoneKey{}).(bool)
	c := &connection{
		n: n, id: n.connectionID.Add(1), ws: ws, since: time.Now(),
		done: make(chan struct{}), wake: make(chan struct{}, 1), last: -1,
	}
	// Not the request's context: net/http ends that one when the handler returns or its
	// server closes, which Drop and Restart want to decide themselves.
	c.ctx, c.stop = context.WithCancel(context.WithoutCancel(r.Context()))
	n.stats.connections.Add(1)
	n.connMu.Lock()
	if n.listening == nil {
		n.connMu.Unlock()
		c.close()
		return
	}
	n.connections[c.id] = c
	n.connMu.Unlock()

	err = c.serve(phone)
	c.close()
	c.depart()
	close(c.done)
	n.log.Debug("connection ended", "connection", c.id, "err", err)
}

func (c *connection) serve(phone bool) error {
	frames := &frameReader{ws: c.ws}
	ctx, cancel := context.WithTimeout(c.ctx, handshakeTimeout)
	defer cancel()
	static, payload, err := c.handshake(ctx, frames, c.n.certificateFor(phone))
	if err != nil {
		return err
	}
	cancel()
	go c.write()
	if err := c.admit(static, payload); err != nil {
		return err
	}
	for {
		frame, err := frames.next(c.ctx)
		if err != nil {
			return err
		}
		plain, err := c.noise.Open(frame)
		if err != nil {
			return err
		}
		if c.silent.Load() || c.ended.Load() {
			continue
		}
		stanza, err := parse(plain)
		if err != nil {
			return err
		}
		c.handle(stanza)
	}
}

// handle never lets a stanza that this package does not expect take the network down.
func (c *connection) handle(stanza *waBinary.Node) {
	defer func() {
		if r := recover(); r != nil {
			c.n.log.Error("stanza could not be handled", "connection", c.id, "tag", stanza.Tag, "panic", r, "stack", string(debug.Stack()))
			c.close()
		}
	}()
	if stanza.Tag == "iq" {
		c.handleIQ(stanza)
		return
	}
	d := c.device.Load()
	if d == nil {
		return // a client that is not logged in has nothing else to say
	}
	switch stanza.Tag {
	case "message":
		c.handleMessage(d, stanza)
	case "receipt":
		c.handleReceipt(d, stanza)
	case "ack":
		c.n.acknowledge(d, stanzaKey(attr(stanza, "class"), attr(stanza, "id"), attrJID(stanza, "to"), attrJID(stanza, "participant"), attr(stanza, "type")))
	case "presence":
		c.handlePresence(d, stanza)
	case "chatstate":
		c.handleChatState(d, stanza)
	case "call":
		c.handleCall(d, stanza)
	}
}

// send hands a stanza to the write loop.
func (c *connection) send(stanza waBinary.Node) {
	raw, err := waBinary.Marshal(stanza)
	if err != nil {
		c.n.log.Error("stanza cannot be encoded", "tag", stanza.Tag, "err", err)
		return
	}
	c.sendRaw(raw)
}

func (c *connection) sendRaw(raw []byte) {
	c.mu.Lock()
	if c.last >= 0 {
		c.mu.Unlock()
		return
	}
	c.out = append(c.out, raw)
	c.behind += len(raw)
	tooMuch := c.behind > maxBehind
	c.mu.Unlock()
	if tooMuch {
		go c.close() // the caller may hold locks
		return
	}
	c.wakeUp()
}

// finish sends a last stanza and closes the socket after grace. What comes in meanwhile no
// longer counts.
func (c *connection) finish(stanza waBinary.Node, grace time.Duration) {
	if c.ended.Store(true); c.silent.Load() {
		c.close() // nothing can be said to it any more
		return
	}
	c.send(stanza)
	c.mu.Lock()
	c.last = grace
	c.mu.Unlock()
	c.wakeUp()
}

func (c *connection) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write is the write loop.
func (c *connection) write() {
	var frames []byte
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		if c.silent.Load() {
			continue
		}
		c.mu.Lock()
		out, last := c.out, c.last
		c.out, c.behind = nil, 0
		c.mu.Unlock()
		for len(out) > 0 {
			frames = frames[:0]
			for len(out) > 0 && (len(frames) == 0 || len(frames)+len(out[0]) < coalesce) {
				frames = appendFrame(frames, c.noise, out[0])
				out = out[1:]
			}
			if err := c.ws.Write(c.ctx, websocket.MessageBinary, frames); err != nil {
				c.close()
				return
			}
		}
		if cap(frames) > coalesce {
			frames = nil // one large stanza is no reason to hold on to its size
		}
		if last >= 0 {
			time.AfterFunc(last, c.close)
			return
		}
	}
}

// close drops the socket.
func (c *connection) close() {
	c.ended.Store(true)
	c.stop()
	_ = c.ws.CloseNow()
}

// depart undoes what the network knows of a connection that has ended.
func (c *connection) depart() {
	n := c.n
	n.connMu.Lock()
	delete(n.connections, c.id)
	c.forgetRefs()
	for a := range c.subscriptions {
		if delete(n.subscribers[a], c); len(n.subscribers[a]) == 0 {
			delete(n.subscribers, a)
		}
	}
	n.connMu.Unlock()
	c.mu.Lock()
	for _, answer := range c.answers {
		close(answer)
	}
	c.answers = nil
	c.mu.Unlock()
	if d := c.device.Load(); d != nil {
		d.queue.detach(c)
		c.setAvailable(d, false)
		n.mu.Lock()
		d.LastSeen = time.Now()
		if !d.removed.Load() {
			n.saveDevice(d)
		}
		n.mu.Unlock()
	}
}

var errClientGone = errors.New("the client went away before it answered")

// ask sends an iq of the server's own and waits for the client's answer.
func (c *connection) ask(ctx context.Context, iq waBinary.Node) (*waBinary.Node, error) {
	answer := make(chan *waBinary.Node, 1)
	id := attr(&iq, "id")
	c.mu.Lock()
	if c.answers == nil {
		c.answers = map[string]chan *waBinary.Node{}
	}
	c.answers[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.answers, id)
		c.mu.Unlock()
	}()
	c.send(iq)
	select {
	case stanza, ok := <-answer:
		if !ok {
			return nil, errClientGone
		}
		return stanza, nil
	case <-c.ctx.Done():
		return nil, errClientGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *connection) answered(iq *waBinary.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.answers[attr(iq, "id")]; answer != nil {
		select {
		case answer <- iq:
		default: // answered twice
		}
	}
}
