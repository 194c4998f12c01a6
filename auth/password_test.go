package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/fault"
)

func TestHash(t *testing.T) {
	t.Parallel()
	h := newHasher()
	hash, err := h.hash(t.Context(), "violet kettle harbour")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", hash)
	}
	if again, err := h.hash(t.Context(), "violet kettle harbour"); err != nil || again == hash {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	for password, want := range map[string]bool{"violet kettle harbour": true, "Violet kettle harbour": false, "": false} {
		ok, outdated, err := h.verify(t.Context(), hash, password)
		if err != nil || ok != want || outdated {
			t.Errorf("%q: %v, outdated %v, %v", password, ok, outdated, err)
		}
	}
	if ok, _, err := h.verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("nobody's password was accepted: %v, %v", ok, err)
	}
}

// The reference implementation's own vector, made with: echo -n password | argon2 somesalt
// -id -t 2 -m 16 -p 4 -l 32
func TestForeignHashIsOutdated(t *testing.T) {
	t.Parallel()
	const vector = "$argon2id$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo"
	ok, outdated, err := newHasher().verify(t.Context(), vector, "password")
	if err != nil || !ok || !outdated {
		t.Errorf("%v, outdated %v, %v", ok, outdated, err)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo"
	for _, s := range []string{
		"", "x", "$2a$10$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=65536,t=2,p=4$" + salt + "$" + key,
		"$argon2id$v=16$m=65536,t=2,p=4$" + salt + "$" + key,
		"$argon2id$v=19$m=99999999,t=2,p=4$" + salt + "$" + key, // would take 95 GiB
		"$argon2id$v=19$m=65536,t=9999,p=4$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=4$" + salt + "$",
		"$argon2id$v=19$m=65536,t=2,p=4$$" + key,
	} {
		if _, _, _, err := parsePHC(s); err == nil {
			t.Errorf("took %q", s)
		}
	}
}

func TestHashesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		for range hashesAtOnce {
			h.places <- struct{}{}
		}
		before := time.Now()
		_, err := h.hash(context.Background(), "violet kettle harbour")
		if fault.KindOf(err) != fault.Unavailable || time.Since(before) != hashPatience {
			t.Errorf("after %v: %v", time.Since(before), err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := h.hash(context.Background(), "violet kettle harbour"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // it is in the queue
		<-h.places
		wg.Wait()
	})
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	throttle, now := newThrottle(), time.Now()
	for i := range mostSubjects + 100 {
		a := newAttempt()
		a.at(string(rune(i + 1000)))
		throttle.begin(a, now.Add(time.Duration(i)*time.Millisecond))
	}
	if n := len(throttle.subjects); n > mostSubjects {
		t.Errorf("%d subjects in memory", n)
	}
}

// Many at the same moment get no more than the free attempts.
func TestThrottleCountsBeforeTheOutcome(t *testing.T) {
	t.Parallel()
	throttle, now := newThrottle(), time.Now()
	through := 0
	for range 50 {
		a := newAttempt()
		a.from("192.0.2.1")
		if throttle.begin(a, now) == 0 {
			through++
		}
	}
	if through != perAddress.free {
		t.Errorf("%d attempts at once, want %d", through, perAddress.free)
	}
}
