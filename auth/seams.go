package auth

import (
	"context"
	"time"

	"switchboard/instances"
)

// Store keeps people and what lets them in. Every method is atomic and safe for
// concurrent use. A method that returns one thing reports its absence as a
// fault.NotFound. Hashes are what the package makes; the store only compares them.
type Store interface {
	Users
	Sessions
	Links
	Tokens
	Grants
	SecondFactors
}

// TOTP is the seed of somebody's authenticator app.
type TOTP struct {
	Sealed      []byte
	ConfirmedAt time.Time // zero: it was begun, and does not count
	Step        int64     // the last one that was used
}

// Challenge is something that a browser has begun and has to finish.
type Challenge struct {
	Purpose   string
	UserID    int64
	Data      string
	ExpiresAt time.Time
}

// SecondFactors keeps what stands beside or instead of a password.
type SecondFactors interface {
	TOTP(ctx context.Context, user int64) (TOTP, error)
	// SaveTOTP writes a seed that does not count yet. One that counts is a fault.Conflict.
	SaveTOTP(ctx context.Context, user int64, sealed []byte) error
	// ConfirmTOTP makes it count, with step used.
	ConfirmTOTP(ctx context.Context, user, step int64, at time.Time) error
	// UseTOTP marks a step used. One that is not later than the last is a fault.NotFound.
	UseTOTP(ctx context.Context, user, step int64) error
	// RemoveTOTP removes the seed and the recovery codes.
	RemoveTOTP(ctx context.Context, user int64) error
	// RecoveryCodes counts those that are left.
	RecoveryCodes(ctx context.Context, user int64) (int, error)
	SetRecoveryCodes(ctx context.Context, user int64, hashes []string) error
	// UseRecoveryCode removes one: of several callers one succeeds.
	UseRecoveryCode(ctx context.Context, user int64, hash string) error
	// Passkeys returns a person's, oldest first.
	Passkeys(ctx context.Context, user int64) ([]Passkey, error)
	PasskeyByID(ctx context.Context, id string) (Passkey, error)
	AddPasskey(ctx context.Context, p Passkey) error
	// TouchPasskey writes the credential and when it was last used.
	TouchPasskey(ctx context.Context, p Passkey) error
	RemovePasskey(ctx context.Context, user int64, id string) error
	// SecondStepRoles returns the roles whose people have to have a second step, and
	// SetSecondStepRoles replaces them.
	SecondStepRoles(ctx context.Context) ([]Role, error)
	SetSecondStepRoles(ctx context.Context, roles []Role) error
	// WithSecondStep returns the people of whom none has to be asked: true for those who have
	// one here, false for those who come by single sign-on alone.
	WithSecondStep(ctx context.Context) (map[int64]bool, error)
	// RemoveFactors removes all that a person has beside the password.
	RemoveFactors(ctx context.Context, user int64) error
	UserByIdentity(ctx context.Context, issuer, subject string) (User, error)
	AddIdentity(ctx context.Context, issuer, subject string, user int64) error
	// AddChallenge writes one in place of the browser's earlier one of that purpose, and
	// drops those that have expired.
	AddChallenge(ctx context.Context, hash string, c Challenge, now time.Time) error
	// Challenge returns one that has not expired.
	Challenge(ctx context.Context, hash, purpose string, now time.Time) (Challenge, error)
	// RemoveChallenge removes one: of several callers one succeeds.
	RemoveChallenge(ctx context.Context, hash, purpose string) error
}

// Grants keeps what people may touch.
type Grants interface {
	// NumbersOf returns the numbers that a person was given, alone and in groups.
	NumbersOf(ctx context.Context, user int64) ([]instances.ID, error)
	// GrantOf returns what a person was given, as it was given.
	GrantOf(ctx context.Context, user int64) (Grant, error)
	// SetGrant replaces it. Groups that do not exist are left out.
	SetGrant(ctx context.Context, user int64, g Grant) error
	// Groups returns all, by name.
	Groups(ctx context.Context) ([]Group, error)
	// SaveGroup inserts a fresh group or replaces one. A name in use is a fault.Conflict with
	// Field "name".
	SaveGroup(ctx context.Context, g Group, fresh bool) error
	// RemoveGroup removes one.
	RemoveGroup(ctx context.Context, id string) error
}

// Users keeps people.
type Users interface {
	// AddUser inserts one. An e-mail address in use is a fault.Conflict with Field "email".
	AddUser(ctx context.Context, u User, passwordHash string) error
	// Users returns all, oldest first.
	Users(ctx context.Context) ([]User, error)
	// UserByEmail returns a person and their password hash, "" if they have none.
	UserByEmail(ctx context.Context, email string) (User, string, error)
	// UserByID returns a person.
	UserByID(ctx context.Context, id int64) (User, error)
	// SaveUser writes name, role and when the person was disabled; whoever is disabled loses
	// their sessions and links. It is a fault.Conflict if no owner would be left.
	SaveUser(ctx context.Context, u User) error
	// RemoveUser removes a person and all that belongs to them, with the same fault.Conflict.
	RemoveUser(ctx context.Context, id int64) error
	// HasOwner reports whether there is a person with the role Owner.
	HasOwner(ctx context.Context) (bool, error)
	// SetPasswordHash replaces the hash, revokes every session of the person and removes
	// their sign-in links.
	SetPasswordHash(ctx context.Context, user int64, hash string, at time.Time) error
	// Rehash replaces the hash only where it still is old: the password stays the same.
	Rehash(ctx context.Context, user int64, old, hash string) error
}

// Sessions keeps the sessions of browsers.
type Sessions interface {
	// AddSession inserts one, and drops sessions that ended long ago.
	AddSession(ctx context.Context, hash string, s Session) error
	// SessionByHash returns a session that is neither revoked nor expired, and its person,
	// unless they are disabled.
	SessionByHash(ctx context.Context, hash string, now time.Time) (Session, User, error)
	// TouchSession writes LastSeenAt, ExpiresAt and Address, and when the person was last seen.
	TouchSession(ctx context.Context, s Session) error
	// SessionsOf returns the person's live sessions, the last seen first.
	SessionsOf(ctx context.Context, user int64, now time.Time) ([]Session, error)
	// RevokeSession ends a live session of that person.
	RevokeSession(ctx context.Context, user int64, id string, at time.Time) error
	// KnownAddress reports whether the person with that e-mail address had a session from
	// address, live or ended, that is still on record.
	KnownAddress(ctx context.Context, email, address string) (bool, error)
}

// LinkPurpose is what a one-time link is for.
type LinkPurpose string

// What the links of a person do.
const (
	LinkSignIn   LinkPurpose = "sign_in"
	LinkPassword LinkPurpose = "password" // choose a password, after an invitation or a reset
)

// Links keeps one-time links: the one that makes the owner, and those that sign in.
type Links interface {
	// ReplaceSetupLink makes hash the only setup link.
	ReplaceSetupLink(ctx context.Context, hash string) error
	// IsSetupLink reports whether hash is the setup link and there is no owner.
	IsSetupLink(ctx context.Context, hash string) (bool, error)
	// AddOwner uses up the setup link and inserts the owner, both or neither. It is a
	// fault.NotFound when IsSetupLink would be false, otherwise as AddUser.
	AddOwner(ctx context.Context, setupHash string, u User, passwordHash string) error
	// AddSignInLink inserts a link, and removes the earlier ones of that person.
	AddSignInLink(ctx context.Context, hash string, user int64, purpose LinkPurpose, expires time.Time) error
	// SignInLink returns the person of a link of that purpose that has not expired.
	SignInLink(ctx context.Context, hash string, purpose LinkPurpose, now time.Time) (User, error)
	// UseSignInLink is SignInLink and removes the link: of several callers one succeeds.
	UseSignInLink(ctx context.Context, hash string, purpose LinkPurpose, now time.Time) (User, error)
}

// Tokens keeps API tokens.
type Tokens interface {
	AddToken(ctx context.Context, hash string, t Token) error
	// TokenByHash returns a token, whether or not it still is good, and its person.
	TokenByHash(ctx context.Context, hash string) (Token, User, error)
	// Tokens returns those of one person, or everybody's if user is 0, oldest first.
	Tokens(ctx context.Context, user int64) ([]Token, error)
	// TouchToken writes when it was last used.
	TouchToken(ctx context.Context, id string, at time.Time) error
	// RevokeToken marks a token of that person, or anybody's if user is 0, revoked; one that
	// is revoked already stays as it is.
	RevokeToken(ctx context.Context, user int64, id string, at time.Time) error
}
