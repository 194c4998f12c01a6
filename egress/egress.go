// Package egress makes the requests whose address somebody else chose: webhooks, media and
// pictures by URL, stores for media.
//
// Such an address must not lead to what only this machine or its network can reach. It is
// judged when the connection is made, after the name was resolved, and again at every
// redirect: a name that answers differently the second time gains nothing, and neither do
// unusual ways to write an address. An administrator may open ranges.
package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"switchboard/fault"
)

const (
	maxRedirects   = 5
	dialTimeout    = 10 * time.Second
	headersTimeout = 30 * time.Second
	maxHeaders     = 64 << 10
)

// ErrRefused is wrapped by every error with which a guard keeps a request from going out.
var ErrRefused = errors.New("address refused")

// Guard lets connections out to public addresses, and to those that were allowed. Its
// methods may be called from any goroutine.
type Guard struct {
	allowed   []netip.Prefix
	dialer    net.Dialer
	transport *http.Transport
}

// New returns a guard that also allows connections to addresses in allowed.
func New(allowed []netip.Prefix) *Guard {
	g := &Guard{allowed: allowed}
	g.dialer = net.Dialer{Timeout: dialTimeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return g.check(address)
	}}
	g.transport = g.Transport()
	return g
}

// DialContext connects to address if a guard lets it, by one of its name's addresses that
// are allowed. An error that wraps ErrRefused is a fault.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dialer.DialContext(ctx, network, address)
}

// Transport returns a new transport that connects through the guard and through no proxy.
// The caller may change it before its first use, and closes its idle connections.
func (g *Guard) Transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ResponseHeaderTimeout:  headersTimeout,
		IdleConnTimeout:        20 * time.Second,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: maxHeaders,
		ForceAttemptHTTP2:      true,
	}
}

// Client returns a client whose requests, redirects and reading included, take timeout at
// most. It follows few redirects, and none from https to http. The clients of one guard
// share connections.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	return &http.Client{Transport: g.transport, Timeout: timeout, CheckRedirect: CheckRedirect}
}

// CheckRedirect is the rule for redirects, for clients that are made otherwise than by
// Client.
func CheckRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return refuse("This address redirects too often.")
	case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https":
		return refuse("This address redirects from https to an address that is not encrypted.")
	}
	_, err := Parse(r.URL.String())
	return err
}

// Parse reads the URL of something to request: http or https, and a host. It does not find
// out where the host is; that is done when a connection is made.
func Parse(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, fault.Wrap(fault.Invalid, "This is no address that begins with https:// or http://.", errors.Join(ErrRefused, err))
	}
	return u, nil
}

func refuse(message string) error { return fault.Wrap(fault.Invalid, message, ErrRefused) }

// check judges an address as the socket is about to be connected to it.
func (g *Guard) check(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err == nil && g.allows(at.Addr()) {
		return nil
	}
	return refuse("This address leads into a private network, where nothing is requested. An administrator can allow a network with EGRESS_ALLOW, which counts from the next start of the number on.")
}

func (g *Guard) allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range g.allowed {
		if p.Contains(addr) {
			return true
		}
	}
	if addr.Is4() {
		return !within(addr, notPublic4)
	}
	if nat64.Contains(addr) { // how hosts without IPv4 reach it: what counts is where that leads
		bytes := addr.As16()
		return g.allows(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	return global6.Contains(addr) && !within(addr, notPublic6)
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// What IANA's registries of special addresses call not globally reachable, and relays that
// lead to any IPv4 address.
var (
	notPublic4 = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	)
	global6    = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	notPublic6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
