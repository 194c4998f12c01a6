package store

import (
	"sync"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
)

func TestGrants(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		check(t, s.AddUser(ctx, person(1, "ada@example.org", auth.Operator), ""))
		sales := auth.Group{ID: "g1", Name: "Sales", Numbers: []instances.ID{"b", "c"}}
		check(t, s.SaveGroup(ctx, sales, true))
		check(t, s.SaveGroup(ctx, auth.Group{ID: "g2", Name: "Empty"}, true))
		wantFault(t, s.SaveGroup(ctx, auth.Group{ID: "g3", Name: "SALES"}, true), fault.Conflict)
		wantFault(t, s.SaveGroup(ctx, auth.Group{ID: "none", Name: "x"}, false), fault.NotFound)
		all, err := s.Groups(ctx)
		check(t, err)
		same(t, "groups", all, []auth.Group{{ID: "g2", Name: "Empty"}, sales})

		check(t, s.SetGrant(ctx, 1, auth.Grant{Numbers: []instances.ID{"a", "b"}, Groups: []string{"g1", "unknown"}}))
		grant, err := s.GrantOf(ctx, 1)
		check(t, err)
		same(t, "grant", grant, auth.Grant{Numbers: []instances.ID{"a", "b"}, Groups: []string{"g1"}})
		reach := func(want ...instances.ID) {
			t.Helper()
			got, err := s.NumbersOf(ctx, 1)
			check(t, err)
			same(t, "numbers", got, want)
		}
		reach("a", "b", "c")
		sales.Numbers = []instances.ID{"d"}
		check(t, s.SaveGroup(ctx, sales, false))
		reach("a", "b", "d")
		check(t, s.RemoveInstance(ctx, "d"))
		check(t, s.RemoveInstance(ctx, "a"))
		reach("b")
		check(t, s.RemoveGroup(ctx, "g1"))
		wantFault(t, s.RemoveGroup(ctx, "g1"), fault.NotFound)
		check(t, s.SetGrant(ctx, 1, auth.Grant{All: true}))
		ada, err := s.UserByID(ctx, 1)
		check(t, err)
		same(t, "all numbers", ada.AllNumbers, true)
		wantFault(t, s.SetGrant(ctx, 2, auth.Grant{}), fault.NotFound)
	})
}

func TestTheLastOwnerStays(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ada, bob := person(1, "ada@example.org", auth.Owner), person(2, "bob@example.org", auth.Owner)
		check(t, s.AddUser(ctx, ada, ""))
		demoted, disabled := ada, ada
		demoted.Role, disabled.DisabledAt = auth.Administrator, morning
		alone := func() {
			t.Helper()
			wantFault(t, s.SaveUser(ctx, demoted), fault.Conflict)
			wantFault(t, s.SaveUser(ctx, disabled), fault.Conflict)
			wantFault(t, s.RemoveUser(ctx, 1), fault.Conflict)
		}
		alone()
		bobOff := bob
		bobOff.DisabledAt = morning
		check(t, s.AddUser(ctx, bob, ""))
		check(t, s.SaveUser(ctx, bobOff))
		alone() // an owner who cannot get in is none
		check(t, s.SaveUser(ctx, bob))

		// Two owners who remove each other at the same moment leave one.
		var both sync.WaitGroup
		var failed [2]error
		for i, id := range []int64{1, 2} {
			both.Go(func() { failed[i] = s.RemoveUser(ctx, id) })
		}
		both.Wait()
		if (failed[0] == nil) == (failed[1] == nil) {
			t.Errorf("removed: %v and %v", failed[0], failed[1])
		}
		has, err := s.HasOwner(ctx)
		check(t, err)
		same(t, "an owner is left", has, true)
	})
}

func TestWhoIsDisabledIsOut(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		check(t, s.AddUser(ctx, person(1, "ada@example.org", auth.Owner), ""))
		bob := person(2, "bob@example.org", auth.Operator)
		check(t, s.AddUser(ctx, bob, ""))
		check(t, s.AddSession(ctx, "hash", auth.Session{ID: "s", UserID: 2, CreatedAt: morning, LastSeenAt: morning, ExpiresAt: morning.Add(time.Hour)}))
		check(t, s.AddSignInLink(ctx, "link", 2, auth.LinkPassword, morning.Add(time.Hour)))
		bob.DisabledAt = morning
		check(t, s.SaveUser(ctx, bob))
		_, _, err := s.SessionByHash(ctx, "hash", morning)
		wantFault(t, err, fault.NotFound)
		_, err = s.SignInLink(ctx, "link", auth.LinkPassword, morning)
		wantFault(t, err, fault.NotFound)
		bob.DisabledAt = time.Time{}
		check(t, s.SaveUser(ctx, bob))
		_, _, err = s.SessionByHash(ctx, "hash", morning)
		wantFault(t, err, fault.NotFound) // it does not come back
	})
}
