package store

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/fault"
)

var morning = time.Date(2026, 11, 23, 7, 0, 0, 123e6, time.UTC)

func person(id int64, email string, role auth.Role) auth.User {
	return auth.User{ID: id, Email: email, Name: "Zoë", Role: role, CreatedAt: morning.Add(time.Duration(id%1000) * time.Second)}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got %v, want a fault of kind %d", err, kind)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func TestPeople(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		const big = 1<<53 - 1
		ada, bob := person(big, "ada@example.org", auth.Owner), person(7, "bob@example.org", auth.Viewer)
		has, err := s.HasOwner(ctx)
		check(t, err)
		same(t, "owner of a new store", has, false)
		check(t, s.AddUser(ctx, bob, ""))
		check(t, s.AddUser(ctx, ada, "hash one"))
		err = s.AddUser(ctx, person(8, "ada@example.org", auth.Viewer), "")
		wantFault(t, err, fault.Conflict)
		same(t, "field of the conflict", fault.FieldOf(err), "email")

		list, err := s.Users(ctx)
		check(t, err)
		same(t, "users", list, []auth.User{bob, ada})
		has, err = s.HasOwner(ctx)
		check(t, err)
		same(t, "owner", has, true)
		got, hash, err := s.UserByEmail(ctx, "ada@example.org")
		check(t, err)
		same(t, "user", got, ada)
		same(t, "hash", hash, "hash one")
		_, _, err = s.UserByEmail(ctx, "eve@example.org")
		wantFault(t, err, fault.NotFound)

		check(t, s.Rehash(ctx, ada.ID, "another hash", "wrong"))
		check(t, s.Rehash(ctx, ada.ID, "hash one", "hash two"))
		_, hash, err = s.UserByEmail(ctx, "ada@example.org")
		check(t, err)
		same(t, "hash", hash, "hash two")
		wantFault(t, s.SetPasswordHash(ctx, 99, "hash", morning), fault.NotFound)
	})
}

func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ada, bob := person(1, "ada@example.org", auth.Owner), person(2, "bob@example.org", auth.Viewer)
		check(t, s.AddUser(ctx, ada, "hash"))
		check(t, s.AddUser(ctx, bob, "hash"))
		session := func(id string, user int64, at time.Time) auth.Session {
			return auth.Session{ID: id, UserID: user, CreatedAt: at, LastSeenAt: at, ExpiresAt: at.Add(time.Hour), UserAgent: "Ü/1", Address: "2001:db8::1"}
		}
		desk, phone := session("desk", 1, morning), session("phone", 1, morning.Add(time.Minute))
		for _, one := range []auth.Session{desk, phone, session("bobs", 2, morning)} {
			check(t, s.AddSession(ctx, "hash of "+one.ID, one))
		}
		got, user, err := s.SessionByHash(ctx, "hash of desk", morning)
		check(t, err)
		ada.LastSeenAt = phone.LastSeenAt
		same(t, "session", got, desk)
		same(t, "its person", user, ada)
		_, _, err = s.SessionByHash(ctx, "hash of nothing", morning)
		wantFault(t, err, fault.NotFound)
		_, _, err = s.SessionByHash(ctx, "hash of desk", desk.ExpiresAt)
		wantFault(t, err, fault.NotFound)

		desk.LastSeenAt, desk.ExpiresAt, desk.Address = morning.Add(time.Hour/2), morning.Add(2*time.Hour), "192.0.2.1"
		check(t, s.TouchSession(ctx, desk))
		list, err := s.SessionsOf(ctx, 1, morning)
		check(t, err)
		same(t, "sessions", list, []auth.Session{desk, phone})
		_, user, err = s.SessionByHash(ctx, "hash of desk", morning)
		check(t, err)
		same(t, "last seen", user.LastSeenAt, desk.LastSeenAt)

		wantFault(t, s.RevokeSession(ctx, 2, "desk", morning), fault.NotFound)
		check(t, s.RevokeSession(ctx, 1, "desk", morning))
		wantFault(t, s.RevokeSession(ctx, 1, "desk", morning), fault.NotFound)
		_, _, err = s.SessionByHash(ctx, "hash of desk", morning)
		wantFault(t, err, fault.NotFound)

		known := func(email, address string, want bool) {
			t.Helper()
			got, err := s.KnownAddress(ctx, email, address)
			check(t, err)
			same(t, email+" at "+address, got, want)
		}
		known("ada@example.org", "192.0.2.1", true) // of a revoked session
		known("ada@example.org", "192.0.2.9", false)
		known("bob@example.org", "192.0.2.1", false)

		check(t, s.SetPasswordHash(ctx, 1, "new hash", morning))
		list, err = s.SessionsOf(ctx, 1, morning)
		check(t, err)
		same(t, "sessions after a new password", len(list), 0)
		list, err = s.SessionsOf(ctx, 2, morning)
		check(t, err)
		same(t, "somebody else's sessions", len(list), 1)

		// A quarter later the old ones are forgotten when the next one begins.
		check(t, s.AddSession(ctx, "hash of late", session("late", 1, morning.Add(100*24*time.Hour))))
		known("ada@example.org", "192.0.2.1", false)
		known("ada@example.org", "2001:db8::1", true)
	})
}

func TestLinks(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		good := func(hash string, want bool) {
			t.Helper()
			got, err := s.IsSetupLink(ctx, hash)
			check(t, err)
			same(t, "setup link "+hash, got, want)
		}
		check(t, s.ReplaceSetupLink(ctx, "one"))
		check(t, s.ReplaceSetupLink(ctx, "two"))
		good("one", false)
		good("two", true)
		ada := person(1, "ada@example.org", auth.Owner)
		wantFault(t, s.AddOwner(ctx, "one", ada, "hash"), fault.NotFound)
		check(t, s.AddUser(ctx, person(2, "bob@example.org", auth.Viewer), ""))
		wantFault(t, s.AddOwner(ctx, "two", person(1, "bob@example.org", auth.Owner), "hash"), fault.Conflict)
		good("two", true) // a failure uses nothing up
		check(t, s.AddOwner(ctx, "two", ada, "hash"))
		good("two", false)
		wantFault(t, s.AddOwner(ctx, "two", person(3, "eve@example.org", auth.Owner), "hash"), fault.NotFound)

		check(t, s.AddSignInLink(ctx, "first", 1, auth.LinkSignIn, morning.Add(time.Hour)))
		check(t, s.AddSignInLink(ctx, "second", 1, auth.LinkSignIn, morning.Add(time.Hour)))
		check(t, s.AddSignInLink(ctx, "bobs", 2, auth.LinkSignIn, morning.Add(time.Hour)))
		_, err := s.SignInLink(ctx, "first", auth.LinkSignIn, morning)
		wantFault(t, err, fault.NotFound)
		_, err = s.UseSignInLink(ctx, "second", auth.LinkSignIn, morning.Add(time.Hour))
		wantFault(t, err, fault.NotFound)
		for _, use := range []func() (auth.User, error){
			func() (auth.User, error) { return s.SignInLink(ctx, "second", auth.LinkSignIn, morning) },
			func() (auth.User, error) { return s.UseSignInLink(ctx, "second", auth.LinkSignIn, morning) },
		} {
			got, err := use()
			check(t, err)
			same(t, "person of the link", got, ada)
		}
		_, err = s.UseSignInLink(ctx, "second", auth.LinkSignIn, morning)
		wantFault(t, err, fault.NotFound)
		_, err = s.UseSignInLink(ctx, "bobs", auth.LinkSignIn, morning)
		check(t, err)
	})
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ada := person(1, "ada@example.org", auth.Owner)
		check(t, s.AddUser(ctx, ada, ""))
		check(t, s.AddUser(ctx, person(2, "bob@example.org", auth.Viewer), ""))
		one := auth.Token{ID: "one", UserID: 1, UserEmail: ada.Email, Name: "robot", CreatedAt: morning, ExpiresAt: morning.Add(time.Hour)}
		two := auth.Token{ID: "two", UserID: 2, UserEmail: "bob@example.org", Name: "robot", CreatedAt: morning.Add(time.Second)}
		check(t, s.AddToken(ctx, "hash of two", two))
		check(t, s.AddToken(ctx, "hash of one", one))
		got, user, err := s.TokenByHash(ctx, "hash of one")
		check(t, err)
		same(t, "token", got, one)
		same(t, "its person", user, ada)
		_, _, err = s.TokenByHash(ctx, strings.Repeat("0", 64))
		wantFault(t, err, fault.NotFound)

		one.LastUsedAt = morning.Add(time.Minute)
		check(t, s.TouchToken(ctx, "one", one.LastUsedAt))
		wantFault(t, s.RevokeToken(ctx, 2, "one", morning), fault.NotFound)
		wantFault(t, s.RevokeToken(ctx, 0, "three", morning), fault.NotFound)
		check(t, s.RevokeToken(ctx, 1, "one", morning))
		check(t, s.RevokeToken(ctx, 0, "one", morning.Add(time.Hour)))
		one.RevokedAt = morning
		list, err := s.Tokens(ctx, 0)
		check(t, err)
		same(t, "all tokens", list, []auth.Token{one, two})
		list, err = s.Tokens(ctx, 2)
		check(t, err)
		same(t, "Bob's tokens", list, []auth.Token{two})
	})
}
