package simulator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/util/keys"

	"switchboard/whatsapp/simulator/noise"
)

// Options of a network.
type Options struct {
	Dir    string       // state: accounts, devices, keys, queues, groups, media; made when missing
	Listen string       // host:port; port 0 takes a free one; "" is 127.0.0.1:0
	Log    *slog.Logger // nil: none
}

// Network is a simulated WhatsApp network. All methods may be called from any goroutine.
type Network struct {
	log   *slog.Logger
	state *state

	root, static *keys.KeyPair
	certificate  []byte // by root
	forPhones    []byte // by the root key of this process's phones
	mediaAuth    string

	sequence     atomic.Int64 // of kept stanzas
	connectionID atomic.Int64
	stanzaID     atomic.Int64
	stats        counters

	mu       sync.RWMutex // accounts, devices, groups, channels, calls and everything in them
	accounts map[string]*account
	lids     map[string]*account
	groups   map[string]*group
	invites  map[string]*group

	newsletters map[string]*newsletter
	calls       map[string]*call // that ring, by their id

	restart sync.Mutex // one restart, or the end, at a time
	closed  bool       // guarded by restart

	connMu      sync.Mutex // everything below
	connections map[int64]*connection
	refs        map[string]*connection // clients that are being paired
	subscribers map[*account]map[*connection]string
	faults      faults
	listening   *listening
	addr        string
}

// listening is one period between two restarts.
type listening struct {
	tcp    net.Listener
	phones *pipeListener
	server *http.Server
	served sync.WaitGroup
}

// Open loads the state in o.Dir and starts to listen.
func Open(ctx context.Context, o Options) (*Network, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	st, err := openState(ctx, o.Dir, o.Log)
	if err != nil {
		return nil, err
	}
	n := &Network{
		log: o.Log, state: st, addr: cmp.Or(o.Listen, "127.0.0.1:0"),
		accounts: map[string]*account{}, lids: map[string]*account{},
		groups: map[string]*group{}, invites: map[string]*group{},
		newsletters: map[string]*newsletter{}, calls: map[string]*call{},
		connections: map[int64]*connection{}, refs: map[string]*connection{},
		subscribers: map[*account]map[*connection]string{},
	}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return n, nil
}

func (n *Network) open(ctx context.Context) (err error) {
	// Ids of stanzas must not come again after a restart of the program: clients and the
	// queue know stanzas by them.
	n.stanzaID.Store(time.Now().UnixMicro())
	if n.root, err = n.state.key(ctx, "root key", processRoot); err != nil {
		return err
	}
	if n.static, err = n.state.key(ctx, "static key", keys.NewKeyPair); err != nil {
		return err
	}
	// Clients keep it for hours, over a restart of the network too.
	auth := sha256.Sum256(append([]byte("media "), n.static.Priv[:]...))
	n.mediaAuth = base64.RawURLEncoding.EncodeToString(auth[:18])
	now := time.Now()
	if n.certificate, err = noise.Certificate(n.root, *n.static.Pub, now); err != nil {
		return err
	}
	if n.forPhones, err = noise.Certificate(processRoot(), *n.static.Pub, now); err != nil {
		return err
	}
	if err = n.load(ctx); err != nil {
		return err
	}
	return n.listen(ctx)
}

// listen opens the listener at n.addr, which is then the address for good.
func (n *Network) listen(ctx context.Context) error {
	tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp", n.addr)
	if err != nil {
		return fmt.Errorf("the simulated network cannot listen at %s: %w", n.addr, err)
	}
	l := &listening{tcp: tcp, phones: newPipeListener()}
	l.server = &http.Server{
		Handler:           n.handler(),
		ReadHeaderTimeout: 20 * time.Second,
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			_, phone := c.(pipeConn)
			return context.WithValue(ctx, phoneKey{}, phone)
		},
	}
	for _, listener := range []net.Listener{tcp, l.phones} {
		l.served.Go(func() { _ = l.server.Serve(listener) })
	}
	n.connMu.Lock()
	n.listening, n.addr = l, tcp.Addr().String()
	n.connMu.Unlock()
	return nil
}

// stop closes the listener first, so that no client dials into a network that is going
// away, and then every connection.
func (n *Network) stop() error {
	n.connMu.Lock()
	l := n.listening
	n.listening = nil
	n.connMu.Unlock()
	if l == nil {
		return nil
	}
	err := l.server.Close()
	l.served.Wait()
	for _, c := range n.live() {
		c.close()
	}
	for _, c := range n.live() {
		<-c.done
	}
	return err
}

// Addr returns host:port at which clients connect with plain TCP, whatever the host name
// they ask for: websocket and media.
func (n *Network) Addr() string {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	return n.addr
}

// RootKey returns the public key that the network's certificates hang on. It is kept in
// the folder of the network.
func (n *Network) RootKey() [32]byte { return *n.root.Pub }

// Close ends all connections and saves the state. A second call does nothing.
func (n *Network) Close() error {
	n.restart.Lock()
	defer n.restart.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	return errors.Join(n.stop(), n.state.close())
}

// Restart closes all sockets and the listener, and listens again at the same port.
func (n *Network) Restart(ctx context.Context) error {
	n.restart.Lock()
	defer n.restart.Unlock()
	if n.closed {
		return errClosed
	}
	if err := n.stop(); err != nil {
		return err
	}
	n.log.Info("simulated network restarts")
	return n.listen(ctx)
}

// live lists the connections, those that are not logged in too.
func (n *Network) live() []*connection {
	n.connMu.Lock()
	defer n.connMu.Unlock()
	out := make([]*connection, 0, len(n.connections))
	for _, c := range n.connections {
		out = append(out, c)
	}
	return out
}

var trustPhones = sync.OnceFunc(func() { whatsmeow.WACertPubKey = *processRoot().Pub })

// PhoneTransport returns a transport for all three HTTP clients of a simulated phone in
// this process. It reaches this network without a socket, under every host name. The first
// call sets whatsmeow's root key to one that all networks of this process can show to their
// phones; a program that sets the variable to this network's RootKey afterwards is fine too.
func (n *Network) PhoneTransport() http.RoundTripper {
	trustPhones()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		n.connMu.Lock()
		l := n.listening
		n.connMu.Unlock()
		if l == nil {
			return nil, &net.OpError{Op: "dial", Net: "pipe", Err: errors.New("the simulated network is down")}
		}
		return l.phones.dial(ctx)
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial, DisableKeepAlives: true}
}

// certificateFor picks the chain that the client can verify.
func (n *Network) certificateFor(phone bool) []byte {
	if phone && whatsmeow.WACertPubKey != *n.root.Pub {
		return n.forPhones
	}
	return n.certificate
}

var errClosed = errors.New("the simulated network was closed")

type phoneKey struct{}
