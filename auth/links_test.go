package auth_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/auth"
	"switchboard/fault"
)

func (b *browser) createOwner(token, name, email, password string) (err error) {
	b.site.t.Helper()
	b.send("POST", nil, func(w http.ResponseWriter, r *http.Request) {
		err = b.site.CreateOwner(w, r, token, name, email, password)
	})
	return err
}

func TestSetup(t *testing.T) {
	t.Parallel()
	s := newSite(t, "http://127.0.0.1:3000")
	open, err := s.SetupOpen(t.Context())
	must(t, err)
	if !open {
		t.Fatal("a new installation is not open for setup")
	}
	first, err := s.SetupLink(t.Context())
	must(t, err)
	must(t, s.CheckSetup(t.Context(), first))
	second, err := s.SetupLink(t.Context())
	must(t, err)
	wantKind(t, s.CheckSetup(t.Context(), first), fault.NotFound)
	wantKind(t, s.CheckSetup(t.Context(), ""), fault.NotFound)

	b := s.browser()
	wantKind(t, b.createOwner(first, "Ada", email, password), fault.NotFound)
	bad := b.createOwner(second, "Ada\x00Lovelace", "ada", "short")
	wantKind(t, bad, fault.Invalid)
	fields := map[string]bool{}
	for _, f := range fault.Fields(bad) {
		fields[f.Field] = true
	}
	if !fields["name"] || !fields["email"] || !fields["password"] || len(fields) != 3 {
		t.Errorf("the bad fields are %v", fields)
	}
	must(t, s.CheckSetup(t.Context(), second)) // bad input has not used it up

	must(t, b.createOwner(second, "Ada", email, password))
	if b.who() != email {
		t.Error("the new owner is not signed in")
	}
	wantKind(t, b.createOwner(second, "Eve", "eve@example.org", password), fault.NotFound)
	if again, err := s.SetupLink(t.Context()); err != nil || again != "" {
		t.Errorf("setup is open although there is an owner: %q, %v", again, err)
	}
}

func TestOneOwnerOfManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "http://127.0.0.1:3000")
	token, err := s.SetupLink(t.Context())
	must(t, err)
	var wg sync.WaitGroup
	results := make(chan error, 4)
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() { results <- s.browser().createOwner(token, name, name+"@example.org", password) })
	}
	wg.Wait()
	close(results)
	made := 0
	for err := range results {
		if err == nil {
			made++
		} else {
			wantKind(t, err, fault.NotFound)
		}
	}
	if made != 1 {
		t.Errorf("%d owners were made", made)
	}
}

func TestOwnerFromTheCommandLineClosesSetup(t *testing.T) {
	t.Parallel()
	s := newSite(t, "http://127.0.0.1:3000")
	token, err := s.SetupLink(t.Context())
	must(t, err)
	s.owner()
	wantKind(t, s.CheckSetup(t.Context(), token), fault.NotFound)
	wantKind(t, s.browser().createOwner(token, "Eve", "eve@example.org", password), fault.NotFound)
}

func TestSignInLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		_, err := s.AddUser(t.Context(), auth.NewUser{Email: email, Role: auth.Owner, LinkOnly: true})
		must(t, err)
		wantKind(t, s.browser().signIn(email, password), fault.Unauthenticated)
		_, err = s.SignInLink(t.Context(), "nobody@example.org")
		wantKind(t, err, fault.NotFound)

		open := func(b *browser, token string) (err error) {
			b.send("POST", nil, func(w http.ResponseWriter, r *http.Request) { err = s.SignInByLink(w, r, token) })
			return err
		}
		first, err := s.SignInLink(t.Context(), email)
		must(t, err)
		token, err := s.SignInLink(t.Context(), email)
		must(t, err)
		wantKind(t, open(s.browser(), first), fault.NotFound)
		for range 3 { // previews
			must(t, s.CheckSignInLink(t.Context(), token))
		}
		b := s.browser()
		must(t, open(b, token))
		if b.who() != email {
			t.Error("the link has not signed in")
		}
		wantKind(t, s.CheckSignInLink(t.Context(), token), fault.NotFound)
		wantKind(t, open(s.browser(), token), fault.NotFound)

		late, err := s.SignInLink(t.Context(), email)
		must(t, err)
		time.Sleep(15*time.Minute + time.Second)
		wantKind(t, s.CheckSignInLink(t.Context(), late), fault.NotFound)
		wantKind(t, open(s.browser(), late), fault.NotFound)

		revoked, err := s.SignInLink(t.Context(), email)
		must(t, err)
		must(t, s.SetPassword(t.Context(), email, password))
		wantKind(t, open(s.browser(), revoked), fault.NotFound)
	})
}
