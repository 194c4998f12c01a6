package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// device is a number as the gateway shows it.
type device struct {
	ID, State, JID string
	Phone          string `json:"phone_number"`
	Name           string `json:"display_name"`
}

// linked is what a number says of its session.
type linked struct {
	Connected bool   `json:"is_connected"`
	LoggedIn  bool   `json:"is_logged_in"`
	Device    string `json:"device_id"`
	JID       string `json:"jid"`
}

// scan links the number to its phone by the picture behind a link in an answer.
func (s *stage) scanLink(a answered) {
	s.t.Helper()
	var login struct {
		Link     string `json:"qr_link"`
		Duration int    `json:"qr_duration"`
	}
	if a.into(&login); login.Duration < 1 || login.Duration > 60 {
		s.t.Errorf("the code is valid for %d seconds", login.Duration)
	}
	header, picture := s.follow(login.Link)
	s.is(header.Get("Content-Type") == "image/png", "the code is %v", header)
	_, err := s.control.ScanPicture(within(s.t, patience), s.owner.number, picture)
	s.must(err)
	s.becomes("connected")
}

// unlinked waits until the phone has no linked device any more.
func (s *stage) unlinked() {
	s.t.Helper()
	s.looked = true
	poll(s.t, "the phone shows no linked device", func() bool { return len(s.owner.state().Companions) == 0 }, nil)
}

// reconnects asks the act's operation for a new connection and waits for it.
func (s *stage) reconnects(in params) {
	s.t.Helper()
	before := s.connections()[s.owner.number].ID
	s.ask(in)
	poll(s.t, "there is another connection", func() bool {
		c, found := s.connections()[s.owner.number]
		return found && c.ID != before
	}, nil)
	s.looked = true
	s.becomes("connected")
	s.usable()
}

// usable waits until the number takes requests again after a new connection.
func (s *stage) usable() {
	s.t.Helper()
	poll(s.t, "the connection is used", func() bool {
		status, _, _ := s.raw("GET /user/my/privacy", "", nil)
		return status == http.StatusOK
	}, nil)
}

// logOut ends the session.
func (s *stage) logOut() {
	s.t.Helper()
	status, _, body := s.raw("GET /app/logout", "", nil)
	if status != http.StatusOK {
		s.t.Fatalf("logging out: %d %s", status, body)
	}
	s.becomes("logged_out")
}

var beginning = []act{
	{"GET /health", func(s *stage) {
		login := s.login
		s.login = func(*http.Request) {} // nobody has to
		body := s.ask(nil).Results
		s.login = login
		s.is(string(body) == "OK", "the health is %q", body)
	}},
	{"POST /devices", func(s *stage) {
		var made device
		s.ask(params{"device_id": gatewayName}).into(&made)
		s.id = made.ID
		s.is(s.api.get(made.ID).Name == gatewayName && made.State == "disconnected" || made.State == "connecting", "made is %+v", made)
		s.becomes("pairing")
	}},
	{"GET /devices", func(s *stage) {
		var all []device
		s.ask(nil).into(&all)
		s.is(slices.ContainsFunc(all, func(d device) bool { return d.ID == s.id && d.Name == gatewayName && d.JID == "" }), "the devices are %+v", all)
	}},
	{"GET /app/info", func(s *stage) {
		var info struct {
			Version string
			Max     int `json:"max_image_size"`
		}
		s.ask(nil).into(&info)
		s.is(info.Version != "" && info.Max == 20_000_000, "the program is %+v", info)
	}},
}

var linking = []act{
	{"GET /app/login", func(s *stage) {
		s.scanLink(s.ask(nil))
		s.told("LOGIN_SUCCESS")
	}},
	{"GET /app/status", func(s *stage) {
		var got linked
		s.ask(nil).into(&got)
		s.is(got == linked{true, true, s.id, s.me}, "the status is %+v", got)
	}},
	{"GET /app/devices", func(s *stage) {
		var all []struct{ Name, Device, JID string }
		s.ask(nil).into(&all)
		s.is(slices.ContainsFunc(all, func(d struct{ Name, Device, JID string }) bool { return d.JID == s.me }), "the devices are %+v", all)
	}},
	{"GET /devices/{device_id}", func(s *stage) {
		var got device
		s.ask(params{"device_id": s.id}).into(&got)
		s.is(got.State == "logged_in" && got.JID == s.me && got.Phone == s.owner.number, "the device is %+v", got)
	}},
	{"GET /devices/{device_id}/status", func(s *stage) {
		var got linked
		s.ask(params{"device_id": s.me}).into(&got)
		s.is(got.Connected && got.LoggedIn && got.Device == s.id, "the status is %+v", got)
	}},
	{"PATCH /devices/{device_id}/webhook", func(s *stage) {
		type call struct {
			body []byte
			sum  string
		}
		calls := make(chan call, 100)
		hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			calls <- call{body, r.Header.Get("X-Hub-Signature-256")}
		}))
		s.t.Cleanup(hook.Close)
		const secret = "a secret of the shop"
		s.ask(params{"device_id": s.id, "webhook_url": hook.URL, "webhook_secret": secret, "webhook_events": "message"})
		s.told("DEVICE_WEBHOOK_UPDATED")
		s.told("DEVICE_WEBHOOK_CONFIG_UPDATED")
		s.hears(s.ann, "is the shop open?", "")
		for ctx := within(s.t, patience); ; {
			select {
			case c := <-calls:
				if !bytes.Contains(c.body, []byte("is the shop open?")) {
					continue
				}
				sum := hmac.New(sha256.New, []byte(secret))
				sum.Write(c.body)
				s.is(c.sum == "sha256="+hex.EncodeToString(sum.Sum(nil)), "it is signed %q", c.sum)
			case <-ctx.Done():
				s.t.Fatal("the webhook was never called")
			}
			break
		}
	}},
	{"GET /devices/{device_id}/webhook", func(s *stage) {
		var hook struct {
			Events string `json:"webhook_events"`
			Secret string `json:"webhook_secret"`
		}
		s.ask(params{"device_id": s.id}).into(&hook)
		s.is(hook.Events == "message" && hook.Secret == "a secret of the shop", "the webhook is %+v", hook)
		status, _, body := s.raw("PATCH /devices/{device_id}/webhook", "", params{"device_id": s.id, "webhook_url": ""})
		s.is(status == http.StatusOK && bytes.Contains(body, []byte(`"webhook_url":""`)), "taking it away: %d %s", status, body)
	}},
}

var ending = []act{
	{"GET /app/reconnect", func(s *stage) { s.reconnects(nil) }},
	{"POST /devices/{device_id}/reconnect", func(s *stage) { s.reconnects(params{"device_id": s.id}) }},
	{"GET /app/logout", func(s *stage) {
		s.ask(nil)
		s.told("DEVICE_LOGGED_OUT")
		s.unlinked()
		s.becomes("logged_out")
	}},
	{"GET /app/login-with-code", func(s *stage) {
		var code struct {
			Code string `json:"pair_code"`
		}
		s.ask(params{"phone": "+" + s.owner.number}).into(&code)
		s.owner.enter(code.Code)
		s.is(len(s.owner.state().Companions) == 1, "the phone shows %+v", s.owner.state())
		s.becomes("connected")
	}},
	{"POST /devices/{device_id}/logout", func(s *stage) {
		s.ask(params{"device_id": s.id})
		s.unlinked()
		s.becomes("logged_out")
	}},
	{"POST /devices/{device_id}/login/code", func(s *stage) {
		var code struct {
			Code string `json:"pair_code"`
		}
		s.ask(params{"device_id": s.id, "phone": s.owner.number}).into(&code)
		s.owner.enter(code.Code)
		s.is(len(s.owner.state().Companions) == 1, "the phone shows %+v", s.owner.state())
		s.becomes("connected")
	}},
	{"GET /app/passkey", func(s *stage) {
		s.logOut()
		var p passkeyState
		s.ask(nil).into(&p)
		s.is(p.Status == "none", "the passkey is %+v", p)
		s.must(s.control.SetPasskey(within(s.t, patience), s.owner.number, true))
		// The first answer is lost on its way, so that the code has to be compared.
		s.must(s.control.LosePasskeys(within(s.t, patience), s.owner.number, 1))
		var login struct {
			Link string `json:"qr_link"`
		}
		_, _, body := s.raw("GET /app/login", "", nil)
		answered{s: s, Results: results(body)}.into(&login)
		_, picture := s.follow(login.Link)
		number, control := s.owner.number, s.control
		s.scanned = make(chan error, 1)
		go func() {
			_, err := control.ScanPicture(s.whole, number, picture)
			s.scanned <- err
		}()
		s.becomes("passkey_required")
		s.ask(nil).into(&p)
		s.is(p.Status == "awaiting_response" && bytes.Contains(p.Challenge, []byte(`"challenge"`)), "the passkey is %s %s", p.Status, p.Challenge)
		s.challenge = p.Challenge
		s.told("PASSKEY_REQUEST")
	}},
	{"POST /app/passkey/response", func(s *stage) {
		credential, err := s.control.AnswerPasskey(within(s.t, patience), s.owner.number, s.challenge)
		s.must(err)
		var answer params
		s.must(json.Unmarshal(credential, &answer))
		s.ask(answer)
		s.ask(answer)
		var p passkeyState
		poll(s.t, "there is a code to compare", func() bool {
			_, _, body := s.raw("GET /app/passkey", "", nil)
			return json.Unmarshal(results(body), &p) == nil && p.Status == "awaiting_confirmation"
		}, nil)
		poll(s.t, "the phone shows the same code", func() bool { return s.owner.state().Link.Code == p.Code }, nil)
		s.is(p.Code != "", "the code is empty")
		s.told("PASSKEY_CONFIRMATION")
	}},
	{"POST /app/passkey/confirm", func(s *stage) {
		s.ask(nil)
		if err := <-s.scanned; err != nil {
			s.t.Fatal(err)
		}
		s.becomes("connected")
		s.is(len(s.owner.state().Companions) == 1, "the phone shows %+v", s.owner.state())
		s.must(s.control.SetPasskey(within(s.t, patience), s.owner.number, false))
	}},
	{"GET /devices/{device_id}/login", func(s *stage) {
		s.logOut()
		s.scanLink(s.ask(params{"device_id": s.id}))
	}},
	{"401 AUTHENTICATION_ERROR", func(s *stage) { // a number that is stopped says so
		s.api.call(http.MethodPost, "/instances/"+s.id+"/stop", nil, http.StatusOK, nil)
		s.becomes("stopped")
		if s.gateway { // nothing listens at its own port
			body := s.refuses("POST /send/message", s.toAnn(params{"message": "x"}))
			s.is(bytes.Contains(body, []byte(`"message":"This number is stopped. Start it first."`)), "it says %s", body)
		} else {
			_, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			s.asked = true
			s.is(err != nil, "something answers at the port")
		}
		s.api.call(http.MethodPost, "/instances/"+s.id+"/start", nil, http.StatusOK, nil)
		s.becomes("connected")
	}},
	{"DELETE /devices/{device_id}", func(s *stage) {
		s.ask(params{"device_id": s.id})
		s.unlinked()
		poll(s.t, "the number is gone", func() bool {
			status, _ := s.api.ask(http.MethodGet, "/instances/"+s.id, nil)
			return status == http.StatusNotFound
		}, nil)
	}},
}

// passkeyState is what /app/passkey tells.
type passkeyState struct {
	Status, Code string
	Challenge    json.RawMessage
}

func results(body []byte) json.RawMessage {
	var out struct{ Results json.RawMessage }
	_ = json.Unmarshal(body, &out)
	return out.Results
}
