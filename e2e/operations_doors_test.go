package e2e

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// ownPort opens the door of a number that was made in the panel, with a key of its own. What
// is asked comes as a form there, as from curl.
func ownPort(s *stage) {
	made := s.api.create("Own port")
	s.id = made.ID
	var key struct{ Key string }
	s.api.call(http.MethodPost, "/instances/"+s.id+"/keys", map[string]any{"name": "shop"}, http.StatusCreated, &key)
	s.api.becomes(s.id, "pairing")
	s.url = fmt.Sprintf("http://127.0.0.1:%d", s.api.get(s.id).Port)
	s.base = s.url
	s.login = func(r *http.Request) { r.SetBasicAuth(s.id, key.Key) }
	poll(s.t, "the key opens", func() bool {
		status, _, _ := s.raw(http.MethodGet, "/app/status", nil)
		return status == http.StatusOK
	}, nil)
}

// throughGateway opens the door for all numbers as the node of n8n for gowa does: Basic
// authentication, a JSON body and its type with every GET, JIDs unescaped in the path, and the
// device as it was typed.
func throughGateway(s *stage) {
	s.gateway, s.url = true, strings.TrimSuffix(s.api.url, "/api/v1")+"/gowa"
	s.base = s.url
	s.login = func(r *http.Request) {
		r.SetBasicAuth("anybody", s.api.token)
		r.Header.Set("X-Device-Id", gatewayName)
		r.URL.RawPath = "" // what net/url would escape, n8n does not
	}
	status, _, body := s.raw(http.MethodGet, "/", nil)
	if status != http.StatusOK {
		s.t.Fatalf("the credential test of n8n: %d %s", status, body)
	}
	header := &http.Request{Header: http.Header{}}
	header.SetBasicAuth("anybody", s.api.token)
	conn, _, err := websocket.Dial(s.whole, s.url+"/ws", &websocket.DialOptions{HTTPHeader: header.Header})
	s.must(err)
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	s.frames = make(chan socketFrame, 1000)
	go func() {
		defer close(s.frames)
		for {
			var f socketFrame
			if wsjson.Read(s.whole, conn, &f) != nil {
				return
			}
			s.frames <- f
		}
	}()
}

// socketFrame is what the gateway's socket tells.
type socketFrame struct {
	Code   string
	Result struct {
		Device string `json:"device_id"`
	}
}

// told waits until the socket tells something about the number, where there is a socket.
func (s *stage) told(code string) {
	s.t.Helper()
	for ctx := within(s.t, patience); s.gateway; {
		select {
		case f, open := <-s.frames:
			if !open {
				s.t.Fatal("the socket is closed")
			}
			if f.Code == code && f.Result.Device == s.id {
				return
			}
		case <-ctx.Done():
			s.t.Fatalf("the socket does not tell %s", code)
		}
	}
}

// gatewayName is what the client of the gateway calls its device.
const gatewayName = "Shop Süd"
