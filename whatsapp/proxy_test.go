//go:build !race

package whatsapp

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"switchboard/instances"
	"switchboard/settings"
)

// proxy lets everybody through and counts them.
type proxy struct {
	address string
	passed  atomic.Int32
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{address: "http://" + l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	far, err := net.Dial("tcp", r.Host)
	if err != nil {
		return
	}
	defer far.Close()
	p.passed.Add(1)
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(far, in); _ = far.Close() }()
	_, _ = io.Copy(conn, far)
}

// A number goes through its proxy from the moment it is set, and without one it goes again
// when that is taken away; a proxy that cannot be used lets nothing out.
func TestProxyOfANumber(t *testing.T) {
	t.Parallel()
	_, s, _ := paired(t, usualPace)
	first, second := newProxy(t), newProxy(t)
	again := func(what, address string) {
		t.Helper()
		before := s.network.newest()
		s.Apply(settings.Settings{Proxy: address})
		until(t, s, what, func(r instances.Report) bool {
			return r.Status == instances.Connected && s.network.newest() != nil && s.network.newest() != before
		})
	}
	again("connected through the first", first.address)
	if first.passed.Load() == 0 {
		t.Error("nothing went through the first proxy")
	}
	again("connected through the second", second.address)
	if second.passed.Load() == 0 {
		t.Error("nothing went through the second proxy")
	}
	count := first.passed.Load() + second.passed.Load()
	again("connected without", "")
	if first.passed.Load()+second.passed.Load() != count {
		t.Error("a proxy is still used")
	}
	s.network.goThrough("nonsense")
	if conn, err := s.network.dial(context.Background(), "tcp", "web.whatsapp.com:443"); err == nil {
		_ = conn.Close()
		t.Error("a proxy that cannot be used lets a connection out")
	}
}
