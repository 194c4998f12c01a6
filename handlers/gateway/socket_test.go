package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"switchboard/instances"
)

// dial opens a socket as the holder of token.
func (s *site) dial(o *websocket.DialOptions) *websocket.Conn {
	s.t.Helper()
	conn, _, err := websocket.Dial(s.t.Context(), strings.Replace(s.server.URL, "http", "ws", 1)+"/gowa/ws?device_id="+support, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func withToken(token string) *websocket.DialOptions {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth("x", token)
	return &websocket.DialOptions{HTTPHeader: r.Header}
}

func (s *site) next(conn *websocket.Conn, code string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var got struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		Result  json.RawMessage `json:"result"`
	}
	if err := wsjson.Read(ctx, conn, &got); err != nil {
		s.t.Fatal(err)
	}
	if got.Code != code || got.Message == "" {
		s.t.Fatalf("got %+v, want %s", got, code)
	}
	return string(got.Result)
}

func (s *site) fetch(conn *websocket.Conn) string {
	s.t.Helper()
	if err := wsjson.Write(s.t.Context(), conn, map[string]string{"code": "FETCH_DEVICES"}); err != nil {
		s.t.Fatal(err)
	}
	return s.next(conn, "LIST_DEVICES")
}

func TestSocketTellsWhatHappens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, bob := s.dial(withToken(s.ann)), s.dial(&websocket.DialOptions{Subprotocols: []string{"gowa", "bearer." + s.bob}})
	if bob.Subprotocol() != "gowa" {
		t.Errorf("the protocol is %q", bob.Subprotocol())
	}
	if got := s.fetch(ann); !strings.Contains(got, support) || strings.Contains(got, bobs) {
		t.Errorf("Ann sees %s", got)
	}
	if got := s.fetch(bob); got != `[{"name":"Bobs","device":"`+bobs+`","jid":""}]` {
		t.Errorf("Bob sees %s", got)
	}

	s.fleet.change(bobs, func(i *instances.Instance) {
		i.Status = instances.PasskeyRequired
		i.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: []byte(`{"challenge":"x"}`)}}
	})
	if got := s.next(bob, "PASSKEY_REQUEST"); got != `{"challenge":{"challenge":"x"},"device_id":"`+bobs+`"}` {
		t.Errorf("the passkey is asked for with %s", got)
	}
	s.fleet.change(bobs, func(i *instances.Instance) {
		i.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: []byte(`{"challenge":"x"}`), Confirmation: "ABCD"}}
	})
	if got := s.next(bob, "PASSKEY_CONFIRMATION"); got != `{"code":"ABCD","device_id":"`+bobs+`"}` {
		t.Errorf("the confirmation is %s", got)
	}
	s.fleet.change(bobs, func(i *instances.Instance) { // on its way, with a session already
		i.Status, i.Pairing, i.JID = instances.Reconnecting, nil, "491700000003:1@s.whatsapp.net"
	})
	s.fleet.change(bobs, func(i *instances.Instance) { i.Status = instances.Connected })
	if got := s.next(bob, "LOGIN_SUCCESS"); got != `{"device_id":"`+bobs+`","jid":"491700000003@s.whatsapp.net"}` {
		t.Errorf("the login is told with %s", got)
	}
	s.fleet.change(bobs, func(i *instances.Instance) { i.Status = instances.Reconnecting })
	s.fleet.change(bobs, func(i *instances.Instance) { i.Status = instances.Connected }) // no login
	s.fleet.change(bobs, func(i *instances.Instance) { i.Status = instances.LoggedOut })
	s.next(bob, "DEVICE_LOGGED_OUT")
	s.fetch(ann) // the first that Ann hears

	hook := "/gowa/devices/" + bobs + "/webhook"
	s.want(s.send(s.bob, "PATCH", hook, `{"webhook_url":"https://hook.example.org"}`), http.StatusOK, "SUCCESS")
	if got := s.next(bob, "DEVICE_WEBHOOK_UPDATED"); got != `{"device_id":"`+bobs+`","webhook_url":"https://hook.example.org"}` {
		t.Errorf("the webhook's address is told with %s", got)
	}
	if got := s.next(bob, "DEVICE_WEBHOOK_CONFIG_UPDATED"); got != `{"device_id":"`+bobs+`"}` {
		t.Errorf("the webhook is told with %s", got)
	}
	s.want(s.send(s.bob, "PATCH", hook, `{"webhook_url":"https://hook.example.org","webhook_events":"message"}`), http.StatusOK, "SUCCESS")
	s.next(bob, "DEVICE_WEBHOOK_CONFIG_UPDATED") // the address is the same
	s.fetch(ann)                                 // who hears nothing of it
}

func TestSocketRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://tool.example.org")
	s.want(s.send(s.ann, "GET", "/gowa/ws", ""), http.StatusUpgradeRequired, "VALIDATION_ERROR")
	s.want(s.send("", "GET", "/gowa/ws?authorization="+basic("x", s.ann), ""), http.StatusUnauthorized, "AUTHENTICATION_ERROR")
	for origin, in := range map[string]bool{"https://tool.example.org": true, "https://evil.example.org": false} {
		o := withToken(s.ann)
		o.HTTPHeader.Set("Origin", origin)
		conn, _, err := websocket.Dial(t.Context(), s.server.URL+"/gowa/ws", o)
		if (err == nil) != in {
			t.Errorf("from %s: %v", origin, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
}

// A token that is revoked closes its sockets, and one that may see more sees more.
func TestSocketLooksAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conn := s.dial(withToken(s.bob))
	s.fetch(conn)
	tokens, err := s.auth.ListTokens(t.Context(), "bob@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.auth.RevokeToken(t.Context(), tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the socket ended with %v", err)
	}
}

// A number that was being made when the socket was opened, and is linked before the socket
// looks again, was linked under its eyes.
func TestSocketSeesWhatIsBeingMade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conn := s.dial(withToken(s.bob))
	s.fetch(conn)
	s.fleet.mu.Lock()
	made := s.fleet.list[0]
	for _, i := range s.fleet.list {
		if i.ID == bobs {
			made = i
		}
	}
	made.ID, made.Name, made.CreatedAt = "being_made_20261126120000", "Being made", time.Now().Add(-10*time.Second)
	made.Status, made.JID = instances.Connected, "491700000007:1@s.whatsapp.net"
	s.fleet.list = append(s.fleet.list, made)
	s.fleet.mu.Unlock()
	s.fleet.change(bobs, func(*instances.Instance) {})
	if got := s.next(conn, "LOGIN_SUCCESS"); !strings.Contains(got, "being_made") {
		t.Errorf("the login is told with %s", got)
	}
}
