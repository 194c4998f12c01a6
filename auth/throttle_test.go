package auth_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

func TestThrottleOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		s.owner()
		b := s.browser()
		for i := range 5 {
			// Another account each time: it is the address that counts.
			wantKind(t, b.signIn(fmt.Sprintf("u%d@example.org", i), "wrong password"), fault.Unauthenticated)
		}
		err := b.signIn(email, password)
		wantKind(t, err, fault.Throttled)
		if !strings.Contains(err.Error(), "1 second.") {
			t.Errorf("the person reads %q", err)
		}
		other := s.browser()
		other.address = "192.0.2.2:4000"
		must(t, other.signIn(email, password))

		wait := time.Second
		for range 12 { // every failure doubles the wait, up to five minutes
			time.Sleep(wait - time.Millisecond)
			wantKind(t, b.signIn(email, "wrong password"), fault.Throttled)
			time.Sleep(time.Millisecond)
			wantKind(t, b.signIn(email, "wrong password"), fault.Unauthenticated)
			wait = min(2*wait, 5*time.Minute)
		}
		time.Sleep(5 * time.Minute)
		must(t, b.signIn(email, password))
		time.Sleep(15*time.Minute + time.Second)
		for range 5 {
			wantKind(t, b.signIn(email, "wrong password"), fault.Unauthenticated)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		b := s.browser()
		for range 5 {
			wantKind(t, b.signIn(email, "wrong password"), fault.Unauthenticated)
		}
		time.Sleep(time.Second)
		wantKind(t, b.signIn(email, "wrong password"), fault.Unauthenticated)
		time.Sleep(500 * time.Millisecond)
		if got := b.signInAnswer(email, password).Header().Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After %q, want 1.5 s rounded up", got)
		}
	})
}

// An attacker with many addresses slows an account down for strangers only, and for a
// minute at most.
func TestOwnerIsNotLockedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		s.owner()
		desk := s.browser()
		desk.address = "198.51.100.7:1"
		must(t, desk.signIn(email, password))
		n := 0
		attacker := func() error {
			n++
			b := s.browser()
			b.address = fmt.Sprintf("203.0.113.%d:1", n%250)
			return b.signIn(email, "wrong password")
		}
		for range 10 {
			wantKind(t, attacker(), fault.Unauthenticated)
		}
		wantKind(t, attacker(), fault.Throttled)
		for range 10 {
			time.Sleep(time.Minute)
			wantKind(t, attacker(), fault.Unauthenticated)
		}
		must(t, desk.signIn(email, password))

		time.Sleep(time.Minute)
		traveller := s.browser()
		traveller.address = "198.51.100.99:1"
		must(t, traveller.signIn(email, password))
	})
}

// Neighbours in one IPv6 network are one address.
func TestThrottleOfIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:3000")
		from := func(address string) error {
			b := s.browser()
			b.address = address
			return b.signIn("u"+address+"@example.org", "wrong password")
		}
		for i := range 5 {
			wantKind(t, from(fmt.Sprintf("[2001:db8::%d]:1", i)), fault.Unauthenticated)
		}
		wantKind(t, from("[2001:db8::ffff:1]:1"), fault.Throttled)
		wantKind(t, from("[2001:db8:0:1::1]:1"), fault.Unauthenticated)
	})
}
