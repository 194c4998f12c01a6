package auth_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/auth"
	"switchboard/fault"
)

func TestAddUserRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, "http://127.0.0.1:3000")
	good := auth.NewUser{Email: "bob@example.org", Name: "Bob", Role: auth.Operator, Password: password}
	with := func(change func(*auth.NewUser)) auth.NewUser { in := good; change(&in); return in }
	pass := func(p string) auth.NewUser { return with(func(u *auth.NewUser) { u.Password = p }) }
	mail := func(m string) auth.NewUser { return with(func(u *auth.NewUser) { u.Email = m }) }
	for name, c := range map[string]struct {
		in    auth.NewUser
		field string
	}{
		"no e-mail":         {mail(" "), "email"},
		"no at":             {mail("bob.example.org"), "email"},
		"a name with it":    {mail("Bob <bob@example.org>"), "email"},
		"two":               {mail("bob@example.org, eve@example.org"), "email"},
		"long e-mail":       {mail(strings.Repeat("b", 250) + "@example.org"), "email"},
		"line in e-mail":    {mail("bob@example.org\r\nBcc: eve@example.org"), "email"},
		"long name":         {with(func(u *auth.NewUser) { u.Name = strings.Repeat("ö", 81) }), "name"},
		"line in name":      {with(func(u *auth.NewUser) { u.Name = "Bob\x1b[31m" }), "name"},
		"no role":           {with(func(u *auth.NewUser) { u.Role = "" }), "role"},
		"made-up role":      {with(func(u *auth.NewUser) { u.Role = "god" }), "role"},
		"no password":       {pass(""), "password"},
		"short":             {pass("nine char"), "password"},
		"long password":     {pass(strings.Repeat("long", 300)), "password"},
		"not text":          {pass("violet \xff kettle"), "password"},
		"the e-mail":        {pass("Bob@Example.org"), "password"},
		"a common one":      {pass("Password2026!"), "password"},
		"another":           {pass("1q2w3e4r5t"), "password"},
		"repeated":          {pass("aaaaaaaaaaaa"), "password"},
		"repeated word":     {pass("adminadminadmin"), "password"},
		"counted":           {pass("1234567890"), "password"},
		"the product's own": {pass("switchboard"), "password"},
	} {
		_, err := s.AddUser(t.Context(), c.in)
		if fault.KindOf(err) != fault.Invalid || fault.FieldOf(err) != c.field {
			t.Errorf("%s: got %v in field %q, want an invalid %q", name, err, fault.FieldOf(err), c.field)
		}
	}
	_, err := s.AddUser(t.Context(), good)
	must(t, err)
	_, err = s.AddUser(t.Context(), mail(" BOB@example.org"))
	if fault.KindOf(err) != fault.Conflict || fault.FieldOf(err) != "email" {
		t.Errorf("a second Bob: %v", err)
	}
}

func TestListUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		s.owner()
		time.Sleep(time.Second)
		_, err := s.AddUser(t.Context(), auth.NewUser{Email: "zoe@example.org", Role: auth.Viewer, Password: password})
		must(t, err)
		must(t, s.browser().signIn(email, password))
		all, err := s.ListUsers(t.Context())
		must(t, err)
		if len(all) != 2 || all[0].Email != email || all[1].Name != "zoe" {
			t.Fatalf("the users are %+v", all)
		}
		if all[0].LastSeenAt.IsZero() || !all[1].LastSeenAt.IsZero() {
			t.Error("last seen is wrong")
		}
		if !all[0].MayChange() || !all[0].Viewer().All || all[1].MayChange() || all[1].Viewer().All {
			t.Error("an owner sees and changes everything, a viewer looks at their own")
		}
		wantKind(t, s.SetPassword(t.Context(), "nobody@example.org", password), fault.NotFound)
		wantKind(t, s.SetPassword(t.Context(), email, "short"), fault.Invalid)
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		ada := s.owner()
		s.add(auth.Viewer, "bob@example.org")
		token, secret, err := s.AddToken(t.Context(), email, auth.NewToken{Name: " backup ", Expires: time.Now().Add(time.Hour)})
		must(t, err)
		if !strings.HasPrefix(secret, "swb_") || token.Name != "backup" {
			t.Errorf("token %+v, secret of %d bytes", token, len(secret))
		}
		user, used, err := s.ByToken(t.Context(), secret)
		must(t, err)
		if user.ID != ada.ID || used.ID != token.ID || used.LastUsedAt.IsZero() {
			t.Errorf("the token is %s's: %+v", user.Email, used)
		}
		for _, bad := range []string{"", "swb_", secret + "a", secret[4:], strings.ToUpper(secret), "swb_" + strings.Repeat("a", 52)} {
			_, _, err := s.ByToken(t.Context(), bad)
			wantKind(t, err, fault.Unauthenticated)
		}
		time.Sleep(time.Hour)
		_, _, err = s.ByToken(t.Context(), secret)
		wantKind(t, err, fault.Unauthenticated)

		other, secret, err := s.AddToken(t.Context(), "bob@example.org", auth.NewToken{Name: "robot", Expires: time.Time{}})
		must(t, err)
		wantKind(t, s.RevokeTokenOf(t.Context(), ada, other.ID), fault.NotFound)
		_, _, err = s.ByToken(t.Context(), secret)
		must(t, err)
		must(t, s.RevokeToken(t.Context(), other.ID))
		must(t, s.RevokeToken(t.Context(), other.ID))
		_, _, err = s.ByToken(t.Context(), secret)
		wantKind(t, err, fault.Unauthenticated)
		wantKind(t, s.RevokeToken(t.Context(), "nosuchthing"), fault.NotFound)

		all, err := s.ListTokens(t.Context(), "")
		must(t, err)
		if len(all) != 2 || all[0].ID != token.ID || all[1].UserEmail != "bob@example.org" || all[1].RevokedAt.IsZero() {
			t.Errorf("all tokens: %+v", all)
		}
		bobs, err := s.ListTokens(t.Context(), "bob@example.org")
		must(t, err)
		if len(bobs) != 1 || bobs[0].ID != other.ID {
			t.Errorf("Bob's tokens: %+v", bobs)
		}
		_, _, err = s.AddToken(t.Context(), "nobody@example.org", auth.NewToken{Name: "x", Expires: time.Time{}})
		wantKind(t, err, fault.NotFound)
		_, _, err = s.AddToken(t.Context(), email, auth.NewToken{Name: " ", Expires: time.Time{}})
		wantKind(t, err, fault.Invalid)
		_, _, err = s.AddToken(t.Context(), email, auth.NewToken{Name: "x", Expires: time.Now()})
		wantKind(t, err, fault.Invalid)
	})
}

func TestOldHashIsRenewedAtSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "http://127.0.0.1:3000")
	ada := s.owner()
	// "password", with other parameters; see TestForeignHashIsOutdated.
	const old = "$argon2id$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo"
	must(t, s.store.SetPasswordHash(t.Context(), ada.ID, old, time.Now()))
	wantKind(t, s.browser().signIn(email, "passwort"), fault.Unauthenticated)
	hash := func() string {
		_, hash, err := s.store.UserByEmail(t.Context(), email)
		must(t, err)
		return hash
	}
	if hash() != old {
		t.Error("a refused sign-in changed the hash")
	}
	must(t, s.browser().signIn(email, "password"))
	if !strings.HasPrefix(hash(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is still %s", hash())
	}
	must(t, s.browser().signIn(email, "password"))
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t, "http://127.0.0.1:3000")
	s.owner()
	change := func(b *browser, current, password string) (err error) {
		b.send("POST", nil, func(w http.ResponseWriter, r *http.Request) { err = s.ChangePassword(w, r, current, password) })
		return err
	}
	wantKind(t, change(s.browser(), password, "another fine password"), fault.Unauthenticated)
	desk, phone := s.browser(), s.browser()
	must(t, desk.signIn(email, password))
	must(t, phone.signIn(email, password))
	wrong := change(desk, "not my password", "another fine password")
	if fault.KindOf(wrong) != fault.Invalid || fault.FieldOf(wrong) != "current" {
		t.Errorf("a wrong current password: %v", wrong)
	}
	wantKind(t, change(desk, password, "short"), fault.Invalid)
	must(t, change(desk, password, "another fine password"))
	if desk.who() != email || phone.who() != "" {
		t.Error("after the change this browser has to stay signed in, and every other not")
	}
	must(t, phone.signIn(email, "another fine password"))

	_, err := s.AddUser(t.Context(), auth.NewUser{Email: "demo@example.org", Role: auth.Owner, LinkOnly: true})
	must(t, err)
	token, err := s.SignInLink(t.Context(), "demo@example.org")
	must(t, err)
	demo := s.browser()
	demo.send("POST", nil, func(w http.ResponseWriter, r *http.Request) { must(t, s.SignInByLink(w, r, token)) })
	must(t, change(demo, "", password))
	must(t, s.browser().signIn("demo@example.org", password))
}
