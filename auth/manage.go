package auth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"switchboard/audit"
	"switchboard/fault"
	"switchboard/instances"
)

// How long links work that set a password.
const (
	invitationLife = 7 * 24 * time.Hour
	resetLife      = 24 * time.Hour
)

// Grant is what a person may touch beside the numbers that they made.
type Grant struct {
	All     bool
	Numbers []instances.ID
	Groups  []string // ids
}

// Group is a set of numbers that people are given together.
type Group struct {
	ID      string
	Name    string
	Numbers []instances.ID
}

// Change is what is to be changed about a person; nil leaves it as it is.
type Change struct {
	Name     *string
	Role     *Role
	Disabled *bool
	Grant    *Grant
}

// Invite makes a person without a password and a one-time token with which they choose one,
// within seven days. Only those who manage people may, and only an owner makes an owner: a
// fault.Forbidden. Bad input is as with AddUser.
func (a *Auth) Invite(ctx context.Context, by User, in NewUser, g Grant) (u User, token string, err error) {
	in.LinkOnly = true
	if err := mayManage(by, User{Role: in.Role}); err != nil {
		return User{}, "", err
	}
	if u, err = a.AddUser(ctx, in); err != nil {
		return User{}, "", err
	}
	audit.Of(ctx).Target = u.Email + " " + string(u.Role)
	if err := a.store.SetGrant(ctx, u.ID, g); err != nil {
		return User{}, "", unavailable(err)
	}
	u.AllNumbers = g.All
	token, err = a.passwordLink(ctx, u, invitationLife)
	return u, token, err
}

// PasswordLink makes a one-time token with which the person sets a new password: within
// seven days if they have never signed in, otherwise within a day. Their earlier links stop
// working.
func (a *Auth) PasswordLink(ctx context.Context, by User, id int64) (token string, err error) {
	u, err := a.Person(ctx, by, id)
	if err != nil {
		return "", err
	}
	if !u.DisabledAt.IsZero() {
		return "", fault.New(fault.Conflict, "This account is switched off. Switch it on first.")
	}
	life := resetLife
	if u.LastSeenAt.IsZero() {
		life = invitationLife
	}
	return a.passwordLink(ctx, u, life)
}

func (a *Auth) passwordLink(ctx context.Context, u User, life time.Duration) (string, error) {
	token := newSecret()
	err := a.store.AddSignInLink(ctx, hashSecret(token), u.ID, LinkPassword, time.Now().Add(life))
	return token, unavailable(err)
}

// Person returns somebody whom by may manage: an id that is unknown is a fault.NotFound,
// somebody above them a fault.Forbidden.
func (a *Auth) Person(ctx context.Context, by User, id int64) (User, error) {
	if err := mayManage(by, User{}); err != nil {
		return User{}, err
	}
	u, err := a.store.UserByID(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return User{}, fault.Wrap(fault.NotFound, "This person does not exist, or not any more.", err)
	}
	if err != nil {
		return User{}, unavailable(err)
	}
	return u, mayManage(by, u)
}

func mayManage(by, other User) error {
	switch {
	case !by.May(Admin):
		return fault.New(fault.Forbidden, "Only owners and administrators may manage people.")
	case other.Role == Owner && by.Role != Owner:
		return fault.New(fault.Forbidden, "Only an owner may make or change an owner.")
	}
	return nil
}

// ChangeUser changes a person. Whoever is switched off is signed out everywhere, and their
// tokens stop working. The last owner stays one: a fault.Conflict. Nobody switches
// themselves off.
func (a *Auth) ChangeUser(ctx context.Context, by User, id int64, c Change) (User, error) {
	u, err := a.Person(ctx, by, id)
	if err != nil {
		return User{}, err
	}
	if c.Name != nil {
		name, bad := checkName(*c.Name, u.Email)
		u.Name, err = name, bad
	}
	if c.Role != nil {
		u.Role = *c.Role
		err = errors.Join(err, checkRole(*c.Role), mayManage(by, u))
	}
	if err != nil {
		return User{}, err
	}
	if c.Disabled != nil && *c.Disabled != !u.DisabledAt.IsZero() {
		u.DisabledAt = time.Time{}
		if *c.Disabled {
			if by.ID == id {
				return User{}, fault.New(fault.Conflict, "You cannot switch your own account off. Ask another owner or administrator.")
			}
			u.DisabledAt = time.Now()
		}
	}
	if err := a.store.SaveUser(ctx, u); err != nil {
		return User{}, unavailable(err)
	}
	if c.Grant != nil {
		if err := a.store.SetGrant(ctx, id, *c.Grant); err != nil {
			return User{}, unavailable(err)
		}
		u.AllNumbers = c.Grant.All
	}
	a.log.Info("user changed", "user", id, "role", string(u.Role), "by", by.ID)
	return u, nil
}

// RemoveUser removes a person, their sessions and their tokens. Numbers that they made stay,
// with the people who may see them. The last owner stays: a fault.Conflict.
func (a *Auth) RemoveUser(ctx context.Context, by User, id int64) error {
	if _, err := a.Person(ctx, by, id); err != nil {
		return err
	}
	if by.ID == id {
		return fault.New(fault.Conflict, "You cannot remove yourself. Ask another owner or administrator.")
	}
	if err := a.store.RemoveUser(ctx, id); err != nil {
		return unavailable(err)
	}
	a.log.Info("user removed", "user", id, "by", by.ID)
	return nil
}

// GrantOf returns what a person was given.
func (a *Auth) GrantOf(ctx context.Context, u User) (Grant, error) {
	g, err := a.store.GrantOf(ctx, u.ID)
	return g, unavailable(err)
}

// Groups returns all groups of numbers, by name.
func (a *Auth) Groups(ctx context.Context) ([]Group, error) {
	all, err := a.store.Groups(ctx)
	return all, unavailable(err)
}

// SaveGroup writes a group, a new one if it has no id, and returns it. A name in use is a
// fault.Conflict with Field "name".
func (a *Auth) SaveGroup(ctx context.Context, by User, g Group) (Group, error) {
	if err := mayManage(by, User{}); err != nil {
		return Group{}, err
	}
	g.Name = strings.Join(strings.Fields(g.Name), " ")
	if g.Name == "" || !printable(g.Name) || utf8.RuneCountInString(g.Name) > longestName {
		return Group{}, fault.InField("name", "Give the group a name of at most 80 characters, for example \"Sales\".")
	}
	slices.Sort(g.Numbers)
	g.Numbers = slices.Compact(g.Numbers)
	fresh := g.ID == ""
	if fresh {
		g.ID = newID()
		audit.Of(ctx).Target = g.Name
	}
	return g, unavailable(a.store.SaveGroup(ctx, g, fresh))
}

// RemoveGroup removes a group; its numbers stay. An unknown id is a fault.NotFound.
func (a *Auth) RemoveGroup(ctx context.Context, by User, id string) error {
	if err := mayManage(by, User{}); err != nil {
		return err
	}
	return unavailable(a.store.RemoveGroup(ctx, id))
}

// CheckPasswordLink returns the person whom token lets choose a password; a token that does
// not is a fault.NotFound. It does not use the token up.
func (a *Auth) CheckPasswordLink(ctx context.Context, token string) (User, error) {
	u, err := a.store.SignInLink(ctx, hashSecret(token), LinkPassword, time.Now())
	return u, passwordLinkFault(err)
}

// SetPasswordByLink uses token up, sets name (unless empty) and password, and signs the
// person in. Call it for a POST only.
func (a *Auth) SetPasswordByLink(w http.ResponseWriter, r *http.Request, token, name, password string) error {
	u, err := a.CheckPasswordLink(r.Context(), token)
	if err != nil {
		return err
	}
	badPassword := checkPassword(password, u.Email)
	if strings.TrimSpace(name) != "" {
		name, err = checkName(name, u.Email)
		u.Name = name
	}
	if err := errors.Join(err, badPassword); err != nil {
		return err
	}
	if u, err = a.store.UseSignInLink(r.Context(), hashSecret(token), LinkPassword, time.Now()); err != nil {
		return passwordLinkFault(err)
	}
	if name != "" {
		u.Name = name
		if err := a.store.SaveUser(r.Context(), u); err != nil {
			return unavailable(err)
		}
	}
	if err := a.setPassword(r.Context(), u, password); err != nil {
		return err
	}
	by(r.Context(), u).Action = "password.set"
	return a.enter(w, r, u)
}

func passwordLinkFault(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.Wrap(fault.NotFound, "This link has been used, or it is too old. Ask an administrator for a new one.", err)
	}
	return unavailable(err)
}

// reach completes a person who came in through the door with what they may touch.
func (a *Auth) reach(ctx context.Context, u User) (User, error) {
	return reach(ctx, a.store, u)
}

func reach(ctx context.Context, store Grants, u User) (User, error) {
	if u.AllNumbers || u.ManagesPeople() {
		return u, nil
	}
	given, err := store.NumbersOf(ctx, u.ID)
	if err != nil {
		return u, err
	}
	u.given = make(map[instances.ID]bool, len(given))
	for _, id := range given {
		u.given[id] = true
	}
	return u, nil
}
