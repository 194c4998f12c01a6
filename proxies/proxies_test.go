package proxies

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/egress"
	"switchboard/fault"
)

// listen runs serve for every connection to a new port, and returns its address.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// pipe connects conn, of which in has read some, with address.
func pipe(conn net.Conn, in io.Reader, address string) {
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	go func() { _, _ = io.Copy(far, in) }()
	_, _ = io.Copy(conn, far)
}

// httpProxy lets ada through with the password "s3cret".
func httpProxy(conn net.Conn) {
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil || r.Method != http.MethodConnect {
		return
	}
	if r.Header.Get("Proxy-Authorization") != "Basic YWRhOnMzY3JldA==" {
		fmt.Fprint(conn, "HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n")
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
	pipe(conn, in, r.Host)
}

// socksProxy does the same in the words of RFC 1928 and 1929.
func socksProxy(conn net.Conn) {
	in := bufio.NewReader(conn)
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(in, b)
		return b
	}
	read(int(read(2)[1]))
	_, _ = conn.Write([]byte{5, 2})
	user := string(read(int(read(2)[1])))
	password := string(read(int(read(1)[0])))
	if user != "ada" || password != "s3cret" {
		_, _ = conn.Write([]byte{1, 1})
		return
	}
	_, _ = conn.Write([]byte{1, 0})
	head := read(4)
	host := ""
	switch head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	port := binary.BigEndian.Uint16(read(2))
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	pipe(conn, in, net.JoinHostPort(host, fmt.Sprint(port)))
}

func through(t *testing.T, address string) (string, error) {
	t.Helper()
	echo := listen(t, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	u, err := Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := Through(u, new(net.Dialer).DialContext)(t.Context(), "tcp", echo)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintln(conn, "hello")
	return bufio.NewReader(conn).ReadString('\n')
}

func TestThrough(t *testing.T) {
	t.Parallel()
	for scheme, serve := range map[string]func(net.Conn){"http": httpProxy, "socks5": socksProxy, "socks5h": socksProxy} {
		at := listen(t, serve)
		if got, err := through(t, scheme+"://ada:s3cret@"+at); got != "hello\n" {
			t.Errorf("%s: %q, %v", scheme, got, err)
		}
		if got, err := through(t, scheme+"://ada:wrong@"+at); err == nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s with a wrong password: %q, %v", scheme, got, err)
		}
	}
}

func TestStrangeProxies(t *testing.T) {
	t.Parallel()
	for what, serve := range map[string]func(net.Conn){
		"hangs up":              func(net.Conn) {},
		"speaks nonsense":       func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH\r\n") },
		"never stops":           func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)) },
		"says more than it may": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\nhello") },
		"refuses":               func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 502 No\r\n\r\n") },
	} {
		if got, err := through(t, "http://"+listen(t, serve)); err == nil {
			t.Errorf("a proxy that %s: %q", what, got)
		}
	}
	// One that says nothing is not waited for after the caller has gone.
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	u, err := Parse("socks5://" + silent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Through(u, new(net.Dialer).DialContext)(ctx, "tcp", "example.org:443"); err == nil {
		t.Error("a silent proxy let somebody through")
	}
}

// A proxy is an address that somebody else chose: it may not be one inside.
func TestProxiesInside(t *testing.T) {
	t.Parallel()
	at := listen(t, httpProxy)
	u, err := Parse("http://ada:s3cret@" + at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Through(u, egress.New(nil).DialContext)(t.Context(), "tcp", "example.org:443"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a proxy on this machine: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://proxy.example.com": "http://proxy.example.com:80", " https://p.example ": "https://p.example:443", "socks5://[2001:db8::1]": "socks5://[2001:db8::1]:1080",
		"socks5h://ada:s%20t@p.example:9/": "socks5h://ada:s%20t@p.example:9",
	} {
		if u, err := Parse(text); err != nil || u.String() != want {
			t.Errorf("%q: %v, %v", text, u, err)
		}
	}
	for _, text := range []string{"", "proxy.example.com:1080", "ftp://x", "http://", "http://x/path", "socks5://x?y", "socks4://x", "http://x:99999999", "http://" + strings.Repeat("x", 600)} {
		if u, err := Parse(text); fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != "proxy" {
			t.Errorf("%q: %v, %v", text, u, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"http://proxy.example.com", "socks5://ada:s3cret@[::1]:1080", "https://%41:b@x", "soCks5://::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q became %q and then %v, %v", text, u, again, err)
		}
	})
}
