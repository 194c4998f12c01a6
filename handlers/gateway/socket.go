package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"switchboard/instances"
)

const (
	lookAgain   = 5 * time.Second  // for numbers that were added, and whether the token still holds
	making      = time.Minute      // how long a number may be on its way until it can be seen
	writeWithin = 10 * time.Second // or the client has stopped reading
	protocol    = "gowa"           // what a browser has to offer beside its token
)

// frame is what goes over the socket. Clients expect "result", not "results".
type frame struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Result  any    `json:"result"`
}

// socket tells a client what becomes of the numbers that its token may see.
func (s *server) socket(w http.ResponseWriter, r *http.Request) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return &refusal{http.StatusUpgradeRequired, codeInvalid, "This address speaks WebSocket only.", nil}
	}
	// No cookie opens this door, so a page of any origin needs a token that it was given. In
	// a browser that is for those whom APP_CORS_ALLOWED_ORIGINS names.
	var hosts []string
	for _, origin := range s.Origins {
		_, host, found := strings.Cut(origin, "://")
		if !found {
			host = origin
		}
		hosts = append(hosts, host)
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}, OriginPatterns: hosts})
	if err != nil {
		return nil // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	asked := make(chan struct{}, 1)
	go func() {
		defer cancel()
		listen(ctx, conn, asked)
	}()
	reason := s.tell(ctx, r, conn, asked)
	_ = conn.Close(websocket.StatusNormalClosure, reason)
	return nil
}

// listen reads until the client goes, and notes when it asks for the devices.
func listen(ctx context.Context, conn *websocket.Conn, asked chan<- struct{}) {
	conn.SetReadLimit(64 << 10)
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var in frame
		if kind != websocket.MessageText || json.Unmarshal(data, &in) != nil || in.Code != "FETCH_DEVICES" {
			continue
		}
		select {
		case asked <- struct{}{}:
		default: // the answer to the question before is still to come
		}
	}
}

// tell writes what happens until ctx ends, the client goes or its token no longer holds,
// and says why it ended.
func (s *server) tell(ctx context.Context, r *http.Request, conn *websocket.Conn, asked <-chan struct{}) string {
	heard, cancel := s.news.subscribe()
	defer cancel()
	began := time.Now()
	before := map[instances.ID]instances.Instance{}
	fresh := map[instances.ID]bool{} // without a session: its next connection is a login
	for _, i := range s.visible(r) {
		before[i.ID], fresh[i.ID] = i, !linked(i)
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		cases := []reflect.SelectCase{receive(ctx.Done()), receive(asked), receive(tick.C), receive(heard)}
		for id := range before { // before the look: a change in between is seen at once, not never
			if c := s.Instances.Changed(viewer(r), id); c != nil {
				cases = append(cases, receive(c))
			}
		}
		var frames []frame
		now := map[instances.ID]instances.Instance{}
		for _, i := range s.visible(r) {
			now[i.ID] = i
			was, known := before[i.ID]
			if !known && i.CreatedAt.Before(began.Add(-making)) {
				was = i // it was there, and can be seen only now
			}
			fresh[i.ID] = fresh[i.ID] || !known && !linked(was) || !linked(i)
			if i.Status == instances.Connected && fresh[i.ID] {
				fresh[i.ID] = false
				frames = append(frames, frame{"LOGIN_SUCCESS", "Successfully paired with " + bare(i.JID), subject(i)})
			}
			frames = append(frames, changes(was, i)...)
		}
		before = now
		for _, f := range frames {
			if send(ctx, conn, f) != nil {
				return "the client does not read"
			}
		}
		switch chosen, value, _ := reflect.Select(cases); chosen {
		case 0:
			return "over"
		case 1:
			if send(ctx, conn, frame{"LIST_DEVICES", "Device found", s.older(r)}) != nil {
				return "the client does not read"
			}
		case 2:
			u, _, err := s.Auth.ByToken(ctx, credential(r))
			if err != nil {
				return "the token no longer holds"
			}
			r = r.WithContext(context.WithValue(r.Context(), contextKey{}, u)) // what it may see may have changed
		case 3:
			n, _ := value.Interface().(news)
			if _, mine := before[n.id]; mine && send(ctx, conn, n.frame) != nil {
				return "the client does not read"
			}
		}
	}
}

func receive(c any) reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}
}

func send(ctx context.Context, conn *websocket.Conn, f frame) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	return wsjson.Write(ctx, conn, f)
}

// changes says in the frames that clients know what became of a number.
func changes(was, is instances.Instance) []frame {
	var out []frame
	if is.Status == instances.LoggedOut && was.Status != instances.LoggedOut {
		out = append(out, frame{"DEVICE_LOGGED_OUT", "The device was logged out", subject(is)})
	}
	old, now := passkey(was), passkey(is)
	if now.Request != nil && string(now.Request) != string(old.Request) {
		out = append(out, frame{"PASSKEY_REQUEST", "WhatsApp asks for the passkey of the account",
			map[string]any{"device_id": is.ID, "challenge": json.RawMessage(now.Request)}})
	}
	if now.Confirmation != "" && now.Confirmation != old.Confirmation {
		out = append(out, frame{"PASSKEY_CONFIRMATION", "Compare the code with the phone",
			map[string]any{"device_id": is.ID, "code": now.Confirmation}})
	}
	if old.Request != nil && is.Status != instances.PasskeyRequired && is.Reason == instances.PairingRejected && was.Reason != is.Reason {
		out = append(out, frame{"PASSKEY_ERROR", instances.Explain(is.Status, is.Reason).Sentence, map[string]any{"device_id": is.ID}})
	}
	return out
}

func subject(i instances.Instance) map[string]any {
	return map[string]any{"device_id": i.ID, "jid": bare(i.JID)}
}

func passkey(i instances.Instance) instances.Passkey {
	if i.Pairing == nil || i.Pairing.Passkey == nil {
		return instances.Passkey{}
	}
	return *i.Pairing.Passkey
}
