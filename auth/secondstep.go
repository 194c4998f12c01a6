package auth

import (
	"context"
	"slices"

	"switchboard/fault"
)

// Roles are all that there are, the one that may do most first.
var Roles = []Role{Owner, Administrator, Operator, Viewer}

// SecondStepRoles returns the roles whose people have to have a second step.
func (a *Auth) SecondStepRoles(ctx context.Context) ([]Role, error) {
	roles, err := a.store.SecondStepRoles(ctx)
	return roles, unavailable(err)
}

// RequireSecondStep makes people of these roles, and of no others, set up a second step
// before they can do anything else, from their next click on. Whether owners have to is for
// owners to say: what an administrator says about them is not heard.
func (a *Auth) RequireSecondStep(ctx context.Context, by User, roles []Role) error {
	if !by.ManagesPeople() {
		return fault.New(fault.Forbidden, "Only owners and administrators say who needs a second step.")
	}
	for _, role := range roles {
		if !role.Valid() {
			return fault.InField("roles", "Choose among the roles that there are.")
		}
	}
	if by.Role != Owner {
		now, err := a.store.SecondStepRoles(ctx)
		if err != nil {
			return unavailable(err)
		}
		roles = slices.DeleteFunc(slices.Clone(roles), func(r Role) bool { return r == Owner })
		if slices.Contains(now, Owner) {
			roles = append(roles, Owner)
		}
	}
	roles = slices.Compact(slices.Sorted(slices.Values(roles)))
	return unavailable(a.store.SetSecondStepRoles(ctx, roles))
}

// WithSecondStep returns of whom no second step has to be asked: true for those who have one
// here, false for those who come by single sign-on alone.
func (a *Auth) WithSecondStep(ctx context.Context) (map[int64]bool, error) {
	have, err := a.store.WithSecondStep(ctx)
	return have, unavailable(err)
}
