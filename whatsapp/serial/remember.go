package serial

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// Each message that goes out has whatsmeow read and write anew, for every device it is for,
// the identity that it has read and written with the message before, and read a token that
// changes once in weeks: a third of what a send costs. It also reads the session that the
// message before has written. What is below remembers them.

// How much is remembered.
const (
	maxIdentities = 512
	maxTokens     = 256
	tokenTime     = 30 * time.Second
	maxSessions   = 32
	maxSession    = 8 << 10 // bytes
)

// kept are sessions as the latest send has written them, outside of any transaction that may
// be undone. Whoever writes one otherwise, or deletes it, has it forgotten before. All of that
// happens within the turn. The zero value keeps none yet.
type kept struct {
	mu       sync.Mutex
	sessions map[string][]byte
}

// all returns the sessions at addresses, nil unless every one is kept.
func (k *kept) all(addresses []string) map[string][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(addresses) == 0 || len(addresses) > len(k.sessions) {
		return nil
	}
	found := make(map[string][]byte, len(addresses))
	for _, a := range addresses {
		session, known := k.sessions[a]
		if !known {
			return nil
		}
		found[a] = session
	}
	return found
}

func (k *kept) keep(all map[string][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(all) > maxSessions {
		return
	}
	if k.sessions == nil || len(k.sessions)+len(all) > maxSessions {
		k.sessions = make(map[string][]byte, len(all))
	}
	for address, session := range all {
		if len(session) <= maxSession {
			k.sessions[address] = session
		}
	}
}

func (k *kept) forget(addresses ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range addresses {
		delete(k.sessions, a)
	}
}

func (k *kept) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.sessions)
}

// identities is a store of identities that a send neither reads nor writes when they are what
// a send has written before. A decryption, whose transaction may be undone, goes to the
// database as ever, and so does everything else.
type identities struct {
	store.IdentityStore
	guard *Guard

	mu      sync.Mutex
	written map[string][32]byte
}

// sends says whether ctx is that of a Send.
func (g *Guard) sends(ctx context.Context) bool {
	h := g.holdOf(ctx)
	return h != nil && !h.keep
}

func (i *identities) knows(address string, key [32]byte) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	known, found := i.written[address]
	return found && known == key
}

func (i *identities) forget(addresses ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(addresses) == 0 {
		clear(i.written)
	}
	for _, a := range addresses {
		delete(i.written, a)
	}
}

func (i *identities) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (trusted bool, err error) {
	if i.guard.sends(ctx) && i.knows(address, key) {
		return true, nil
	}
	err = i.guard.try(ctx, func() error {
		trusted, err = i.IdentityStore.IsTrustedIdentity(ctx, address, key)
		return err
	})
	return trusted, err
}

func (i *identities) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	sends := i.guard.sends(ctx)
	if sends && i.knows(address, key) {
		return nil
	}
	i.forget(address)
	put := func() error { return i.IdentityStore.PutIdentity(ctx, address, key) }
	if err := i.guard.try(ctx, put); err != nil || !sends {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.written == nil || len(i.written) >= maxIdentities {
		i.written = map[string][32]byte{}
	}
	i.written[address] = key
	return nil
}

func (i *identities) DeleteIdentity(ctx context.Context, address string) error {
	defer i.forget(address)
	i.forget(address)
	return i.IdentityStore.DeleteIdentity(ctx, address)
}

func (i *identities) DeleteAllIdentities(ctx context.Context, phone string) error {
	defer i.forget()
	i.forget()
	return i.IdentityStore.DeleteAllIdentities(ctx, phone)
}

// tokens is a store of privacy tokens that remembers for a moment what it has read.
type tokens struct {
	store.PrivacyTokenStore

	mu   sync.Mutex
	read map[types.JID]tokenRead
}

type tokenRead struct {
	token *store.PrivacyToken
	until time.Time
}

func (t *tokens) GetPrivacyToken(ctx context.Context, user types.JID) (*store.PrivacyToken, error) {
	user = user.ToNonAD()
	t.mu.Lock()
	r, found := t.read[user]
	t.mu.Unlock()
	if !found || time.Now().After(r.until) {
		token, err := t.PrivacyTokenStore.GetPrivacyToken(ctx, user)
		if err != nil {
			return nil, err
		}
		r = tokenRead{token, time.Now().Add(tokenTime)}
		t.mu.Lock()
		if t.read == nil || len(t.read) >= maxTokens {
			t.read = map[types.JID]tokenRead{}
		}
		t.read[user] = r
		t.mu.Unlock()
	}
	if r.token == nil {
		return nil, nil
	}
	own := *r.token
	return &own, nil
}

func (t *tokens) PutPrivacyTokens(ctx context.Context, all ...store.PrivacyToken) error {
	defer t.forget()
	return t.PrivacyTokenStore.PutPrivacyTokens(ctx, all...)
}

func (t *tokens) DeleteExpiredPrivacyTokens(ctx context.Context, cutoff time.Time) (int64, error) {
	defer t.forget()
	return t.PrivacyTokenStore.DeleteExpiredPrivacyTokens(ctx, cutoff)
}

func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.read)
}

// salts is a store of the account's salt for people who are written to without a token, read
// with each message to them, that remembers it for a moment.
type salts struct {
	store.NCTSaltStore

	mu    sync.Mutex
	round int // how often it was forgotten
	salt  []byte
	until time.Time
}

func (s *salts) GetNCTSalt(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	salt, until, round := s.salt, s.until, s.round
	s.mu.Unlock()
	if time.Now().Before(until) {
		return salt, nil
	}
	salt, err := s.NCTSaltStore.GetNCTSalt(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && round == s.round {
		s.salt, s.until = salt, time.Now().Add(tokenTime)
	}
	return salt, err
}

func (s *salts) PutNCTSalt(ctx context.Context, salt []byte) error {
	defer s.forget()
	return s.NCTSaltStore.PutNCTSalt(ctx, salt)
}

func (s *salts) DeleteNCTSalt(ctx context.Context) error {
	defer s.forget()
	return s.NCTSaltStore.DeleteNCTSalt(ctx)
}

func (s *salts) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.salt, s.until = nil, time.Time{}
	s.round++
}
