package auth

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/instances"
)

// TokenPrefix begins every API token, so that people and secret scanners recognise one.
const TokenPrefix = "swb_"

// NewToken is what a token is made from.
type NewToken struct {
	Name    string
	Expires time.Time      // zero: never
	Scopes  []Scope        // none: all that the person may do
	Numbers []instances.ID // none: all of the person's
}

// AddToken makes an API token for the person with that e-mail address. The secret is
// returned this once and cannot be shown again. Bad input is a fault.Invalid for its field
// ("name", "expires", "scopes", "numbers").
func (a *Auth) AddToken(ctx context.Context, email string, in NewToken) (t Token, secret string, err error) {
	user, _, err := a.userByEmail(ctx, email)
	if err != nil {
		return Token{}, "", err
	}
	name, expires := strings.TrimSpace(in.Name), in.Expires
	now := time.Now()
	for _, s := range in.Scopes {
		if !slices.Contains(Scopes, s) {
			return Token{}, "", fault.InField("scopes", "The scopes of a token are read, send, manage and admin.")
		}
	}
	for _, id := range in.Numbers {
		if !id.Valid() {
			return Token{}, "", fault.InField("numbers", "A token is limited to numbers by their ids, such as front_desk_20260101120000.")
		}
	}
	switch {
	case len(in.Numbers) > 0 && slices.Contains(in.Scopes, Admin):
		return Token{}, "", fault.InField("scopes", "A token that is limited to numbers cannot have the scope admin, which is about everything.")
	case len(in.Numbers) > 1000:
		return Token{}, "", fault.InField("numbers", "A token can be limited to 1,000 numbers at most. Give the person a group of numbers instead.")
	case name == "":
		return Token{}, "", fault.InField("name", "Give the token a name that says which program uses it.")
	case !printable(name) || utf8.RuneCountInString(name) > longestName:
		return Token{}, "", fault.InField("name", "The name of a token has 80 characters at most and no line breaks.")
	case !expires.IsZero() && !expires.After(now):
		return Token{}, "", fault.InField("expires", "The token would have expired already. Choose a time to come.")
	}
	t = Token{ID: newID(), UserID: user.ID, UserEmail: user.Email, Name: name, CreatedAt: now, ExpiresAt: expires, Scopes: in.Scopes, Numbers: in.Numbers}
	secret = TokenPrefix + newSecret()
	if err := a.store.AddToken(ctx, hashSecret(secret), t); err != nil {
		return Token{}, "", unavailable(err)
	}
	a.log.Info("token made", "token", t.ID, "user", user.ID)
	return t, secret, nil
}

// ListTokens returns the tokens of the person with that e-mail address, or everybody's if
// it is empty, oldest first, revoked ones too.
func (a *Auth) ListTokens(ctx context.Context, email string) ([]Token, error) {
	var of int64
	if email != "" {
		user, _, err := a.userByEmail(ctx, email)
		if err != nil {
			return nil, err
		}
		of = user.ID
	}
	all, err := a.store.Tokens(ctx, of)
	return all, unavailable(err)
}

// RevokeToken makes anybody's token useless from the next request on. An unknown id is a
// fault.NotFound.
func (a *Auth) RevokeToken(ctx context.Context, id string) error {
	return a.revokeToken(ctx, 0, id)
}

// RevokeTokenOf is RevokeToken for a person's own tokens; those of others do not exist.
func (a *Auth) RevokeTokenOf(ctx context.Context, user User, id string) error {
	return a.revokeToken(ctx, user.ID, id)
}

func (a *Auth) revokeToken(ctx context.Context, user int64, id string) error {
	err := a.store.RevokeToken(ctx, user, id, time.Now())
	if fault.KindOf(err) == fault.NotFound {
		return &fault.Error{Kind: fault.NotFound, Field: "id", Err: err,
			Message: "There is no token with this id. The command token list shows them."}
	}
	if err == nil {
		a.log.Info("token revoked", "token", id)
	}
	return unavailable(err)
}

// ByToken returns the person that a token's secret belongs to, narrowed to what the token
// allows. A token that is unknown,
// revoked or expired is a fault.Unauthenticated that says which.
func (a *Auth) ByToken(ctx context.Context, secret string) (User, Token, error) {
	unknown := func() (User, Token, error) {
		if e := audit.Of(ctx); a.refused.Now(network(e.Address)) {
			e.Action, e.Detail = "token.refused", "not known"
		}
		return User{}, Token{}, fault.New(fault.Unauthenticated, "This API token is not known here.")
	}
	if bare, ok := strings.CutPrefix(secret, TokenPrefix); !ok || !isSecret(bare) {
		return unknown()
	}
	t, user, err := a.store.TokenByHash(ctx, hashSecret(secret))
	if fault.KindOf(err) == fault.NotFound {
		return unknown()
	}
	if err != nil {
		return User{}, Token{}, unavailable(err)
	}
	by(ctx, user).Via = "token " + t.ID
	now := time.Now()
	switch {
	case !t.RevokedAt.IsZero():
		return User{}, Token{}, fault.New(fault.Unauthenticated, "This API token has been revoked.")
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return User{}, Token{}, fault.New(fault.Unauthenticated, "This API token has expired.")
	case !user.DisabledAt.IsZero():
		return User{}, Token{}, fault.New(fault.Unauthenticated, "The account that this API token belongs to is switched off.")
	}
	if user, err = a.reach(ctx, user); err != nil {
		return User{}, Token{}, unavailable(err)
	}
	user.token = &t
	if now.Sub(t.LastUsedAt) >= touchEvery {
		t.LastUsedAt = now
		if err := a.store.TouchToken(ctx, t.ID, now); err != nil {
			a.log.Error("cannot note that a token is in use", "token", t.ID, "error", err)
		}
	}
	return user, t, nil
}
