package auth

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"switchboard/fault"
)

// limit says how many attempts are free and how long the wait becomes after that.
type limit struct {
	free    int
	longest time.Duration
}

var (
	// One address may be an office, but guessing is slow from anywhere: 288 attempts a day.
	perAddress = limit{free: 5, longest: 5 * time.Minute}
	// One account may be guessed at from many addresses at once. Addresses it has signed in
	// from before do not count here, nor wait: the owner at their own desk is never locked
	// out by somebody else, and from a new place waits a minute at most.
	perAccount = limit{free: 10, longest: time.Minute}
)

const (
	forgetAfter  = 15 * time.Minute // without another failure
	mostSubjects = 10_000           // about 1 MB; the longest quiet one makes room
)

// throttle makes every failed attempt to sign in slower than the one before. It lives in
// memory: a restart forgives, which costs an attacker's patience less than a table costs us.
type throttle struct {
	mu       sync.Mutex
	subjects map[subject]*record
}

// subject is who is counted: a hash, so that nobody's long input takes memory.
type subject [sha256.Size]byte

type record struct {
	failures int
	last     time.Time
	until    time.Time
}

// attempt is one try that was let through. It counts as failed until it is forgiven, so
// that many at the same moment cannot all slip through.
type attempt struct {
	limits map[subject]limit
}

func newThrottle() *throttle { return &throttle{subjects: map[subject]*record{}} }

func newAttempt() attempt { return attempt{limits: map[subject]limit{}} }

func (a attempt) from(address string) {
	a.limits[sha256.Sum256([]byte("address "+network(address)))] = perAddress
}

func (a attempt) at(account string) { a.limits[sha256.Sum256([]byte("account "+account))] = perAccount }

// atSecond counts guesses at a person's second factor.
func (a attempt) atSecond(user int64) {
	a.limits[sha256.Sum256(fmt.Appendf(nil, "second %d", user))] = perSecond
}

// begin counts a, or returns how long it has to wait and counts nothing.
func (t *throttle) begin(a attempt, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range a.limits {
		if r := t.subjects[s]; r != nil {
			wait = max(wait, r.until.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	for s, l := range a.limits {
		r := t.subjects[s]
		if r == nil {
			t.makeRoom(now)
			r = &record{}
			t.subjects[s] = r
		} else if now.Sub(r.last) > forgetAfter {
			*r = record{}
		}
		r.failures++
		r.last = now
		r.until = now.Add(l.delay(r.failures))
	}
	return 0
}

// forgive takes a back: it was no failure after all.
func (t *throttle) forgive(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range a.limits {
		if r := t.subjects[s]; r != nil {
			r.failures--
			r.until = time.Time{}
			if r.failures <= 0 {
				delete(t.subjects, s)
			}
		}
	}
}

// network returns what one customer of a provider has: an IPv4 address, or 64 bits of IPv6.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// delay is one second after the last free failure, and doubles with every further one.
func (l limit) delay(failures int) time.Duration {
	beyond := failures - l.free
	if beyond < 0 {
		return 0
	}
	return min(time.Second<<min(beyond, 20), l.longest)
}

func (t *throttle) makeRoom(now time.Time) {
	if len(t.subjects) < mostSubjects {
		return
	}
	var quietest subject
	var since time.Time
	for s, r := range t.subjects {
		if now.Sub(r.last) > forgetAfter {
			delete(t.subjects, s)
		} else if since.IsZero() || r.last.Before(since) {
			quietest, since = s, r.last
		}
	}
	if len(t.subjects) >= mostSubjects {
		delete(t.subjects, quietest)
	}
}

// tooMany says how long to wait, rounded up, in the words and units of a person.
func tooMany(seconds int) error {
	unit, n := "second", seconds
	if seconds > 90 {
		unit, n = "minute", (seconds+59)/60
	}
	if n != 1 {
		unit += "s"
	}
	return fault.New(fault.Throttled, fmt.Sprintf("There were too many attempts. Please try again in %d %s.", n, unit))
}
