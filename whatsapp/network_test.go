package whatsapp

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Everything goes to the simulated network in plain TCP, whatever the host is called.
func TestSimulatedNetworkOnly(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host)
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	n := &network{simulator: l.Addr().String()}
	for name, dial := range map[string]dialFunc{"line": n.dialLine, "media": n.dial} {
		client := http.Client{Transport: n.transport(dial)}
		for _, url := range []string{"https://web.whatsapp.com/ws/chat", "https://mmg.whatsapp.net/x", "http://example.org/"} {
			res, err := client.Get(url)
			if err != nil {
				t.Fatalf("%s to %s: %v", name, url, err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if want := res.Request.URL.Host; string(body) != want {
				t.Errorf("%s to %s answered %q", name, url, body)
			}
		}
	}
}

func TestOnlyArrivingBytesAreAProof(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := &network{simulator: l.Addr().String()}
	conn, err := n.dialLine(context.Background(), "tcp", "web.whatsapp.com:443")
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if _, err := conn.Write([]byte("anybody there?")); err != nil {
		t.Fatal(err)
	}
	if at := n.lastHeard(); !at.IsZero() {
		t.Fatalf("proven at %s by writing", at)
	}
	before := time.Now()
	if _, err := far.Write([]byte("yes")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if n.lastHeard().Before(before) {
		t.Fatal("bytes arrived and count for nothing")
	}
	n.cut()
	if _, err := conn.Read(make([]byte, 10)); err == nil {
		t.Fatal("a cut line can be read")
	}
	n.cut() // twice is harmless
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures := range 100 {
		for range 50 {
			d := backoff(failures, time.Second, 8*time.Second)
			if top := min(time.Second<<min(failures, 10), 8*time.Second); d < top/2 || d > top {
				t.Fatalf("after %d failures it waits %s", failures, d)
			}
		}
	}
}
