// Package proxies makes connections through HTTP and SOCKS5 proxies.
//
// A number may have a proxy of its own, so that WhatsApp sees it come from there. The name of
// the far side is looked up by the proxy, and never here.
package proxies

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"switchboard/fault"
)

// Dial makes a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// handshake is how long a proxy may take to make the connection.
const handshake = 15 * time.Second

const longest = 500

// Parse reads the address of a proxy, such as socks5://user:password@proxy.example.com:1080;
// http, https, socks5 and socks5h are known. Anything else is a fault.Invalid in the field
// "proxy". The result has a port.
func Parse(text string) (*url.URL, error) {
	wrong := func(message string) (*url.URL, error) { return nil, fault.InField("proxy", message) }
	text = strings.TrimSpace(text)
	if len(text) > longest {
		return wrong("This address is too long.")
	}
	u, err := url.Parse(text)
	if err != nil { // the error repeats the address and so, perhaps, the password
		return wrong("This is no address of a proxy. One looks like socks5://user:password@proxy.example.com:1080.")
	}
	ports := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}
	port, known := ports[u.Scheme]
	switch {
	case !known:
		return wrong("The address of a proxy begins with http://, https:// or socks5://.")
	case !host(u.Hostname()) || u.Opaque != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return wrong("The address of a proxy has a host and a port and nothing behind them, such as socks5://proxy.example.com:1080.")
	}
	if password, _ := u.User.Password(); len(u.User.Username()) > 255 || len(password) > 255 {
		return wrong("User and password of a proxy have 255 characters at most.")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return wrong("The port of a proxy is a number from 1 to 65535.")
	}
	u.Host, u.Path = net.JoinHostPort(u.Hostname(), port), ""
	return u, nil
}

// host reports whether name may be that of a host; the colons of an IPv6 address are the only ones.
func host(name string) bool {
	if strings.Contains(name, ":") {
		_, err := netip.ParseAddr(name)
		return err == nil
	}
	return name != ""
}

// Through returns a Dial that goes through the proxy at u, which Parse has returned. direct
// makes the connection to the proxy itself.
func Through(u *url.URL, direct Dial) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, handshake)
		defer cancel()
		conn, err := direct(ctx, "tcp", u.Host)
		if err != nil {
			return nil, fmt.Errorf("reach the proxy: %w", err)
		}
		// Whatever a proxy says or does not say, it ends with ctx.
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		through, err := greet(ctx, u, conn, network, address)
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("through the proxy: %w", err)
		}
		return through, nil
	}
}

func greet(ctx context.Context, u *url.URL, conn net.Conn, network, address string) (net.Conn, error) {
	if u.Scheme == "socks5" || u.Scheme == "socks5h" {
		var user *proxy.Auth
		if u.User != nil {
			password, _ := u.User.Password()
			user = &proxy.Auth{User: u.User.Username(), Password: password}
		}
		dialer, err := proxy.SOCKS5("tcp", u.Host, user, there{conn})
		if err != nil {
			return nil, err
		}
		return dialer.(proxy.ContextDialer).DialContext(ctx, network, address)
	}
	if u.Scheme == "https" {
		secured := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secured
	}
	return conn, connect(u, conn, address)
}

// there is a dialer for a connection that was made already.
type there struct{ conn net.Conn }

func (t there) Dial(string, string) (net.Conn, error) { return t.conn, nil }

func (t there) DialContext(context.Context, string, string) (net.Conn, error) { return t.conn, nil }

var errTalkative = errors.New("it sent something before it was asked")

// connect asks an HTTP proxy for a tunnel.
func connect(u *url.URL, conn net.Conn, address string) error {
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u.User != nil {
		password, _ := u.User.Password()
		ask.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	if err := ask.Write(conn); err != nil {
		return err
	}
	// Small: what a proxy says beyond its answer belongs to the tunnel, and nobody speaks
	// there before the client does.
	in := bufio.NewReaderSize(&bounded{conn, 16 << 10}, 512)
	answer, err := http.ReadResponse(in, ask) //nolint:bodyclose // what follows the answer to CONNECT is the tunnel
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %d", answer.StatusCode)
	}
	if in.Buffered() > 0 {
		return errTalkative
	}
	return nil
}

// bounded reads so many bytes and no more.
type bounded struct {
	conn net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("its answer is too long")
	}
	n, err := b.conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
