package auth

import (
	"slices"
	"time"

	"switchboard/fault"
	"switchboard/instances"
)

// Role is what a person is in this installation.
type Role string

// The roles. The words are stored, served and typed on the command line.
const (
	Owner         Role = "owner"         // everything
	Administrator Role = "administrator" // every number, and people
	Operator      Role = "operator"      // their own numbers
	Viewer        Role = "viewer"        // looks, changes nothing
)

// User is a person who may sign in. The password is not in it.
type User struct {
	ID         int64
	Email      string // normalised: trimmed, lower case
	Name       string // as it is shown, never empty
	Role       Role
	CreatedAt  time.Time
	LastSeenAt time.Time // to the minute; zero: never
	DisabledAt time.Time // zero: the account works
	AllNumbers bool      // sees every number, whatever the role

	// given are the numbers beside their own that the person may see. It is known for
	// whoever came in through the door, and for nobody else.
	given map[instances.ID]bool
	// token is what narrows a program that acts for the person; nil for the person.
	token *Token
}

// Viewer says which numbers the person, or the program that acts for them, sees.
func (u User) Viewer() instances.Viewer {
	v := instances.Viewer{User: u.ID, All: u.AllNumbers || u.ManagesPeople(), Given: u.given}
	if u.token != nil && len(u.token.Numbers) > 0 {
		v.Only = make(map[instances.ID]bool, len(u.token.Numbers))
		for _, id := range u.token.Numbers {
			v.Only[id] = true
		}
	}
	return v
}

// ManagesPeople reports whether the role is one of those that every number and everybody
// else is open to.
func (u User) ManagesPeople() bool { return u.Role == Owner || u.Role == Administrator }

// May reports whether role and token both allow what s stands for.
func (u User) May(s Scope) bool {
	if u.token != nil && !u.token.has(s) {
		return false
	}
	switch s {
	case Read:
		return true
	case Admin:
		return u.ManagesPeople()
	}
	return u.Role != Viewer
}

// Need is May as an error: a fault.Forbidden that says what is missing.
func (u User) Need(s Scope) error {
	switch {
	case u.May(s):
		return nil
	case u.token != nil && !u.token.has(s):
		return fault.New(fault.Forbidden, "This token may not do that: it lacks the scope "+string(s)+".")
	case s == Admin:
		return fault.New(fault.Forbidden, "Only owners and administrators may do that.")
	}
	return fault.New(fault.Forbidden, "The person this token belongs to may look, but not change anything. Ask an administrator for another role.")
}

// MayChange reports whether the person may do more than look.
func (u User) MayChange() bool { return u.May(Manage) }

// Scope is a kind of thing that is done. Nobody has all by having one of them.
type Scope string

// The scopes. The words are stored, served and typed on the command line.
const (
	Read   Scope = "read"   // look at numbers, messages and status
	Send   Scope = "send"   // send messages
	Manage Scope = "manage" // make, pair, start, configure and delete numbers
	Admin  Scope = "admin"  // people, tokens and the audit log
)

// Scopes in the order in which they are shown.
var Scopes = []Scope{Read, Send, Manage, Admin}

// NewUser is what a person is made from.
type NewUser struct {
	Email    string
	Name     string // empty: the part of the e-mail address before the @
	Role     Role
	Password string
	// LinkOnly makes the person without a password: only a sign-in link lets them in.
	LinkOnly bool
}

// Session is a browser that is signed in.
type Session struct {
	ID         string // for showing and revoking; it opens nothing
	UserID     int64
	CreatedAt  time.Time
	LastSeenAt time.Time // to the minute
	ExpiresAt  time.Time
	UserAgent  string
	Address    string

	// LacksSecondStep is true while the person has to set up a second step before anything else.
	LacksSecondStep bool
}

// Token lets a program in as the person it belongs to. The secret is not in it.
type Token struct {
	ID         string // for showing and revoking; it opens nothing
	UserID     int64
	UserEmail  string
	Name       string
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // to the minute; zero: never
	RevokedAt  time.Time // zero: not revoked
	// Scopes are what the token may be used for; none means all that the person may do.
	Scopes []Scope
	// Numbers are the only ones that exist for the token; none means all of the person's.
	Numbers []instances.ID
}

func (t Token) has(s Scope) bool {
	if len(t.Scopes) > 0 {
		return slices.Contains(t.Scopes, s)
	}
	return s != Admin || len(t.Numbers) == 0
}
