package keys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
)

// Prefix begins every key, so that people and scanners recognise one.
const Prefix = "swk_"

const (
	longestName = 80
	mostKeys    = 50 // of one number
)

// Settings is where keys are kept; *settings.Keeper is one.
type Settings interface {
	Get(ctx context.Context, id instances.ID) (settings.Settings, error)
	Update(ctx context.Context, id instances.ID, change func(*settings.Settings) error) error
}

// Ring makes and revokes the keys of numbers. Whether whoever asks may see the number is to
// be found out before.
type Ring struct{ Settings Settings }

// New is what a key is made from.
type New struct {
	Name    string
	Scopes  []Scope   // none means all
	Expires time.Time // zero: never
}

// List returns a number's keys, oldest first.
func (r Ring) List(ctx context.Context, id instances.ID) ([]settings.Key, error) {
	s, err := r.Settings.Get(ctx, id)
	return s.Keys, err
}

// Add makes a key. secret is what the program sends; it is not kept and cannot be had again.
func (r Ring) Add(ctx context.Context, id instances.ID, in New) (key settings.Key, secret string, err error) {
	name := strings.Join(strings.Fields(in.Name), " ")
	switch {
	case name == "":
		return key, "", fault.InField("name", "Give the key a name that says which program uses it.")
	case !utf8.ValidString(name) || strings.IndexFunc(name, unicode.IsControl) >= 0 || utf8.RuneCountInString(name) > longestName:
		return key, "", fault.InField("name", "The name of a key has 80 characters at most, all of them printable.")
	case !in.Expires.IsZero() && !in.Expires.After(time.Now()):
		return key, "", fault.InField("expires_at", "The key would have expired already. Choose a time to come.")
	}
	key = settings.Key{ID: strings.ToLower(rand.Text()[:12]), Name: name, CreatedAt: time.Now().UTC().Truncate(time.Second), ExpiresAt: in.Expires}
	for _, scope := range Scopes {
		if slices.Contains(in.Scopes, scope) {
			key.Scopes = append(key.Scopes, string(scope))
		}
	}
	for _, scope := range in.Scopes {
		if !scope.Valid() {
			return key, "", fault.InField("scopes", "The scopes are read, send and manage.")
		}
	}
	if len(key.Scopes) == len(Scopes) {
		key.Scopes = nil
	}
	secret = Prefix + rand.Text() + rand.Text()
	key.Hash = hash(secret)
	return key, secret, r.Settings.Update(ctx, id, func(s *settings.Settings) error {
		if len(s.Keys) >= mostKeys {
			return fault.New(fault.Conflict, "This number has 50 keys, which is the most. Revoke one that is not used any more.")
		}
		s.Keys = append(slices.Clip(s.Keys), key)
		return nil
	})
}

// Revoke takes a key away. The worker refuses it as soon as it has heard, which is at once
// while it runs. An unknown one is a fault.NotFound.
func (r Ring) Revoke(ctx context.Context, id instances.ID, key string) error {
	return r.Settings.Update(ctx, id, func(s *settings.Settings) error {
		n := slices.IndexFunc(s.Keys, func(k settings.Key) bool { return k.ID == key })
		if n < 0 {
			return fault.New(fault.NotFound, "This number has no such key. It may have been revoked already.")
		}
		s.Keys = slices.Concat(s.Keys[:n], s.Keys[n+1:])
		return nil
	})
}

// May reports whether a key has a scope.
func May(k settings.Key, scope Scope) bool {
	return len(k.Scopes) == 0 || slices.Contains(k.Scopes, string(scope))
}

// hash is what is kept of a secret. Secrets are random and long, so there is nothing that a
// slow hash would protect.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
