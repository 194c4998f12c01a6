package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"switchboard/fault"
)

// ErrSecondFactor is what signing in answers when the first step was right and a second one
// has to follow: the browser has half an entry, and SecondFactor takes the rest.
var ErrSecondFactor = errors.New("a second factor is needed")

// Box seals what has to be kept secret in the database; *secrets.Box is one.
type Box interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

// BoxPurpose is what the key of the Box is derived for.
const BoxPurpose = "second factors"

const (
	challengeLife = 10 * time.Minute
	recoveryCodes = 10
)

// What half-finished things are about.
const (
	pendingSignIn    = "sign-in"
	passkeySignIn    = "passkey sign-in"
	passkeyNew       = "passkey new"
	singleSignOn     = "single sign-on"
	codeSeconds      = 30
	codeStepsBeside  = 1 // clocks differ
	recoveryCodeSize = 16
)

// perSecond bounds the guesses at a second factor, which nobody makes without the first.
var perSecond = limit{free: 5, longest: time.Hour}

// Factors says what a person has beside a password.
type Factors struct {
	TOTP     bool
	Recovery int // codes that are left
	Passkeys []Passkey
}

// Any reports whether signing in takes a second step.
func (f Factors) Any() bool { return f.TOTP || len(f.Passkeys) > 0 }

// FactorsOf returns what a person has beside a password.
func (a *Auth) FactorsOf(ctx context.Context, u User) (f Factors, err error) {
	t, err := a.store.TOTP(ctx, u.ID)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return f, unavailable(err)
	}
	f.TOTP = err == nil && !t.ConfirmedAt.IsZero()
	if f.Recovery, err = a.store.RecoveryCodes(ctx, u.ID); err != nil {
		return f, unavailable(err)
	}
	f.Passkeys, err = a.store.Passkeys(ctx, u.ID)
	return f, unavailable(err)
}

// enter starts a session, or half of one when a second factor is to follow.
func (a *Auth) enter(w http.ResponseWriter, r *http.Request, u User) error {
	f, err := a.FactorsOf(r.Context(), u)
	if err != nil {
		return err
	}
	if !f.Any() {
		return a.start(w, r, u)
	}
	// A new cookie: whoever planted the one before has no part in what follows.
	s := a.cookies.fresh(a.cookies.name)
	if err := a.challenge(r.Context(), s.ID, pendingSignIn, u.ID, ""); err != nil {
		return err
	}
	if err := s.Save(r, w); err != nil {
		return unavailable(err)
	}
	if e := by(r.Context(), u); e.Action == "" {
		e.Action = "sign-in.first-step"
	}
	return ErrSecondFactor
}

// challenge remembers something that this browser has to finish.
func (a *Auth) challenge(ctx context.Context, secret, purpose string, user int64, data string) error {
	now := time.Now()
	return unavailable(a.store.AddChallenge(ctx, hashSecret(secret), Challenge{
		Purpose: purpose, UserID: user, Data: data, ExpiresAt: now.Add(challengeLife),
	}, now))
}

// Pending returns who is half signed in with this browser; otherwise it is a fault.NotFound.
func (a *Auth) Pending(r *http.Request) (User, error) {
	c, err := a.store.Challenge(r.Context(), hashSecret(visitOf(r.Context()).secret), pendingSignIn, time.Now())
	if err != nil {
		return User{}, unavailable(err)
	}
	u, err := a.store.UserByID(r.Context(), c.UserID)
	if err == nil && !u.DisabledAt.IsZero() {
		err = fault.New(fault.NotFound, "This account is switched off. Ask an administrator.")
	}
	return u, unavailable(err)
}

// SecondFactor finishes a sign-in with a code of the authenticator app or a recovery code. A
// wrong one is a fault.Invalid in the field "code", after several it is a fault.Throttled.
// Without a first step it is a fault.NotFound.
func (a *Auth) SecondFactor(w http.ResponseWriter, r *http.Request, code string) error {
	u, err := a.Pending(r)
	if err != nil {
		return err
	}
	if err := a.checkCode(w, r, u, code); err != nil {
		by(r.Context(), u).Action = "sign-in.refused"
		return err
	}
	return a.finish(w, r, u)
}

// finish makes half an entry a whole one.
func (a *Auth) finish(w http.ResponseWriter, r *http.Request, u User) error {
	if err := a.store.RemoveChallenge(r.Context(), hashSecret(visitOf(r.Context()).secret), pendingSignIn); err != nil {
		return unavailable(err)
	}
	return a.start(w, r, u)
}

// checkCode takes a code of the app, which works once, or a recovery code, which is used up.
func (a *Auth) checkCode(w http.ResponseWriter, r *http.Request, u User, code string) error {
	code = strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(code)))
	if code == "" {
		return fault.InField("code", "Enter the code.")
	}
	address := a.address(r)
	known, err := a.store.KnownAddress(r.Context(), u.Email, address)
	if err != nil {
		return unavailable(err)
	}
	try := newAttempt()
	try.from("second " + network(address))
	if !known {
		try.atSecond(u.ID)
	}
	if wait := a.throttle.begin(try, time.Now()); wait > 0 {
		return a.throttled(w, wait)
	}
	ok, err := a.isCode(r.Context(), u, code)
	if err != nil || ok {
		a.throttle.forgive(try)
	}
	if err == nil && !ok {
		a.log.Warn("second factor refused", "user", u.ID, "address", address)
		err = fault.InField("code", "This code is wrong, or it was used already. Wait for the next one and try again.")
	}
	return err
}

func (a *Auth) isCode(ctx context.Context, u User, code string) (bool, error) {
	if len(code) == recoveryCodeSize {
		err := a.store.UseRecoveryCode(ctx, u.ID, hashSecret(code))
		if fault.KindOf(err) == fault.NotFound {
			return false, nil
		}
		if err == nil {
			a.log.Warn("recovery code used", "user", u.ID)
		}
		return err == nil, unavailable(err)
	}
	t, err := a.store.TOTP(ctx, u.ID)
	if fault.KindOf(err) == fault.NotFound || err == nil && t.ConfirmedAt.IsZero() {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err)
	}
	step, err := a.stepOf(t, code)
	if err != nil || step == 0 {
		return false, err
	}
	err = a.store.UseTOTP(ctx, u.ID, step)
	if fault.KindOf(err) == fault.NotFound {
		return false, nil // this code, or a later one, was used before
	}
	return err == nil, unavailable(err)
}

// stepOf returns the time step that code belongs to, 0 if none of those around now.
func (a *Auth) stepOf(t TOTP, code string) (int64, error) {
	if a.box == nil {
		return 0, fault.New(fault.Unavailable, "Codes cannot be checked here.")
	}
	seed, err := a.box.Open(t.Sealed)
	if err != nil {
		return 0, err
	}
	now, found := time.Now().Unix()/codeSeconds, int64(0)
	for step := now - codeStepsBeside; step <= now+codeStepsBeside; step++ {
		want, err := totp.GenerateCodeCustom(string(seed), time.Unix(step*codeSeconds, 0), totp.ValidateOpts{
			Period: codeSeconds, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
		})
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found, nil
}

func (a *Auth) throttled(w http.ResponseWriter, wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return tooMany(seconds)
}

// Confirm asks the person who is signed in for their password again, before something that
// somebody at their unlocked desk must not do. Whoever has none need not give it. A wrong
// one is a fault.Invalid in the field "current", throttled as SignIn is.
func (a *Auth) Confirm(w http.ResponseWriter, r *http.Request, current string) error {
	user, ok := UserFrom(r.Context())
	if !ok {
		return fault.New(fault.Unauthenticated, "Please sign in first.")
	}
	_, hash, err := a.userByEmail(r.Context(), user.Email)
	if err != nil || hash == "" {
		return err
	}
	if _, err := a.verify(w, r, user.Email, current); fault.KindOf(err) == fault.Unauthenticated {
		return fault.InField("current", "This is not your current password.")
	} else if err != nil {
		return err
	}
	return nil
}

// NewTOTP begins to set up an authenticator app: it returns the seed as people type it and
// as the address that the app scans. It counts only after ConfirmTOTP.
func (a *Auth) NewTOTP(ctx context.Context, u User) (seed, address string, err error) {
	if a.box == nil {
		return "", "", fault.New(fault.Unavailable, "Codes cannot be set up here.")
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Switchboard", AccountName: u.Email, SecretSize: 20})
	if err != nil {
		return "", "", err
	}
	err = a.store.SaveTOTP(ctx, u.ID, a.box.Seal([]byte(key.Secret())))
	if fault.KindOf(err) == fault.Conflict {
		return "", "", fault.Wrap(fault.Conflict, "There is an authenticator app already. Remove it first.", err)
	}
	return key.Secret(), key.URL(), unavailable(err)
}

// ConfirmTOTP makes the app count, once it has shown a right code, and returns the recovery
// codes, which are shown this once.
func (a *Auth) ConfirmTOTP(ctx context.Context, u User, code string) ([]string, error) {
	t, err := a.store.TOTP(ctx, u.ID)
	if fault.KindOf(err) == fault.NotFound || err == nil && !t.ConfirmedAt.IsZero() {
		return nil, fault.New(fault.Conflict, "There is nothing to confirm. Begin again.")
	}
	if err != nil {
		return nil, unavailable(err)
	}
	step, err := a.stepOf(t, strings.ReplaceAll(strings.TrimSpace(code), " ", ""))
	if err != nil {
		return nil, err
	}
	if step == 0 {
		return nil, fault.InField("code", "This code is wrong. Check that the clock of the phone is right, and enter the code that the app shows now.")
	}
	if err := a.store.ConfirmTOTP(ctx, u.ID, step, time.Now()); err != nil {
		return nil, unavailable(err)
	}
	a.log.Info("authenticator app set up", "user", u.ID)
	return a.NewRecoveryCodes(ctx, u)
}

// NewRecoveryCodes makes ten codes in place of all earlier ones. They are shown this once,
// and each works once in place of the app.
func (a *Auth) NewRecoveryCodes(ctx context.Context, u User) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([]string, recoveryCodes)
	for i := range codes {
		code := newSecret()[:recoveryCodeSize]
		hashes[i] = hashSecret(code)
		codes[i] = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
	}
	return codes, unavailable(a.store.SetRecoveryCodes(ctx, u.ID, hashes))
}

// RemoveTOTP takes the authenticator app away, and the recovery codes with it.
func (a *Auth) RemoveTOTP(ctx context.Context, u User) error {
	a.log.Info("authenticator app removed", "user", u.ID)
	return unavailable(a.store.RemoveTOTP(ctx, u.ID))
}

// ResetFactors takes every second factor of a person away, who then signs in with the
// password alone. by has to be allowed to manage them.
func (a *Auth) ResetFactors(ctx context.Context, by User, id int64) error {
	u, err := a.Person(ctx, by, id)
	if err != nil {
		return err
	}
	return a.resetFactors(ctx, u)
}

// ResetFactorsOf is ResetFactors for whoever has a terminal on the machine.
func (a *Auth) ResetFactorsOf(ctx context.Context, email string) error {
	u, _, err := a.userByEmail(ctx, email)
	if err != nil {
		return err
	}
	return a.resetFactors(ctx, u)
}

func (a *Auth) resetFactors(ctx context.Context, u User) error {
	a.log.Warn("second factors removed", "user", u.ID)
	return unavailable(a.store.RemoveFactors(ctx, u.ID))
}
