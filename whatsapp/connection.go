package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"switchboard/fault"
	"switchboard/instances"
)

// What becomes of the connection, as whatsmeow tells it. Every method runs in the keeper;
// events of an account that was given up are dropped before they get here.

func (k *keeper) connected() {
	if !k.a.client.IsLoggedIn() {
		return // of a socket that is gone already
	}
	k.want, k.online, k.since = true, true, time.Now()
	k.round, k.dialAt, k.loginBy, k.codeAt = nil, time.Time{}, time.Time{}, time.Time{}
	k.identify()
	k.sayConnected()
}

func (k *keeper) sayConnected() {
	if k.away {
		k.say(instances.Connected, instances.DatabaseAway, nil)
		return
	}
	if k.disk != "" {
		k.say(instances.Connected, k.disk, nil)
		return
	}
	if k.limited {
		k.say(instances.Connected, instances.ReachOutLimit, func(r *instances.Report) { r.RetryAt = k.until })
		return
	}
	k.say(instances.Connected, "", nil)
}

func (k *keeper) disconnected() {
	if k.a.client.IsConnected() || !k.want {
		return // of an older socket, or wished
	}
	if k.online && time.Since(k.since) >= k.pace.steady {
		k.failures = 0
	}
	k.online, k.loginBy, k.codeAt = false, time.Time{}, time.Time{}
	k.dialAt = time.Now().Add(backoff(k.failures, k.pace.retry, k.pace.retryMax))
	k.failures++
	if !k.a.linked() {
		k.lostWhilePairing()
		return
	}
	reason := instances.ConnectionLost
	if r := k.Report(); r.Status == instances.Reconnecting && r.Reason != "" {
		reason = r.Reason // what made us hang up says more
	}
	k.say(instances.Reconnecting, reason, nil)
}

// restart obeys WhatsApp's wish for a new connection: after pairing, and now and then.
func (k *keeper) restart() {
	k.online, k.loginBy, k.dialAt = false, time.Time{}, time.Now()
	if k.Report().Status == instances.Connected {
		k.dialAt = k.dialAt.Add(backoff(k.failures, k.pace.retry, k.pace.retryMax))
		k.failures++
		k.say(instances.Reconnecting, instances.ConnectionLost, nil)
	}
}

func (k *keeper) replaced() {
	k.say(instances.Replaced, "", nil)
	k.rest()
}

func (k *keeper) outdated() {
	k.say(instances.Outdated, "", nil)
	k.rest()
}

func (k *keeper) banned(e *events.TemporaryBan) {
	k.log.Warn("whatsapp banned the account for a while", "code", int(e.Code), "for", e.Expire)
	k.rest()
	if e.Expire <= 0 {
		k.say(instances.Restricted, instances.TemporaryBan, nil)
		return
	}
	over := time.Now().Add(e.Expire)
	k.say(instances.Restricted, instances.TemporaryBan, func(r *instances.Report) { r.RetryAt = over })
	if k.a.linked() {
		k.want, k.dialAt = true, over.Add(backoff(0, k.pace.retryMax, k.pace.retryMax))
	}
}

// refused follows a login that WhatsApp turned down for a reason whatsmeow does not know.
func (k *keeper) refused(reason int) {
	k.log.Warn("whatsapp refused the login", "code", reason)
	if !k.a.linked() {
		k.endRound(instances.ConnectFailure)
		return
	}
	failures := k.failures
	k.rest()
	k.want, k.failures = true, failures+1
	k.dialAt = time.Now().Add(backoff(failures, k.pace.refused, k.pace.refusedMax))
	k.say(instances.Reconnecting, instances.ConnectFailure, func(r *instances.Report) { r.RetryAt = k.dialAt })
}

func (k *keeper) loggedOut(reason instances.Reason) {
	k.mu.Lock()
	if k.leaving {
		reason = instances.LoggedOutByUser
	}
	k.mu.Unlock()
	k.renew()
	k.say(instances.LoggedOut, reason, nil)
}

// loggedOutReason translates the code of a login that ends the link to the phone.
func loggedOutReason(e *events.LoggedOut) instances.Reason {
	switch e.Reason {
	case events.ConnectFailureMainDeviceGone, events.ConnectFailureUnknownLogout:
		return instances.AccountBlocked
	}
	return instances.LoggedOutByPhone
}

// limit notes that WhatsApp refuses new conversations, or no longer does.
func (k *keeper) limit(active bool, until time.Time) {
	k.limited, k.until = active, until
	if k.online {
		k.sayConnected()
	}
}

// rename notes the account's own name.
func (k *keeper) rename(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == "" || k.report.PushName == name {
		return
	}
	k.report.PushName = name
	close(k.changed)
	k.changed = make(chan struct{})
}

// notStored plans a reconnect, since WhatsApp delivers again what was not acknowledged only
// then.
func (k *keeper) notStored() {
	if k.againAt.IsZero() {
		k.againAt = time.Now().Add(backoff(k.unstored, k.pace.again, k.pace.againMax))
		k.unstored++
	}
}

// Reconnect drops the connection and makes a new one. It takes a session back that another
// client took over, and asks again where WhatsApp had refused. It returns before the new
// connection is up.
func (s *Session) Reconnect(ctx context.Context) error {
	return s.ask(ctx, func(k *keeper) error {
		if !k.a.linked() {
			return fault.New(fault.Conflict, "This number is not linked to a phone. Pair it first.")
		}
		k.want, k.online, k.failures = true, false, 0
		k.dialAt = time.Now()
		k.say(instances.Reconnecting, "", nil)
		return nil
	})
}

// logoutTimeout is how long WhatsApp may take to confirm a logout.
const logoutTimeout = 15 * time.Second

// Logout unlinks the number from its phone and leaves an unlinked device behind, ready to be
// paired. Only WhatsApp can unlink: while it cannot be reached, Logout fails with a
// fault.Unavailable and the number stays linked.
func (s *Session) Logout(ctx context.Context) error {
	a := s.current()
	if !a.linked() {
		return fault.New(fault.Conflict, "This number is not linked to a phone, so there is nothing to log out.")
	}
	unreachable := "WhatsApp cannot be reached at the moment, so this number is still linked. Try again when it is connected, or remove it on the phone under Linked devices."
	if s.Report().Status != instances.Connected {
		return fault.New(fault.Unavailable, unreachable)
	}
	s.setLeaving(true)
	defer s.setLeaving(false)
	leave, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	if err := a.client.Logout(leave); err != nil {
		// The answer may be lost to the very hang-up that it causes.
		wait, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		r, waited := s.await(wait, func(r instances.Report) bool { return r.Status == instances.LoggedOut })
		if waited != nil || r.Status != instances.LoggedOut {
			return fault.Wrap(fault.Unavailable, unreachable, err)
		}
		return nil
	}
	return s.ask(ctx, func(k *keeper) error {
		if k.a == a {
			k.loggedOut(instances.LoggedOutByUser)
		}
		return nil
	})
}

func (s *Session) setLeaving(leaving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = leaving
}

// await returns the first report that f accepts.
func (s *Session) await(ctx context.Context, f func(instances.Report) bool) (instances.Report, error) {
	for {
		changed := s.Changed()
		if r := s.Report(); f(r) {
			return r, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return instances.Report{}, ctx.Err()
		case <-s.done:
			return instances.Report{}, errClosed
		}
	}
}
