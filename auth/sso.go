package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"switchboard/fault"
)

// Provider is a provider of single sign-on, as OpenID Connect has it.
type Provider struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Name         string // on the button
	// Role is what somebody becomes who signs in for the first time and has no account; ""
	// keeps them out.
	Role Role
}

// sso is the panel as a client of a provider, which is asked for the first time when
// somebody signs in: it may come up later than the panel.
type sso struct {
	Provider
	callback string

	mu       sync.Mutex
	provider *oidc.Provider
}

// CallbackPath is where the provider sends people back to.
const CallbackPath = "/login/sso/callback"

var ssoClient = &http.Client{Timeout: 15 * time.Second}

// client returns the two halves that a sign-in needs.
func (s *sso) client(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		// Its keys are fetched with this context later on, so it must not end with a request.
		p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), ssoClient), s.Issuer)
		if err != nil {
			return nil, nil, fault.Wrap(fault.Unavailable, "The provider of single sign-on does not answer. Sign in with your password, or try again later.", err)
		}
		s.provider = p
	}
	return &oauth2.Config{
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, Endpoint: s.provider.Endpoint(), RedirectURL: s.callback,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}, s.provider.Verifier(&oidc.Config{ClientID: s.ClientID}), nil
}

// SingleSignOn returns the name of the provider, "" without one.
func (a *Auth) SingleSignOn() string {
	if a.sso == nil {
		return ""
	}
	return a.sso.Name
}

// under is what a sign-in at the provider comes back with.
type under struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Next     string `json:"next"`
}

var errNoSSO = fault.New(fault.NotFound, "There is no single sign-on here.")

// BeginSingleSignOn returns the provider's address to send this browser to. next is where it
// wants to go afterwards.
func (a *Auth) BeginSingleSignOn(r *http.Request, next string) (string, error) {
	if a.sso == nil {
		return "", errNoSSO
	}
	config, _, err := a.sso.client(r.Context())
	if err != nil {
		return "", err
	}
	u := under{State: newSecret(), Nonce: newSecret(), Verifier: oauth2.GenerateVerifier(), Next: next}
	data, err := json.Marshal(u)
	if err != nil {
		return "", err
	}
	if err := a.challenge(r.Context(), visitOf(r.Context()).secret, singleSignOn, 0, string(data)); err != nil {
		return "", err
	}
	return config.AuthCodeURL(u.State, oidc.Nonce(u.Nonce), oauth2.S256ChallengeOption(u.Verifier)), nil
}

// SignInBySSO takes what the provider sent this browser back with, starts a new session, and
// returns where the person wanted to go. The provider is trusted with how they proved who
// they are. A refusal is a fault.Unauthenticated that says why.
func (a *Auth) SignInBySSO(w http.ResponseWriter, r *http.Request, state, code string) (next string, err error) {
	if a.sso == nil {
		return "", errNoSSO
	}
	refuse := func(message string, err error) (string, error) {
		by(r.Context(), User{}).Action = "sign-in.refused"
		a.log.Warn("single sign-on refused", "address", a.address(r), "error", err)
		return "", fault.Wrap(fault.Unauthenticated, message, err)
	}
	hash := hashSecret(visitOf(r.Context()).secret)
	c, err := a.store.Challenge(r.Context(), hash, singleSignOn, time.Now())
	if err == nil {
		err = a.store.RemoveChallenge(r.Context(), hash, singleSignOn)
	}
	if fault.KindOf(err) == fault.NotFound {
		return refuse("This sign-in took too long, or it began in another browser. Please begin again.", err)
	}
	if err != nil {
		return "", unavailable(err)
	}
	var u under
	if err := json.Unmarshal([]byte(c.Data), &u); err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(u.State), []byte(state)) != 1 || code == "" {
		return refuse("The provider of single sign-on did not let you in. Please begin again.", errors.New("state or code does not fit"))
	}
	config, verifier, err := a.sso.client(r.Context())
	if err != nil {
		return "", err
	}
	ctx := oidc.ClientContext(r.Context(), ssoClient)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(u.Verifier))
	if err != nil {
		return refuse("The provider of single sign-on did not confirm this sign-in. Please begin again.", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := verifier.Verify(ctx, raw)
	if err == nil && subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(u.Nonce)) != 1 {
		err = errors.New("the nonce is another one")
	}
	if err != nil {
		return refuse("What the provider of single sign-on said could not be verified. Please begin again.", err)
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
		Name     string `json:"name"`
	}
	if err := id.Claims(&claims); err != nil {
		return refuse("What the provider of single sign-on said could not be read.", err)
	}
	person, err := a.known(r.Context(), id.Issuer, id.Subject, strings.ToLower(claims.Email), claims.Name, claims.Verified)
	if fault.KindOf(err) == fault.Unauthenticated {
		return refuse(fault.MessageOf(err), err)
	}
	if err != nil {
		return "", err
	}
	return u.Next, a.start(w, r, person)
}

// known returns the person behind an identity. The first time, that is whoever has the
// verified e-mail address, or somebody new.
func (a *Auth) known(ctx context.Context, issuer, subject, email, name string, verified bool) (User, error) {
	u, err := a.store.UserByIdentity(ctx, issuer, subject)
	if fault.KindOf(err) == fault.NotFound {
		if !verified || email == "" {
			return User{}, fault.New(fault.Unauthenticated, "The provider of single sign-on has not verified your e-mail address, so it cannot be told which account is yours.")
		}
		u, _, err = a.store.UserByEmail(ctx, email)
		if fault.KindOf(err) == fault.NotFound {
			if a.sso.Role == "" {
				return User{}, fault.New(fault.Unauthenticated, "There is no account with your e-mail address here. Ask an administrator for an invitation.")
			}
			u, err = a.AddUser(ctx, NewUser{Email: email, Name: clip(name, longestName), Role: a.sso.Role, LinkOnly: true})
		}
		if err == nil {
			err = a.store.AddIdentity(ctx, issuer, subject, u.ID)
		}
	}
	if err == nil && !u.DisabledAt.IsZero() {
		err = fault.New(fault.Unauthenticated, "This account is switched off. Ask an administrator.")
	}
	return u, unavailable(err)
}
