package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/instances"
)

// round is one attempt at linking a phone. It begins when a person asks for it and ends by
// itself, so that nothing shows codes to nobody for ever.
type round struct {
	began time.Time // when its first code came; zero before
	ends  time.Time

	codes []string // still to be shown
	code  string   // on show
	turn  int
	until time.Time // of code

	phone, phoneCode string // pairing by a typed code

	passkey      []byte // WhatsApp asks for a passkey with this request
	confirmation string // the code to compare with the phone
}

// beginRound asks WhatsApp for new codes, on a new connection.
func (k *keeper) beginRound() {
	k.want, k.failures, k.round = true, 0, &round{}
	k.codeAt = time.Time{}
	if !k.dialing {
		k.dialAt = time.Now()
	}
	k.say(instances.PairingPhone, "", nil)
}

// endRound stops pairing until a person asks for more.
func (k *keeper) endRound(reason instances.Reason) {
	k.say(instances.PairingPhone, reason, nil)
	k.rest()
}

func (k *keeper) lostWhilePairing() {
	switch {
	case k.round == nil:
		k.rest()
		k.say(instances.PairingPhone, instances.ConnectionLost, nil)
	case k.round.passkey != nil:
		// What the passkey belonged to is gone. A person got that far just now and is likely
		// to look on, so the codes begin anew instead of waiting for a click.
		k.beginRound()
	case k.round.began.IsZero():
		k.say(instances.PairingPhone, instances.ConnectionLost, nil)
	case time.Until(k.round.ends) < k.pace.nextCode/2:
		k.endRound(instances.QRExpired) // WhatsApp's clock was ahead of ours
	default:
		k.round.code, k.round.codes, k.round.phoneCode = "", nil, ""
		k.say(instances.PairingPhone, instances.ConnectionLost, nil)
	}
}

// codes shows the codes that a new connection came with.
func (k *keeper) codes(codes []string) {
	if k.a.linked() || k.round == nil || len(codes) == 0 {
		return
	}
	now := time.Now()
	if k.round.began.IsZero() {
		k.round.began, k.round.ends = now, now.Add(k.pace.round)
	}
	k.failures, k.loginBy = 0, time.Time{}
	k.round.codes = codes
	k.showNext(k.pace.firstCode)
}

func (k *keeper) nextCode() {
	if k.round == nil || len(k.round.codes) == 0 {
		k.endRound(instances.QRExpired)
		return
	}
	k.showNext(k.pace.nextCode)
}

func (k *keeper) showNext(long time.Duration) {
	r := k.round
	r.code, r.codes = r.codes[0], r.codes[1:]
	r.turn++
	r.until = time.Now().Add(long)
	if r.until.After(r.ends) {
		r.until = r.ends
	}
	k.codeAt = r.until
	k.showRound()
}

// showRound publishes what a person needs for pairing right now.
func (k *keeper) showRound() {
	r := k.round
	if r.passkey != nil {
		k.say(instances.PasskeyRequired, "", func(report *instances.Report) {
			report.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: r.passkey, Confirmation: r.confirmation}}
		})
		return
	}
	p := &instances.Pairing{Code: r.code, ExpiresAt: r.until, Turn: r.turn, Turns: r.turn + len(r.codes)}
	if r.phoneCode != "" {
		p.PhoneCode, p.PhoneCodeFor, p.PhoneCodeExpiresAt = r.phoneCode, r.phone, r.ends
	}
	k.say(instances.PairingPhone, "", func(report *instances.Report) { report.Pairing = p })
}

// rotate follows a change of the secret that is part of every code.
func (k *keeper) rotate(e *events.RotateADVSecret) {
	if k.round == nil || k.round.code == "" || k.round.passkey != nil {
		return
	}
	k.round.code = strings.Replace(k.round.code, e.OldSecret, e.NewSecret, 1)
	for i, c := range k.round.codes {
		k.round.codes[i] = strings.Replace(c, e.OldSecret, e.NewSecret, 1)
	}
	k.showRound()
}

// wantPasskey begins the passkey step: the code was scanned, and the account has a passkey.
func (k *keeper) wantPasskey(options *types.WebAuthnPublicKey) {
	if k.round == nil {
		return
	}
	request, err := requestOptions(options)
	if err != nil {
		k.rejected(err)
		return
	}
	k.codeAt = time.Time{}
	k.round.code, k.round.codes = "", nil
	k.round.passkey, k.round.confirmation = request, ""
	k.round.ends = time.Now().Add(k.pace.passkey)
	k.showRound()
}

// requestOptions writes WebAuthn request options as a browser reads them: absent is absent,
// not null.
func requestOptions(options *types.WebAuthnPublicKey) ([]byte, error) {
	whole, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(whole, &members); err != nil {
		return nil, err
	}
	for name, value := range members {
		if bytes.Equal(value, []byte("null")) || bytes.Equal(value, []byte(`""`)) {
			delete(members, name)
		}
	}
	return json.Marshal(members)
}

// comparePasskey shows the code to compare with the phone, or confirms at once where
// WhatsApp says that nobody has to compare, because the code was scanned a moment ago.
func (k *keeper) comparePasskey(e *events.PairPasskeyConfirmation) {
	if k.round == nil || k.round.passkey == nil {
		return
	}
	if !e.SkipHandoffUX {
		k.round.confirmation = e.Code
		k.showRound()
		return
	}
	a := k.a
	go func() {
		if err := a.client.SendPasskeyConfirmation(k.ctx); err != nil {
			k.tell(func(k *keeper) {
				if k.a == a {
					k.rejected(err)
				}
			})
		}
	}()
}

// rejected ends a round that WhatsApp or the phone turned down. The keys may be half
// linked, so new ones take their place.
func (k *keeper) rejected(err error) {
	k.log.Warn("pairing failed", "error", scrub(err.Error()))
	k.renew()
	k.say(instances.PairingPhone, instances.PairingRejected, nil)
}

// paired follows the phone's consent. WhatsApp now asks for a new connection, with a login.
func (k *keeper) paired() {
	k.forget(k.ctx, k.a)
	if k.online {
		return // the new connection was quicker than the news
	}
	k.round, k.codeAt = nil, time.Time{}
	if k.dialAt.IsZero() && !k.dialing {
		k.loginBy = time.Now().Add(k.pace.login)
	}
	k.identify()
	k.say(instances.PairingPhone, "", nil)
}

var errLinked = fault.New(fault.Conflict, "This number is linked to a phone already. Log it out first to pair it anew.")

// Pair begins a new round of QR codes. The codes come in the report.
func (s *Session) Pair(ctx context.Context) error {
	return s.ask(ctx, func(k *keeper) error {
		if k.a.linked() {
			return errLinked
		}
		k.beginRound()
		return nil
	})
}

// How a phone lists a link by code. WhatsApp accepts nothing but well-known names here.
const (
	codeClient = whatsmeow.PairClientChrome
	codeName   = "Chrome (Linux)"
)

// phoneCodeTimeout is for a connection and the request on it.
const phoneCodeTimeout = 30 * time.Second

// PairPhone asks WhatsApp for a code to be typed on the phone with that number (digits with
// country code). It waits for a connection, at most half a minute.
func (s *Session) PairPhone(ctx context.Context, phone string) (instances.PhoneCode, error) {
	digits, err := phoneDigits(phone, "phone")
	if err != nil {
		return instances.PhoneCode{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, phoneCodeTimeout)
	defer cancel()
	var a *account
	err = s.ask(ctx, func(k *keeper) error {
		if k.a.linked() {
			return errLinked
		}
		a = k.a
		// The code lives no longer than the round, so it should begin with it.
		if r := k.round; r == nil || r.passkey != nil || !r.began.IsZero() && time.Since(r.began) > k.pace.fresh {
			k.beginRound()
		}
		return nil
	})
	if err != nil {
		return instances.PhoneCode{}, err
	}
	r, err := s.await(ctx, func(r instances.Report) bool {
		return r.Pairing != nil && r.Pairing.Code != "" || r.Reason != "" || r.Status != instances.PairingPhone
	})
	if err != nil || r.Pairing == nil || r.Pairing.Code == "" {
		return instances.PhoneCode{}, fault.Wrap(fault.Unavailable,
			"WhatsApp cannot be reached at the moment, so there is no code. Try again in a minute.", err)
	}
	code, err := a.client.PairPhone(ctx, digits, true, codeClient, codeName)
	if err != nil {
		return instances.PhoneCode{}, phoneCodeFault(err)
	}
	var expires time.Time
	err = s.ask(ctx, func(k *keeper) error {
		if k.a != a || k.round == nil || k.round.passkey != nil {
			return fault.New(fault.Unavailable, "The connection was lost before the code could be shown. Ask for another.")
		}
		k.round.phone, k.round.phoneCode = digits, code
		expires = k.round.ends
		k.showRound()
		return nil
	})
	return instances.PhoneCode{Code: code, ExpiresAt: expires}, err
}

func phoneCodeFault(err error) error {
	var answer *whatsmeow.IQError
	switch {
	case errors.Is(err, whatsmeow.ErrPhoneNumberTooShort), errors.Is(err, whatsmeow.ErrPhoneNumberIsNotInternational):
		return badPhone("phone")
	case !errors.As(err, &answer):
		return fault.Wrap(fault.Unavailable, "WhatsApp did not answer, so there is no code. Try again in a minute.", err)
	case answer.Code == 429:
		return fault.Wrap(fault.Throttled, "WhatsApp gives out no more codes for this number for a while. Scan the QR code instead, or try again in an hour.", err)
	case answer.Code == 400, answer.Code == 404, answer.Code == 406:
		f := fault.Wrap(fault.Invalid, "WhatsApp does not accept this phone number. Check the country code and the digits.", err)
		f.Field = "phone"
		return f
	}
	return fault.Wrap(fault.Unavailable, "WhatsApp refused to give out a code. Scan the QR code instead.", err)
}

func badPhone(field string) error {
	return fault.InField(field, "Give the phone number in international form: country code first, digits only, without a leading zero.")
}

// phoneDigits reads a phone number as people write it: a plus, spaces, dots, dashes and
// brackets are passed over.
func phoneDigits(phone, field string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune("+ -.()/\u00a0", r) {
			return -1
		}
		return r
	}, phone)
	if len(digits) < 7 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", badPhone(field)
	}
	return digits, nil
}

var errNoPasskey = fault.New(fault.Conflict, "WhatsApp is not asking for a passkey at the moment. Begin the pairing again.")

// AnswerPasskey passes on what the authenticator answered to the request in the report: a
// PublicKeyCredential as JSON.
func (s *Session) AnswerPasskey(ctx context.Context, credential []byte) error {
	var answer types.WebAuthnResponse
	if err := json.Unmarshal(credential, &answer); err != nil || len(answer.RawID) == 0 || len(answer.Response.Signature) == 0 {
		return fault.New(fault.Invalid, "This is not the answer of a passkey. Copy it once more, from the first brace to the last.")
	}
	if s.Report().Status != instances.PasskeyRequired {
		return errNoPasskey
	}
	return passkeyFault(s.current().client.SendPasskeyResponse(ctx, &answer))
}

// ConfirmPasskey says that the person compared the code in the report with the phone.
func (s *Session) ConfirmPasskey(ctx context.Context) error {
	r := s.Report()
	if r.Pairing == nil || r.Pairing.Passkey == nil || r.Pairing.Passkey.Confirmation == "" {
		return errNoPasskey
	}
	return passkeyFault(s.current().client.SendPasskeyConfirmation(ctx))
}

func passkeyFault(err error) error {
	var answer *whatsmeow.IQError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer):
		return fault.Wrap(fault.Conflict, "WhatsApp did not accept the passkey. Begin the pairing again and use the passkey of this very account.", err)
	}
	return fault.Wrap(fault.Unavailable, "WhatsApp did not answer in time. Begin the pairing again.", err)
}
