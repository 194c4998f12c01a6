package store

import (
	"testing"
	"time"

	"switchboard/auth"
)

// Of people who come by single sign-on alone no second step is asked; of those who have a password as well, it is.
func TestWhoLacksASecondStep(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now()
		people := []struct {
			name, password string
			identity       bool
		}{{"password", "x", false}, {"both", "x", true}, {"provider", "", true}, {"link", "", false}}
		for i, p := range people {
			id := int64(i + 1)
			check(t, s.AddUser(ctx, auth.User{ID: id, Email: p.name + "@example.com", Name: p.name, Role: auth.Operator, CreatedAt: now}, p.password))
			check(t, s.AddSession(ctx, p.name, auth.Session{ID: p.name, UserID: id, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour)}))
			if p.identity {
				check(t, s.AddIdentity(ctx, "https://login.example.com", p.name, id))
			}
		}
		lack := func(want ...string) {
			t.Helper()
			got := ""
			for _, p := range people {
				session, _, err := s.SessionByHash(ctx, p.name, now)
				check(t, err)
				if session.LacksSecondStep {
					got += p.name + " "
				}
			}
			expected := ""
			for _, w := range want {
				expected += w + " "
			}
			if got != expected {
				t.Errorf("%s lack one, want %s", got, expected)
			}
		}
		lack()
		check(t, s.SetSecondStepRoles(ctx, []auth.Role{auth.Operator, auth.Viewer}))
		lack("password", "both", "link")
		check(t, s.SaveTOTP(ctx, 1, []byte("x")))
		lack("password", "both", "link")
		check(t, s.ConfirmTOTP(ctx, 1, 1, now))
		check(t, s.AddPasskey(ctx, auth.Passkey{ID: "key", UserID: 2, Name: "Key", Credential: "{}", CreatedAt: now}))
		lack("link")
		have, err := s.WithSecondStep(ctx)
		provider, listed := have[3]
		if err != nil || len(have) != 3 || !have[1] || !have[2] || provider || !listed {
			t.Errorf("%v, %v", have, err)
		}
		check(t, s.SetSecondStepRoles(ctx, []auth.Role{auth.Owner}))
		lack()
	})
}
