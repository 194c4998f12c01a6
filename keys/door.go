package keys

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"switchboard/instances"
	"switchboard/settings"
)

const touchEvery = time.Minute // how exact the last use of a key is

// Door lets in who carries one of a number's keys. It is safe for concurrent use.
type Door struct {
	id     instances.ID
	refuse func(w http.ResponseWriter, status int, code, message string)
	note   func(key string, at time.Time)

	mu   sync.Mutex
	keys []settings.Key
	used map[string]time.Time // by id of the key
}

// Options of a door. All are needed.
type Options struct {
	ID instances.ID // the number's, which is the user name
	// Refuse answers who is not let in.
	Refuse func(w http.ResponseWriter, status int, code, message string)
	Used   map[string]time.Time           // when each key was last used, as it was noted
	Note   func(key string, at time.Time) // notes that a key is used, once a minute
}

// NewDoor returns a closed door of a number.
func NewDoor(o Options) *Door {
	return &Door{id: o.ID, refuse: o.Refuse, note: o.Note, used: maps.Clone(o.Used)}
}

// Apply opens the door for the keys in the settings, and for no others.
func (d *Door) Apply(s settings.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = s.Keys
	maps.DeleteFunc(d.used, func(id string, _ time.Time) bool {
		return !slices.ContainsFunc(d.keys, func(k settings.Key) bool { return k.ID == id })
	})
}

// Used returns when each key was last used, to the minute; nil if none was.
func (d *Door) Used() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.used) == 0 {
		return nil
	}
	return maps.Clone(d.used)
}

// Guard puts the door before next. scope says what a request needs.
func (d *Door) Guard(scope func(*http.Request) Scope, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, fresh, ok := d.open(r)
		if fresh {
			d.note(key.ID, time.Now().Truncate(time.Second))
		}
		if !ok {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", string(d.id)))
			d.refuse(w, http.StatusUnauthorized, "AUTHENTICATION_ERROR",
				"This number's API needs a key of this number: Basic authentication with the user name "+string(d.id)+" and the key as the password, or Authorization: Bearer and the key. Keys are made on the number's page.")
			return
		}
		if need := scope(r); !May(key, need) {
			d.refuse(w, http.StatusForbidden, "FORBIDDEN", "This key does not have the scope "+string(need)+", which this operation needs.")
			return
		}
		r.Header.Del("Authorization") // nobody behind the door has to know it
		next.ServeHTTP(w, r)
	})
}

// open finds the key that a request carries, and whether its use is to be noted. How long it
// takes tells nothing about the keys but their count.
func (d *Door) open(r *http.Request) (key settings.Key, fresh, ok bool) {
	user, secret, basic := r.BasicAuth()
	if !basic {
		scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return key, false, false
		}
		user, secret = string(d.id), strings.TrimSpace(bearer)
	}
	sent := []byte(hash(secret))
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.keys {
		if subtle.ConstantTimeCompare([]byte(k.Hash), sent) == 1 && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt)) {
			key, ok = k, true
		}
	}
	ok = ok && user == string(d.id)
	if fresh = ok && now.Sub(d.used[key.ID]) >= touchEvery; fresh {
		if d.used == nil {
			d.used = map[string]time.Time{}
		}
		d.used[key.ID] = now.UTC().Truncate(time.Second)
	}
	return key, fresh, ok
}
