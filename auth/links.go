package auth

import (
	"context"
	"net/http"
	"time"

	"switchboard/fault"
)

const signInLinkLife = 15 * time.Minute

// SetupOpen reports whether the installation still waits for its owner.
func (a *Auth) SetupOpen(ctx context.Context) (bool, error) {
	has, err := a.store.HasOwner(ctx)
	return !has && err == nil, unavailable(err)
}

// SetupLink makes a new setup token, which makes an earlier one useless. It returns "" when
// there is an owner already.
func (a *Auth) SetupLink(ctx context.Context) (token string, err error) {
	open, err := a.SetupOpen(ctx)
	if !open || err != nil {
		return "", err
	}
	token = newSecret()
	if err := a.store.ReplaceSetupLink(ctx, hashSecret(token)); err != nil {
		return "", unavailable(err)
	}
	return token, nil
}

var errSetupLink = fault.New(fault.NotFound,
	"This setup link is not valid any more. The newest one is printed in the terminal when Switchboard starts.")

// CheckSetup returns a fault.NotFound unless token is the present setup token and there is
// no owner.
func (a *Auth) CheckSetup(ctx context.Context, token string) error {
	ok, err := a.store.IsSetupLink(ctx, hashSecret(token))
	if err != nil {
		return unavailable(err)
	}
	if !ok {
		return errSetupLink
	}
	return nil
}

// CreateOwner makes the owner and signs them in. A token that CheckSetup refuses is a
// fault.NotFound. Bad input is a fault.Invalid for each field ("name", "email",
// "password"), joined: fault.Fields lists them.
func (a *Auth) CreateOwner(w http.ResponseWriter, r *http.Request, token, name, email, password string) error {
	if err := a.CheckSetup(r.Context(), token); err != nil {
		return err
	}
	user, hash, err := a.prepare(r.Context(), NewUser{Email: email, Name: name, Role: Owner, Password: password})
	if err != nil {
		return err
	}
	err = a.store.AddOwner(r.Context(), hashSecret(token), user, hash)
	if fault.KindOf(err) == fault.NotFound {
		return errSetupLink
	}
	if err != nil {
		return unavailable(err)
	}
	a.log.Info("owner made", "user", user.ID)
	return a.start(w, r, user)
}

// SignInLink makes a one-time token that signs the person with that e-mail address in
// within 15 minutes, and makes their earlier ones useless. Nobody with that address is a
// fault.NotFound.
func (a *Auth) SignInLink(ctx context.Context, email string) (token string, err error) {
	user, _, err := a.userByEmail(ctx, email)
	if err != nil {
		return "", err
	}
	token = newSecret()
	if err := a.store.AddSignInLink(ctx, hashSecret(token), user.ID, LinkSignIn, time.Now().Add(signInLinkLife)); err != nil {
		return "", unavailable(err)
	}
	return token, nil
}

// CheckSignInLink returns a fault.NotFound unless token would sign somebody in. It does not
// use the token up: programs that preview links open them too.
func (a *Auth) CheckSignInLink(ctx context.Context, token string) error {
	_, err := a.store.SignInLink(ctx, hashSecret(token), LinkSignIn, time.Now())
	return linkFault(err)
}

// SignInByLink uses token up and starts a new session. Call it for a POST only.
func (a *Auth) SignInByLink(w http.ResponseWriter, r *http.Request, token string) error {
	user, err := a.store.UseSignInLink(r.Context(), hashSecret(token), LinkSignIn, time.Now())
	if err != nil {
		return linkFault(err)
	}
	return a.enter(w, r, user)
}

func linkFault(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.Wrap(fault.NotFound, "This sign-in link has been used or is older than 15 minutes. Please make a new one.", err)
	}
	return unavailable(err)
}
