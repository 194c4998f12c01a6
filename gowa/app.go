package gowa

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/qrcode"
)

// Account is what the operations of the account need.
type Account interface {
	Report() instances.Report
	Changed() <-chan struct{}
	Pair(ctx context.Context) error
	PairPhone(ctx context.Context, phone string) (instances.PhoneCode, error)
	AnswerPasskey(ctx context.Context, credential []byte) error
	ConfirmPasskey(ctx context.Context) error
	Logout(ctx context.Context) error
	Reconnect(ctx context.Context) error
}

var appRoutes = []route{
	{method: http.MethodGet, path: "/", do: (*API).root},
	{method: http.MethodGet, path: "/app/info", do: (*API).info},
	{method: http.MethodGet, path: "/app/login", do: (*API).login},
	{method: http.MethodGet, path: "/app/login-with-code", do: (*API).loginWithCode},
	{method: http.MethodGet, path: "/app/passkey", do: (*API).passkey},
	{method: http.MethodPost, path: "/app/passkey/response", do: (*API).answerPasskey},
	{method: http.MethodPost, path: "/app/passkey/confirm", do: (*API).confirmPasskey},
	{method: http.MethodGet, path: "/app/logout", do: (*API).logout},
	{method: http.MethodGet, path: "/app/reconnect", do: (*API).reconnect},
	{method: http.MethodGet, path: "/app/devices", do: (*API).devices},
	{method: http.MethodGet, path: "/app/status", do: (*API).status},
	{method: http.MethodGet, path: "/statics/qrcode/{name}", do: (*API).qrPicture},
}

// own is the answer of operations on the account itself.
type own struct {
	DeviceID string `json:"device_id"`
}

func (a *API) own() own { return own{string(a.o.ID)} }

// root answers those that only try whether their password works.
func (a *API) root(*request) (string, any, error) {
	return "Switchboard", a.own(), nil
}

type info struct {
	Version         string `json:"version"`
	OS              string `json:"os"`
	BasePath        string `json:"base_path"`
	MaxFileSize     int    `json:"max_file_size"`
	MaxVideoSize    int    `json:"max_video_size"`
	MaxImageSize    int    `json:"max_image_size"`
	ChatwootEnabled bool   `json:"chatwoot_enabled"`
}

func (a *API) info(r *request) (string, any, error) {
	base, err := url.Parse(strings.TrimSuffix(r.Header.Get(baseHeader), "/"))
	if err != nil {
		return "", nil, fault.Wrap(fault.Invalid, "The header "+baseHeader+" is no address.", err)
	}
	return "Fetch app info success", info{Version: a.o.Version, OS: "Switchboard", BasePath: base.Path, MaxFileSize: maxFile, MaxVideoSize: maxVideo, MaxImageSize: maxImage}, nil
}

var errLoggedIn = withCode(http.StatusBadRequest, "ALREADY_LOGGED_IN",
	fault.New(fault.Conflict, "You are already logged in. Log out first to pair this number anew."))

// offline is what an operation says that needs a linked number.
var errNotLoggedIn = withCode(http.StatusUnauthorized, "AUTHENTICATION_ERROR",
	fault.New(fault.Unavailable, "You are not logged in."))

// loggedIn says whether the number is linked to a phone, connected or not.
func loggedIn(r instances.Report) bool {
	switch r.Status {
	case instances.Connected, instances.Reconnecting, instances.Restricted, instances.Outdated, instances.Replaced:
		return r.JID != ""
	}
	return false
}

type login struct {
	DeviceID   string `json:"device_id"`
	QRLink     string `json:"qr_link"`
	QRDuration int    `json:"qr_duration"`
}

// login begins a pairing, or goes on with one, and answers with the code on show.
func (a *API) login(r *request) (string, any, error) {
	if now := a.o.Number.Report(); !loggedIn(now) && now.Status != instances.PasskeyRequired && (now.Pairing == nil || now.Pairing.Code == "") {
		if err := a.o.Number.Pair(r.Context()); err != nil {
			return "", nil, pairingError(err)
		}
	}
	for {
		changed := a.o.Number.Changed()
		report := a.o.Number.Report()
		switch {
		case loggedIn(report):
			return "", nil, errLoggedIn
		case report.Status == instances.PasskeyRequired:
			return "", nil, fault.New(fault.Conflict, "The code was scanned, and WhatsApp asks for the account's passkey. Go on with /app/passkey.")
		case report.Pairing != nil && report.Pairing.Code != "":
			p := report.Pairing
			seconds := max(1, int(time.Until(p.ExpiresAt).Seconds()))
			return "Login success", login{string(a.o.ID), a.qrLink(r, p.Code, p.ExpiresAt), seconds}, nil
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return "", nil, r.Context().Err()
		}
	}
}

func pairingError(err error) error {
	if fault.KindOf(err) == fault.Conflict {
		return withCode(http.StatusBadRequest, "ALREADY_LOGGED_IN", err)
	}
	return err
}

// codes are QR codes that were handed out as links, by the names of their pictures.
type codes struct {
	mu    sync.Mutex
	texts map[string]code
}

type code struct {
	text string
	ends time.Time
}

// baseHeader has the address below which the caller sees the API, where the panel has
// passed the request on.
const baseHeader = "Switchboard-Base"

// address returns the absolute address of something on this API, for whoever asked.
func (a *API) address(r *request, to string) string {
	base := strings.TrimSuffix(r.Header.Get(baseHeader), "/")
	if base == "" {
		base = "http://" + r.Host
	}
	return base + to + "?device_id=" + url.QueryEscape(string(a.o.ID))
}

// qrLink returns a link to the picture of a code, until that expires.
func (a *API) qrLink(r *request, text string, ends time.Time) string {
	a.codes.mu.Lock()
	defer a.codes.mu.Unlock()
	for name, c := range a.codes.texts {
		if c.text == text {
			return a.address(r, "/statics/qrcode/"+name)
		}
		if time.Now().After(c.ends) {
			delete(a.codes.texts, name)
		}
	}
	if a.codes.texts == nil {
		a.codes.texts = map[string]code{}
	}
	name := "scan-qr-" + uuid.NewString() + ".png"
	a.codes.texts[name] = code{text, ends}
	return a.address(r, "/statics/qrcode/"+name)
}

func (a *API) qrPicture(r *request) (string, any, error) {
	a.codes.mu.Lock()
	c, found := a.codes.texts[path.Base(r.text("name"))]
	a.codes.mu.Unlock()
	if !found || time.Now().After(c.ends) {
		return "", nil, fault.New(fault.NotFound, "This code has expired. Ask /app/login for another one.")
	}
	picture, err := qrcode.PNG(c.text)
	if err != nil {
		return "", nil, err
	}
	return "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(picture)
	}), nil
}

func (a *API) loginWithCode(r *request) (string, any, error) {
	phone := r.address("phone")
	digits, isPerson := strings.CutSuffix(phone, userServer)
	if phone != "" && !isPerson {
		r.bad("phone", "has to be a phone number.")
	}
	if err := r.err(); err != nil {
		return "", nil, err
	}
	if loggedIn(a.o.Number.Report()) {
		return "", nil, errLoggedIn
	}
	made, err := a.o.Number.PairPhone(r.Context(), digits)
	if err != nil {
		return "", nil, err
	}
	return "Login with code success", struct {
		own
		PairCode string `json:"pair_code"`
	}{a.own(), made.Code}, nil
}

type passkey struct {
	DeviceID      string          `json:"device_id"`
	Status        string          `json:"status"`
	Challenge     json.RawMessage `json:"challenge,omitempty"`
	Code          string          `json:"code,omitempty"`
	SkipHandoffUX bool            `json:"skip_handoff_ux"`
}

func (a *API) passkey(*request) (string, any, error) {
	p := passkey{DeviceID: string(a.o.ID), Status: "none"}
	if pairing := a.o.Number.Report().Pairing; pairing != nil && pairing.Passkey != nil {
		p.Status, p.Challenge, p.Code = "awaiting_response", pairing.Passkey.Request, pairing.Passkey.Confirmation
		if p.Code != "" {
			p.Status = "awaiting_confirmation"
		}
	}
	return "Fetch passkey status success", p, nil
}

func (a *API) answerPasskey(r *request) (string, any, error) {
	if len(r.body) == 0 {
		return "", nil, fault.New(fault.Invalid, "The request has to be the passkey's answer as a JSON object.")
	}
	if err := a.o.Number.AnswerPasskey(r.Context(), r.body); err != nil {
		return "", nil, badRequest(err)
	}
	return "Passkey response submitted", a.own(), nil
}

func (a *API) confirmPasskey(r *request) (string, any, error) {
	if err := a.o.Number.ConfirmPasskey(r.Context()); err != nil {
		return "", nil, badRequest(err)
	}
	return "Passkey confirmed", a.own(), nil
}

// badRequest answers 400 where this is not the moment for what was asked.
func badRequest(err error) error {
	if fault.KindOf(err) == fault.Conflict {
		return withCode(http.StatusBadRequest, "VALIDATION_ERROR", err)
	}
	return err
}

func (a *API) logout(r *request) (string, any, error) {
	if !loggedIn(a.o.Number.Report()) {
		return "", nil, errNotLoggedIn
	}
	if err := a.o.Number.Logout(r.Context()); err != nil {
		return "", nil, err
	}
	return "Success logout", a.own(), nil
}

func (a *API) reconnect(r *request) (string, any, error) {
	if !loggedIn(a.o.Number.Report()) {
		return "", nil, errNotLoggedIn
	}
	if err := a.o.Number.Reconnect(r.Context()); err != nil {
		return "", nil, err
	}
	return "Reconnect success", a.own(), nil
}

type device struct {
	Name   string `json:"name"`
	Device string `json:"device"`
	JID    string `json:"jid"`
}

func (a *API) devices(*request) (string, any, error) {
	all := []device{}
	if r := a.o.Number.Report(); loggedIn(r) {
		all = append(all, device{Name: r.PushName, Device: r.JID, JID: bare(r.JID)})
	}
	return "Fetch device success", all, nil
}

type status struct {
	IsConnected bool   `json:"is_connected"`
	IsLoggedIn  bool   `json:"is_logged_in"`
	DeviceID    string `json:"device_id"`
	JID         string `json:"jid"`
}

func (a *API) status(*request) (string, any, error) {
	r := a.o.Number.Report()
	s := status{DeviceID: string(a.o.ID), IsConnected: r.Status == instances.Connected}
	if loggedIn(r) {
		s.IsLoggedIn, s.JID = true, bare(r.JID)
	}
	return "Connection status retrieved", s, nil
}

// bare takes the device off a JID.
func bare(jid string) string {
	user, server, found := strings.Cut(jid, "@")
	if !found {
		return jid
	}
	user, _, _ = strings.Cut(user, ":")
	return fmt.Sprintf("%s@%s", user, server)
}
