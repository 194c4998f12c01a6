package whatsapp

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"

	"switchboard/proxies"
)

// Simulator names a simulated WhatsApp network.
type Simulator struct {
	Addr    string   // host:port, plain TCP
	RootKey [32]byte // its certificates hang on this key instead of WhatsApp's
}

// How long reaching WhatsApp may take. Reading and writing afterwards have no limit here:
// whether the line is alive is judged by what arrives on it.
const (
	dialTimeout    = 10 * time.Second
	tlsTimeout     = 10 * time.Second
	mediaTimeout   = 10 * time.Minute
	mediaKeepIdle  = 20 * time.Second
	headersTimeout = 30 * time.Second
)

// network makes the connections to WhatsApp, and notices every sign of life on the one that
// carries the session.
type network struct {
	dialer    net.Dialer
	simulator string // host:port, "" for the real network

	// direct reaches a proxy; nil: without guard. proxy is the way through it, nil for none.
	direct proxies.Dial
	proxy  atomic.Pointer[proxies.Dial]

	heard atomic.Int64 // Unix nanoseconds when bytes last arrived on the session's socket

	mu   sync.Mutex
	line net.Conn // the session's newest socket

	media *http.Transport // the newest for media
}

func newNetwork(sim *Simulator, direct proxies.Dial) *network {
	n := &network{dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}, direct: direct}
	if sim != nil {
		n.simulator = sim.Addr
		whatsmeow.WACertPubKey = sim.RootKey
	}
	return n
}

// equip makes client use this network for everything; open is how long the session's
// socket may take to open.
func (n *network) equip(client *whatsmeow.Client, open time.Duration) {
	socket := &http.Client{Transport: n.transport(n.dialLine), Timeout: open}
	client.SetPreLoginHTTPClient(socket)
	client.SetWebsocketHTTPClient(socket)
	media := n.transport(n.dial)
	n.mu.Lock()
	n.media = media
	n.mu.Unlock()
	client.SetMediaHTTPClient(&http.Client{Transport: media, Timeout: mediaTimeout})
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// transport makes HTTP transport over dial. No proxy is taken from the environment: where a
// number's traffic goes is never a matter of chance.
func (n *network) transport(dial dialFunc) *http.Transport {
	t := &http.Transport{
		DialContext:           dial,
		TLSHandshakeTimeout:   tlsTimeout,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ResponseHeaderTimeout: headersTimeout,
		IdleConnTimeout:       mediaKeepIdle,
		MaxIdleConnsPerHost:   1,
	}
	if n.simulator != "" {
		// The simulated network speaks plain TCP; a transport that is handed a connection for
		// TLS takes it for encrypted already.
		t.DialTLSContext = dial
	}
	return t
}

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if n.simulator != "" {
		addr = n.simulator
	}
	if through := n.proxy.Load(); through != nil {
		return (*through)(ctx, network, addr)
	}
	return n.dialer.DialContext(ctx, network, addr)
}

// goThrough makes every later connection go through the proxy at that address, "" for none.
// One that cannot be used lets nothing out: traffic that was to go through a proxy never
// goes without.
func (n *network) goThrough(address string) {
	if address == "" {
		n.proxy.Store(nil)
		return
	}
	u, err := proxies.Parse(address)
	direct := n.direct
	if direct == nil {
		direct = n.dialer.DialContext
	}
	dial := proxies.Dial(func(context.Context, string, string) (net.Conn, error) { return nil, err })
	if err == nil {
		dial = proxies.Through(u, direct)
	}
	n.proxy.Store(&dial)
}

// dialLine dials the socket that carries the session.
func (n *network) dialLine(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, heard: &n.heard}
	n.mu.Lock()
	n.line = l
	n.mu.Unlock()
	return l, nil
}

// lastHeard returns when bytes last arrived on the session's socket, zero if never.
func (n *network) lastHeard() time.Time {
	if at := n.heard.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// anew drops every connection, so that the next ones go the way that is set now.
func (n *network) anew() {
	n.mu.Lock()
	media := n.media
	n.mu.Unlock()
	if media != nil {
		media.CloseIdleConnections()
	}
	n.cut()
}

// cut closes the session's socket under whatsmeow, which then takes the line for lost at
// once. A polite close would wait for an answer that a dead line never gives.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.line != nil {
		_ = n.line.Close()
		n.line = nil
	}
}

// line is a connection that remembers when bytes last arrived on it.
type line struct {
	net.Conn
	heard *atomic.Int64
}

func (l *line) Read(p []byte) (int, error) {
	k, err := l.Conn.Read(p)
	if k > 0 {
		l.heard.Store(time.Now().UnixNano())
	}
	return k, err
}

// newest returns the session's newest socket.
func (n *network) newest() net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.line
}
