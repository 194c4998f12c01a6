package auth

import (
	"time"

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
}

// Viewer says which numbers the person sees.
func (u User) Viewer() instances.Viewer {
	return instances.Viewer{User: u.ID, All: u.Role == Owner || u.Role == Administrator}
}

// MayChange reports whether the person may do more than look.
func (u User) MayChange() bool { return u.Role != Viewer }

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
}
