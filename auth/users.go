package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"switchboard/fault"
)

// AddUser makes a person. Bad input is a fault.Invalid for each field ("name", "email",
// "password", "role"), joined; an e-mail address in use is a fault.Conflict.
func (a *Auth) AddUser(ctx context.Context, in NewUser) (User, error) {
	user, hash, err := a.prepare(ctx, in)
	if err != nil {
		return User{}, err
	}
	if err := a.store.AddUser(ctx, user, hash); err != nil {
		return User{}, unavailable(err)
	}
	a.log.Info("user made", "user", user.ID, "role", string(user.Role))
	return user, nil
}

// prepare checks what a person is made from and hashes the password.
func (a *Auth) prepare(ctx context.Context, in NewUser) (User, string, error) {
	email, badEmail := checkEmail(in.Email)
	name, badName := checkName(in.Name, email)
	var badPassword error
	if !in.LinkOnly {
		badPassword = checkPassword(in.Password, email)
	}
	if err := errors.Join(badName, badEmail, badPassword, checkRole(in.Role)); err != nil {
		return User{}, "", err
	}
	var hash string
	if !in.LinkOnly {
		var err error
		if hash, err = a.hasher.hash(ctx, in.Password); err != nil {
			return User{}, "", err
		}
	}
	return User{ID: newUserID(), Email: email, Name: name, Role: in.Role, CreatedAt: time.Now()}, hash, nil
}

// ListUsers returns everybody, oldest first.
func (a *Auth) ListUsers(ctx context.Context) ([]User, error) {
	all, err := a.store.Users(ctx)
	return all, unavailable(err)
}

// SetPassword changes the password of the person with that e-mail address, and ends all
// their sessions and sign-in links. Nobody with that address is a fault.NotFound.
func (a *Auth) SetPassword(ctx context.Context, email, password string) error {
	user, _, err := a.userByEmail(ctx, email)
	if err != nil {
		return err
	}
	return a.setPassword(ctx, user, password)
}

// ChangePassword gives the person who is signed in a new password. All their sessions and
// sign-in links end, and this browser gets a new session. Whoever has a password has to
// give the current one (field "current", throttled as SignIn is); whoever only had sign-in
// links has none to give.
func (a *Auth) ChangePassword(w http.ResponseWriter, r *http.Request, current, password string) error {
	user, ok := UserFrom(r.Context())
	if !ok {
		return fault.New(fault.Unauthenticated, "Please sign in first.")
	}
	_, hash, err := a.userByEmail(r.Context(), user.Email)
	if err != nil {
		return err
	}
	if hash != "" {
		if _, err := a.verify(w, r, user.Email, current); fault.KindOf(err) == fault.Unauthenticated {
			return fault.InField("current", "This is not your current password.")
		} else if err != nil {
			return err
		}
	}
	if err := a.setPassword(r.Context(), user, password); err != nil {
		return err
	}
	by(r.Context(), user).Action = "password.change"
	return a.start(w, r, user)
}

func (a *Auth) setPassword(ctx context.Context, user User, password string) error {
	if err := checkPassword(password, user.Email); err != nil {
		return err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := a.store.SetPasswordHash(ctx, user.ID, hash, time.Now()); err != nil {
		return unavailable(err)
	}
	a.log.Info("password set", "user", user.ID)
	return nil
}

// userByEmail is for those who may know who has an account: the command line.
func (a *Auth) userByEmail(ctx context.Context, email string) (User, string, error) {
	email, err := checkEmail(email)
	if err != nil {
		return User{}, "", err
	}
	user, hash, err := a.store.UserByEmail(ctx, email)
	if fault.KindOf(err) == fault.NotFound {
		return User{}, "", &fault.Error{Kind: fault.NotFound, Field: "email", Err: err,
			Message: fmt.Sprintf("There is nobody with the e-mail address %s. The command user list shows everybody.", email)}
	}
	return user, hash, unavailable(err)
}
