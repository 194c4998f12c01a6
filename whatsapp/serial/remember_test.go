package serial

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// counting is what is in the database, and how often it is asked.
type counting struct {
	store.IdentityStore
	store.PrivacyTokenStore
	keys          map[string][32]byte
	token         *store.PrivacyToken
	reads, writes int
}

func (c *counting) PutIdentity(_ context.Context, address string, key [32]byte) error {
	c.writes++
	c.keys[address] = key
	return nil
}

func (c *counting) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	c.reads++
	known, found := c.keys[address]
	return !found || known == key, nil
}

func (c *counting) DeleteAllIdentities(context.Context, string) error {
	clear(c.keys)
	return nil
}

func (c *counting) GetPrivacyToken(context.Context, types.JID) (*store.PrivacyToken, error) {
	c.reads++
	return c.token, nil
}

func (c *counting) PutPrivacyTokens(_ context.Context, all ...store.PrivacyToken) error {
	c.token = &all[0]
	return nil
}

func TestIdentitiesAreWrittenOnceBySends(t *testing.T) {
	t.Parallel()
	g := &Guard{turn: make(chan struct{}, 1)}
	c := &counting{keys: map[string][32]byte{}}
	i := &identities{IdentityStore: c, guard: g}
	ours, theirs := [32]byte{1}, [32]byte{2}
	send := func(key [32]byte) (trusted bool) {
		t.Helper()
		err := g.Send(t.Context(), types.EmptyJID, func(ctx context.Context) (err error) {
			if err = i.PutIdentity(ctx, "a", key); err == nil {
				trusted, err = i.IsTrustedIdentity(ctx, "a", key)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return trusted
	}
	for range 5 {
		if !send(ours) {
			t.Fatal("not trusted")
		}
	}
	if c.writes != 1 || c.reads != 0 {
		t.Errorf("%d writes and %d reads", c.writes, c.reads)
	}
	// Another key is looked up, and one that came otherwise, in a transaction that may be
	// undone, makes the next send look again.
	if trusted, _ := i.IsTrustedIdentity(t.Context(), "a", theirs); trusted || c.reads != 1 {
		t.Errorf("another key is trusted: %v after %d reads", trusted, c.reads)
	}
	if err := i.PutIdentity(t.Context(), "a", theirs); err != nil {
		t.Fatal(err)
	}
	c.keys["a"] = ours // undone
	if send(ours); c.writes != 3 {
		t.Errorf("%d writes", c.writes)
	}
	if err := i.DeleteAllIdentities(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if send(ours); c.writes != 4 {
		t.Errorf("after a deletion: %d writes", c.writes)
	}
}

func TestTokensAreReadNowAndThen(t *testing.T) {
	t.Parallel()
	c := &counting{}
	k := &tokens{PrivacyTokenStore: c}
	user := types.NewJID("4917", types.DefaultUserServer)
	get := func() *store.PrivacyToken {
		t.Helper()
		token, err := k.GetPrivacyToken(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for range 3 {
		if get() != nil {
			t.Fatal("a token came from nowhere")
		}
	}
	if err := k.PutPrivacyTokens(t.Context(), store.PrivacyToken{User: user, Token: []byte{1}, Timestamp: time.Now()}); err != nil {
		t.Fatal(err)
	}
	get().Token = nil // somebody else's copy
	if got := get(); got == nil || len(got.Token) != 1 || c.reads != 2 {
		t.Errorf("got %+v after %d reads", got, c.reads)
	}
}

// grain is the salt in the database.
type grain struct {
	salt  []byte
	reads int
}

func (g *grain) GetNCTSalt(context.Context) ([]byte, error)      { g.reads++; return g.salt, nil }
func (g *grain) PutNCTSalt(_ context.Context, salt []byte) error { g.salt = salt; return nil }
func (g *grain) DeleteNCTSalt(context.Context) error             { g.salt = nil; return nil }

func TestTheSaltIsReadNowAndThen(t *testing.T) {
	t.Parallel()
	g := &grain{}
	s := &salts{NCTSaltStore: g}
	for n, change := range []func(context.Context) error{
		func(context.Context) error { return nil },
		func(ctx context.Context) error { return s.PutNCTSalt(ctx, []byte{1}) },
		s.DeleteNCTSalt,
	} {
		if err := change(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if salt, err := s.GetNCTSalt(t.Context()); err != nil || string(salt) != string(g.salt) || g.reads != n+1 {
				t.Errorf("got %v after %d reads, %v", salt, g.reads, err)
			}
		}
	}
}
