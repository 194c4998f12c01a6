package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"switchboard/fault"
)

var loopback = netip.MustParsePrefix("127.0.0.0/8")

func TestWhatIsPublic(t *testing.T) {
	t.Parallel()
	g := New([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")})
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.255.255": true, "172.32.0.1": true, "100.63.255.255": true,
		"100.128.0.1": true, "169.253.1.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true, "64:ff9b::808:808": true,

		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"192.0.0.192": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false,
		"224.0.0.1": false, "239.255.255.250": false, "240.0.0.1": false, "255.255.255.255": false,

		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false,
		"::ffff:0:127.0.0.1": false, "fe80::1": false, "fe80::1%lo": false, "fec0::1": false, "fc00::1": false, "fd01::1": true, "ff02::1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::808:808": false,
		"2002:7f00:1::": false, "2002:808:808::1": false, "2001::1": false, "2001:db8::1": false, "3fff::1": false,

		"10.1.2.3": true, "10.2.0.1": false, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true, "64:ff9b::a02:1": false,
	} {
		if got := g.allows(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: allowed is %v", addr, got)
		}
	}
}

// An address may be written in many ways, and each of them leads to the same place.
func TestNoWayOfWritingGetsThrough(t *testing.T) {
	t.Parallel()
	server, reached := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := New(nil).Client(30 * time.Second)
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1",
		"localhost", "LOCALHOST", "localhost.", "0.0.0.0", "0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
		"127.0.0.1.", "%31%32%37.0.0.1", "user@127.0.0.1", "169.254.169.254", "[::ffff:169.254.169.254]",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+":"+port+"/", nil)
		if err != nil {
			continue // no URL at all
		}
		res, err := client.Do(r)
		if err == nil {
			res.Body.Close()
			t.Errorf("%s was let through", host)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the server was reached %d times", n)
	}
	_, err := get(t, client, server.URL)
	if !errors.Is(err, ErrRefused) || fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), "EGRESS_ALLOW") {
		t.Errorf("the refusal is %v", err)
	}
}

func TestWhatIsAllowedGetsThrough(t *testing.T) {
	t.Parallel()
	server, reached := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	body, err := get(t, New([]netip.Prefix{loopback}).Client(time.Minute), server.URL)
	if err != nil || body != "hello" || reached.Load() != 1 {
		t.Fatalf("got %q, %v", body, err)
	}
}

// A name whose answer changes between two questions is judged by the address that is used.
func TestRebinding(t *testing.T) {
	t.Parallel()
	server, reached := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	var asked atomic.Int32
	g := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})
	g.dialer.Resolver = resolver(t, func() [4]byte {
		if asked.Add(1) == 1 {
			return [4]byte{127, 0, 0, 2} // an allowed address, where nobody listens
		}
		return [4]byte{127, 0, 0, 1}
	})
	client := g.Client(time.Minute)
	if _, err := get(t, client, "http://rebind.example.com:"+port); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("the first answer was not tried: %v", err)
	}
	if _, err := get(t, client, "http://rebind.example.com:"+port); !errors.Is(err, ErrRefused) {
		t.Errorf("the second answer gave %v", err)
	}
	if reached.Load() != 0 || asked.Load() < 2 {
		t.Errorf("asked %d times, reached %d times", asked.Load(), reached.Load())
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	inner, reached := serve(t, func(http.ResponseWriter, *http.Request) {})
	g := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})
	front := at(t, "127.0.0.2:0", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/private":
			http.Redirect(w, r, inner.URL, http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/end":
			_, _ = io.WriteString(w, "end")
		}
	})
	client := g.Client(time.Minute)
	for _, path := range []string{"/private", "/file", "/loop"} {
		if _, err := get(t, client, front.URL+path); !errors.Is(err, ErrRefused) {
			t.Errorf("%s gave %v", path, err)
		}
	}
	if reached.Load() != 0 {
		t.Error("a redirect led inside")
	}
	if body, err := get(t, client, front.URL+"/once"); err != nil || body != "end" {
		t.Errorf("a plain redirect gave %q, %v", body, err)
	}
	down := []*http.Request{httptest.NewRequest(http.MethodGet, "https://a.example/", nil)}
	if err := CheckRedirect(httptest.NewRequest(http.MethodGet, "http://a.example/", nil), down); !errors.Is(err, ErrRefused) {
		t.Errorf("from https to http gave %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://example.com/a?b": true, " http://example.com ": true, "HTTP://example.com": true,
		"": false, "example.com": false, "//example.com": false, "ftp://example.com": false, "file:///etc/passwd": false,
		"https:example.com": false, "https://": false, "https://:443/": false, "javascript:alert(1)": false, "http://a b/": false, "http://[::1": false,
	} {
		if _, err := Parse(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var reached atomic.Int32
	return at(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		h(w, r)
	}), &reached
}

func at(t *testing.T, address string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// resolver asks a name server of the test's own, which answers every name with what answer
// returns.
func resolver(t *testing.T, answer func() [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: answer()},
				}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}
