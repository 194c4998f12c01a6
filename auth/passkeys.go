package auth

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"switchboard/fault"
)

// Passkey is a key pair in somebody's device that signs in with a touch.
type Passkey struct {
	ID         string
	UserID     int64
	Name       string
	Credential string // the public half and its counter, as JSON
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

const mostPasskeys = 20

// relying returns the WebAuthn side of this panel, or a fault where browsers have none: it
// takes a host name, and https or localhost.
func (a *Auth) relying() (*webauthn.WebAuthn, error) {
	if net.ParseIP(a.base.Hostname()) != nil { // browsers refuse, each in words of its own
		return nil, fault.New(fault.Unavailable, "Passkeys work only where the panel has a host name, and this address is none. Whoever runs the server sets one with APP_URL.")
	}
	rp, err := webauthn.New(&webauthn.Config{
		RPID: a.base.Hostname(), RPDisplayName: "Switchboard", RPOrigins: []string{a.base.Scheme + "://" + a.base.Host},
	})
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "Passkeys work only where the panel has a host name; APP_URL sets it.", err)
	}
	return rp, nil
}

// holder is a person as the library wants to see one.
type holder struct {
	user User
	keys []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return binary.BigEndian.AppendUint64(nil, uint64(h.user.ID)) }
func (h holder) WebAuthnName() string                       { return h.user.Email }
func (h holder) WebAuthnDisplayName() string                { return h.user.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

func (a *Auth) holder(ctx context.Context, u User) (holder, error) {
	list, err := a.store.Passkeys(ctx, u.ID)
	if err != nil {
		return holder{}, unavailable(err)
	}
	h := holder{user: u}
	for _, p := range list {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(p.Credential), &c); err != nil {
			return holder{}, err
		}
		h.keys = append(h.keys, c)
	}
	return h, nil
}

// BeginPasskey returns what the browser needs to make a passkey for the person who is signed
// in, as JSON.
func (a *Auth) BeginPasskey(r *http.Request) ([]byte, error) {
	u, ok := UserFrom(r.Context())
	if !ok {
		return nil, fault.New(fault.Unauthenticated, "Please sign in first.")
	}
	rp, err := a.relying()
	if err != nil {
		return nil, err
	}
	h, err := a.holder(r.Context(), u)
	if err != nil {
		return nil, err
	}
	if len(h.keys) >= mostPasskeys {
		return nil, fault.New(fault.Conflict, "There are 20 passkeys already. Remove one first.")
	}
	var here []protocol.CredentialDescriptor
	for _, c := range h.keys {
		here = append(here, c.Descriptor())
	}
	options, session, err := rp.BeginRegistration(h, webauthn.WithExclusions(here),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		}))
	if err != nil {
		return nil, err
	}
	return a.begun(r, passkeyNew, u.ID, options, session)
}

// begun keeps session for this browser and returns options as JSON.
func (a *Auth) begun(r *http.Request, purpose string, user int64, options any, session *webauthn.SessionData) ([]byte, error) {
	data, err := json.Marshal(session)
	if err != nil {
		return nil, err
	}
	if err := a.challenge(r.Context(), visitOf(r.Context()).secret, purpose, user, string(data)); err != nil {
		return nil, err
	}
	return json.Marshal(options)
}

// finished returns what begun kept, once.
func (a *Auth) finished(r *http.Request, purpose string) (session webauthn.SessionData, err error) {
	hash := hashSecret(visitOf(r.Context()).secret)
	c, err := a.store.Challenge(r.Context(), hash, purpose, time.Now())
	if err == nil {
		err = a.store.RemoveChallenge(r.Context(), hash, purpose)
	}
	if fault.KindOf(err) == fault.NotFound {
		return session, fault.Wrap(fault.Conflict, "This took too long, or it was finished before. Please begin again.", err)
	}
	if err != nil {
		return session, unavailable(err)
	}
	return session, json.Unmarshal([]byte(c.Data), &session)
}

// AddPasskey takes the browser's answer to BeginPasskey.
func (a *Auth) AddPasskey(r *http.Request, name string, credential []byte) error {
	u, ok := UserFrom(r.Context())
	if !ok {
		return fault.New(fault.Unauthenticated, "Please sign in first.")
	}
	if name = strings.TrimSpace(name); name == "" {
		name = "Passkey"
	}
	if !printable(name) || utf8.RuneCountInString(name) > longestName {
		return fault.InField("name", "The name of a passkey has 80 characters at most.")
	}
	rp, err := a.relying()
	if err != nil {
		return err
	}
	session, err := a.finished(r, passkeyNew)
	if err != nil {
		return err
	}
	h, err := a.holder(r.Context(), u)
	if err != nil {
		return err
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes(credential)
	if err != nil {
		return notAPasskey(err)
	}
	made, err := rp.CreateCredential(h, session, answer)
	if err != nil {
		return notAPasskey(err)
	}
	kept, err := json.Marshal(made)
	if err != nil {
		return err
	}
	a.log.Info("passkey added", "user", u.ID)
	return unavailable(a.store.AddPasskey(r.Context(), Passkey{
		ID: hashSecret(string(made.ID)), UserID: u.ID, Name: name, Credential: string(kept), CreatedAt: time.Now(),
	}))
}

func notAPasskey(err error) error {
	return fault.Wrap(fault.Invalid, "The passkey was not accepted. Please try again.", err)
}

// RemovePasskey takes one of the person's passkeys away.
func (a *Auth) RemovePasskey(ctx context.Context, u User, id string) error {
	return unavailable(a.store.RemovePasskey(ctx, u.ID, id))
}

// BeginPasskeySignIn returns what the browser needs to sign in with a passkey, as JSON:
// any passkey for this panel, or one of the person who is half signed in.
func (a *Auth) BeginPasskeySignIn(r *http.Request) ([]byte, error) {
	rp, err := a.relying()
	if err != nil {
		return nil, err
	}
	options, session, err := rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	return a.begun(r, passkeySignIn, 0, options, session)
}

// SignInByPasskey takes the browser's answer to BeginPasskeySignIn and starts a new session.
// The device has asked for a finger, a face or a code, so that it counts for both factors. A
// refusal is a fault.Unauthenticated.
func (a *Auth) SignInByPasskey(w http.ResponseWriter, r *http.Request, credential []byte) error {
	rp, err := a.relying()
	if err != nil {
		return err
	}
	session, err := a.finished(r, passkeySignIn)
	if err != nil {
		return err
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes(credential)
	if err != nil {
		return notAPasskey(err)
	}
	var u User
	var used Passkey
	_, key, err := rp.ValidatePasskeyLogin(func(rawID, _ []byte) (webauthn.User, error) {
		var err error
		if used, err = a.store.PasskeyByID(r.Context(), hashSecret(string(rawID))); err != nil {
			return nil, err
		}
		if u, err = a.store.UserByID(r.Context(), used.UserID); err != nil {
			return nil, err
		}
		return a.holder(r.Context(), u)
	}, session, answer)
	if err == nil && key.Authenticator.CloneWarning {
		err = fault.New(fault.Unauthenticated, "This passkey was copied, or its counter was set back, so it is not accepted.")
	}
	if err != nil || !u.DisabledAt.IsZero() {
		e := by(r.Context(), u)
		e.Action = "sign-in.refused"
		return fault.Wrap(fault.Unauthenticated, "This passkey is not known here. Sign in with your password.", err)
	}
	kept, err := json.Marshal(key)
	if err != nil {
		return err
	}
	used.Credential, used.LastUsedAt = string(kept), time.Now()
	if err := a.store.TouchPasskey(r.Context(), used); err != nil {
		return unavailable(err)
	}
	return a.start(w, r, u)
}
