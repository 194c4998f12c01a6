package web

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/gif"  // screenshots may be any of these
	_ "image/jpeg" //
	_ "image/png"  //
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/common/reedsolomon"
	"github.com/makiuchi-d/gozxing/qrcode"

	"switchboard/fault"
	"switchboard/whatsapp/simulator/phone"
)

// routes is the interface, in the order of docs/simulator.md.
func (s *server) routes(mux *http.ServeMux) {
	all := map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /api/phones":                                 s.listPhones,
		"POST /api/phones":                                s.addPhone,
		"GET /api/phones/{number}":                        s.withPhone(s.showPhone),
		"PATCH /api/phones/{number}":                      s.withPhone(s.changePhone),
		"POST /api/phones/{number}/scan":                  s.withPhone(s.scan),
		"POST /api/phones/{number}/code":                  s.withPhone(s.enterCode),
		"POST /api/phones/{number}/passkey":               s.withPhone(s.answerPasskey),
		"DELETE /api/phones/{number}/companions/{device}": s.withPhone(s.unlink),

		"GET /api/phones/{number}/chats":                 s.withPhone(s.listChats),
		"GET /api/phones/{number}/messages":              s.withPhone(s.listMessages),
		"POST /api/phones/{number}/messages":             s.withPhone(s.sendMessage),
		"PATCH /api/phones/{number}/messages/{id}":       s.withPhone(s.changeMessage),
		"GET /api/phones/{number}/messages/{id}/file":    s.withPhone(s.downloadFile),
		"POST /api/phones/{number}/messages/{id}/expire": s.withPhone(s.expireFile),
		"POST /api/phones/{number}/read":                 s.withPhone(s.markRead),
		"POST /api/phones/{number}/typing":               s.withPhone(s.typing),
		"POST /api/phones/{number}/subscribe":            s.withPhone(s.subscribe),
		"GET /api/phones/{number}/groups":                s.withPhone(s.listGroups),
		"POST /api/phones/{number}/groups":               s.withPhone(s.createGroup),
		"PATCH /api/phones/{number}/groups/{id}":         s.withPhone(s.changeGroup),

		"GET /api/phones/{number}/groups/{id}/link":                    s.withPhone(s.groupLink),
		"POST /api/phones/{number}/join":                               s.withPhone(s.joinGroup),
		"GET /api/phones/{number}/view":                                s.withPhone(s.showView),
		"GET /api/phones/{number}/profile":                             s.withPhone(s.showProfile),
		"PATCH /api/phones/{number}/profile":                           s.withPhone(s.changeProfile),
		"GET /api/phones/{number}/picture":                             s.withPhone(s.showPicture),
		"PUT /api/phones/{number}/picture":                             s.withPhone(s.setPicture),
		"GET /api/phones/{number}/people/{other}":                      s.withPhone(s.showPerson),
		"PUT /api/phones/{number}/labels/{label}":                      s.withPhone(s.changeLabel),
		"POST /api/phones/{number}/contacts":                           s.withPhone(s.saveContact),
		"POST /api/phones/{number}/calls":                              s.withPhone(s.call),
		"DELETE /api/phones/{number}/calls/{id}":                       s.withPhone(s.endCall),
		"GET /api/phones/{number}/channels":                            s.withPhone(s.listChannels),
		"POST /api/phones/{number}/channels":                           s.withPhone(s.createChannel),
		"PATCH /api/phones/{number}/channels/{id}":                     s.withPhone(s.followChannel),
		"PUT /api/phones/{number}/channels/{id}/messages/{n}/reaction": s.withPhone(s.reactInChannel),

		"GET /api/network":          s.showNetwork,
		"GET /api/connections":      s.listConnections,
		"GET /api/stats":            s.showStats,
		"POST /api/faults/drop":     s.drop,
		"POST /api/faults/silence":  s.silence,
		"POST /api/faults/stream":   s.failStream,
		"POST /api/faults/logins":   s.failLogins,
		"POST /api/faults/sends":    s.refuseSends,
		"POST /api/faults/uploads":  s.refuseUploads,
		"POST /api/faults/passkeys": s.losePasskeys,
		"POST /api/faults/restart":  s.restart,
	}
	for pattern, f := range all {
		mux.HandleFunc(pattern, s.handle(f))
	}
}

func (s *server) withPhone(f func(http.ResponseWriter, *http.Request, *phone.Phone) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.fleet.Phone(r.PathValue("number"))
		if err != nil {
			return err
		}
		return f(w, r, p)
	}
}

// Phone is one phone as the interface shows it.
type Phone struct {
	Number        string            `json:"number"`
	Name          string            `json:"name"`
	Online        bool              `json:"online"`    // switched on
	Connected     bool              `json:"connected"` // right now
	Passkey       bool              `json:"passkey"`   // linking a device asks for one
	Answer        Answer            `json:"answer"`
	Undecryptable int64             `json:"undecryptable"` // messages that could not be opened at first
	Seq           int64             `json:"seq"`           // what is sent or received later has a higher one
	Link          phone.Link        `json:"link"`
	Companions    []phone.Companion `json:"companions"`
}

// Answer is how a phone answers by itself.
type Answer struct {
	On      bool   `json:"on"`
	Prefix  string `json:"prefix"`
	DelayMS int64  `json:"delay_ms"`
}

// passkeys are the numbers whose accounts ask for one.
func (s *server) passkeys() map[string]bool {
	all := map[string]bool{}
	for _, account := range s.network.Accounts() {
		all[account.Number] = account.Passkey
	}
	return all
}

func describe(p *phone.Phone, passkeys map[string]bool) Phone {
	a := p.Answering()
	out := Phone{
		Number: p.Number(), Name: p.Name(), Online: p.Online(), Connected: p.Connected(),
		Answer:        Answer{On: a.On, Prefix: a.Prefix, DelayMS: a.Delay.Milliseconds()},
		Undecryptable: p.Undecryptable(), Seq: p.Seq(), Link: p.Link(), Companions: p.Companions(),
		Passkey: passkeys[p.Number()],
	}
	if out.Companions == nil {
		out.Companions = []phone.Companion{}
	}
	return out
}

func (s *server) listPhones(w http.ResponseWriter, r *http.Request) error {
	all, passkeys := []Phone{}, s.passkeys()
	for _, p := range s.fleet.Phones() {
		all = append(all, describe(p, passkeys))
	}
	return answer(w, http.StatusOK, map[string]any{"phones": all})
}

func (s *server) addPhone(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Number, Name string }
	if err := read(r, &in); err != nil {
		return err
	}
	p, err := s.fleet.AddPhone(r.Context(), in.Number, strings.TrimSpace(in.Name))
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, describe(p, s.passkeys()))
}

func (s *server) showPhone(w http.ResponseWriter, _ *http.Request, p *phone.Phone) error {
	return answer(w, http.StatusOK, describe(p, s.passkeys()))
}

func (s *server) changePhone(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct {
		Online    *bool   `json:"online"`
		Available *bool   `json:"available"`
		Passkey   *bool   `json:"passkey"`
		Answer    *Answer `json:"answer"`
	}
	if err := read(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	var errs []error
	if in.Answer != nil {
		delay := time.Duration(in.Answer.DelayMS) * time.Millisecond
		errs = append(errs, p.SetAnswer(ctx, phone.Answer{On: in.Answer.On, Prefix: in.Answer.Prefix, Delay: delay}))
	}
	if in.Passkey != nil {
		errs = append(errs, p.SetPasskey(ctx, *in.Passkey))
	}
	if in.Online != nil {
		errs = append(errs, p.SetOnline(ctx, *in.Online))
	}
	if in.Available != nil {
		errs = append(errs, p.SetAvailable(ctx, *in.Available))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return answer(w, http.StatusOK, describe(p, s.passkeys()))
}

// Linked says which device was linked.
type Linked struct {
	JID    string `json:"jid"`
	Device uint16 `json:"device"`
}

// linkTime is how long linking may take. With a passkey it waits for a person.
const linkTime = 5 * time.Minute

func (s *server) scan(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	text, err := linkText(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), linkTime)
	defer cancel()
	jid, err := p.Scan(ctx, text)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, Linked{JID: jid.String(), Device: jid.Device})
}

// linkText reads the text of a QR code out of a request: as JSON, or from a picture of it.
func linkText(r *http.Request) (string, error) {
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); !strings.HasPrefix(t, "image/") {
		var in struct{ Text string }
		err := read(r, &in)
		return in.Text, err
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return "", unreadable(err)
	}
	return readCode(raw)
}

// Every process that has this package gets the tables of codes that are not QR, used or not. A
// number's does without these 80 KiB.
func init() { reedsolomon.GenericGF_AZTEC_DATA_12, reedsolomon.GenericGF_AZTEC_DATA_10 = nil, nil }

// maxPixels keeps a small file from becoming a huge picture.
const maxPixels = 40 << 20

// readCode finds the QR code in a picture.
func readCode(raw []byte) (string, error) {
	no := func(err error) error {
		return fault.Wrap(fault.Invalid, "There is no readable QR code in this picture. Take the screenshot again, with the whole code and its white margin.", err)
	}
	head, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return "", no(err)
	}
	if head.Width <= 0 || head.Height <= 0 || head.Width > maxPixels/head.Height {
		return "", fault.New(fault.TooLarge, "This picture is too large. Cut out the QR code and try again.")
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return "", no(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", no(err)
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", no(err)
	}
	return found.GetText(), nil
}

func (s *server) enterCode(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	var in struct{ Code string }
	if err := read(r, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), linkTime)
	defer cancel()
	jid, err := p.EnterCode(ctx, in.Code)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, Linked{JID: jid.String(), Device: jid.Device})
}

func (s *server) answerPasskey(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	options, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err)
	}
	credential, err := p.AnswerPasskey(options)
	if err != nil {
		return fault.Wrap(fault.Invalid, "This is not a request for this phone's passkey: "+err.Error()+".", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(credential)
	return nil
}

func (s *server) unlink(w http.ResponseWriter, r *http.Request, p *phone.Phone) error {
	device, err := strconv.ParseUint(r.PathValue("device"), 10, 16)
	if err != nil {
		return fault.New(fault.NotFound, "A linked device is named by its number.")
	}
	if err := p.Unlink(r.Context(), uint16(device)); err != nil {
		return err
	}
	return done(w)
}
