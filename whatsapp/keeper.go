package whatsapp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/socket"

	"switchboard/instances"
)

// keeper owns the connection: it alone connects, disconnects and says how the number
// stands. It is one goroutine; whatever others want of it, they hand to it as a function.
type keeper struct {
	*Session
	a *account

	want    bool // there should be a connection
	dialing bool // one is being made
	online  bool // logged in
	since   time.Time

	failures int // attempts and short connections in a row
	unstored int // messages in a row that could not be stored

	// What happens by itself and when; zero: nothing.
	dialAt  time.Time // the next attempt to connect
	loginBy time.Time // an open socket that has neither login nor code by then is dead
	codeAt  time.Time // the next QR code
	againAt time.Time // ask WhatsApp once more for what could not be stored

	round *round // of pairing; nil when there is none

	limited bool      // WhatsApp refuses new conversations …
	until   time.Time // … until then, if it said so

	away bool             // the database server is, as it was published
	disk instances.Reason // why nothing can be stored, as it was published
}

func newKeeper(s *Session) *keeper { return &keeper{Session: s, a: s.current()} }

func (k *keeper) run() {
	defer close(k.done)
	if k.a.linked() {
		k.identify()
		k.want, k.dialAt = true, time.Now()
	} else {
		k.beginRound()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		k.turned.Store(time.Now().UnixNano())
		timer.Reset(time.Until(k.act(time.Now())))
		select {
		case <-k.stop:
			k.a.client.Disconnect()
			return
		case f := <-k.inbox:
			f(k)
		case <-timer.C:
		}
	}
}

// act does what is due and returns when something is due next.
func (k *keeper) act(now time.Time) time.Time {
	k.noteAway()
	if due(k.dialAt, now) && !k.dialing {
		k.dial()
	}
	if due(k.loginBy, now) {
		k.loginBy = time.Time{}
		k.network.cut()
		k.failed(instances.NoProof)
	}
	if due(k.codeAt, now) {
		k.nextCode()
	}
	if k.round != nil && due(k.round.ends, now) {
		k.endRound(instances.QRExpired)
	}
	if due(k.againAt, now) {
		k.againAt = time.Time{}
		k.log.Info("reconnecting to have messages delivered again")
		k.network.cut()
	}
	if k.online && due(k.deadline(), now) {
		k.online = false
		k.say(instances.Reconnecting, instances.NoProof, nil)
		k.network.cut()
		k.dialAt = now.Add(backoff(k.failures, k.pace.retry, k.pace.retryMax))
	}
	next := now.Add(k.pace.turn)
	for _, t := range []time.Time{k.loginBy, k.codeAt, k.againAt} {
		next = sooner(next, t)
	}
	if !k.dialing {
		next = sooner(next, k.dialAt)
	}
	if k.round != nil {
		next = sooner(next, k.round.ends)
	}
	if k.online {
		next = sooner(next, k.deadline())
	}
	return next
}

// deadline is when a line on which nothing arrives counts as dead.
func (k *keeper) deadline() time.Time { return k.network.lastHeard().Add(k.pace.silence) }

func due(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

func sooner(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// dial connects anew in the background, since that may take most of a minute.
func (k *keeper) dial() {
	k.dialing, k.online = true, false
	k.dialAt, k.loginBy, k.codeAt = time.Time{}, time.Time{}, time.Time{}
	a := k.a
	go func() {
		if a.client.IsConnected() {
			k.hangUp(a)
		}
		before := k.network.newest()
		err := a.client.ConnectContext(k.ctx)
		reached := k.network.newest() != before
		k.tell(func(k *keeper) { k.dialled(a, err, reached) })
	}()
}

func (k *keeper) dialled(a *account, err error, reached bool) {
	if a != k.a {
		go a.client.Disconnect() // given up meanwhile
		return
	}
	k.dialing = false
	switch {
	case !k.want:
		k.hangUp(a)
	case err != nil:
		k.log.Debug("connecting failed", "error", scrub(err.Error()))
		k.failed(reasonOf(err, reached))
	case !k.online && k.codeAt.IsZero() && k.dialAt.IsZero():
		k.loginBy = time.Now().Add(k.pace.login)
	}
}

// reasonOf says why connecting failed; reached tells that the network let us through.
func reasonOf(err error, reached bool) instances.Reason {
	if status, ok := errors.AsType[socket.ErrWithStatusCode](err); ok {
		switch code := status.StatusCode; {
		case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
			return instances.ServerBusy
		case code >= 400:
			return instances.ConnectFailure
		}
	}
	if reached && (errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timed out")) {
		return instances.NoProof
	}
	return instances.NoNetwork
}

// failed plans the next attempt after one that came to nothing.
func (k *keeper) failed(reason instances.Reason) {
	k.online, k.loginBy, k.codeAt = false, time.Time{}, time.Time{}
	k.dialAt = time.Now().Add(backoff(k.failures, k.pace.retry, k.pace.retryMax))
	k.failures++
	if k.a.linked() {
		k.say(instances.Reconnecting, reason, nil)
	} else {
		k.say(instances.PairingPhone, reason, nil)
	}
}

// hangUp closes the connection, if there is one, without waiting long for a goodbye.
func (k *keeper) hangUp(a *account) {
	impatience := time.AfterFunc(k.pace.goodbye, k.network.cut)
	defer impatience.Stop()
	a.client.Disconnect()
}

// rest ends the connection and makes no new one by itself.
func (k *keeper) rest() {
	k.want, k.online, k.round = false, false, nil
	k.dialAt, k.loginBy, k.codeAt, k.againAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if !k.dialing {
		k.hangUp(k.a)
	}
}

// say publishes a status. Pairing and RetryAt are those that edit sets, and else none.
func (k *keeper) say(status instances.Status, reason instances.Reason, edit func(*instances.Report)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.report
	k.report.Status, k.report.Reason = status, reason
	k.report.Pairing, k.report.RetryAt = nil, time.Time{}
	if edit != nil {
		edit(&k.report)
	}
	if before.Status != status || before.Reason != reason {
		k.log.Info("status changed", "status", string(status), "reason", string(reason), "before", string(before.Status))
		if k.onStatus != nil {
			k.onStatus(k.report)
		}
	}
	close(k.changed)
	k.changed = make(chan struct{})
}

// identify puts into the report who the device is linked to.
func (k *keeper) identify() {
	jid, lid, name := k.a.jid(), k.a.device.GetLID(), k.a.device.PushName
	k.mu.Lock()
	defer k.mu.Unlock()
	k.report.JID, k.report.LID, k.report.PushName = jid.String(), "", name
	if !lid.IsEmpty() {
		k.report.LID = lid.String()
	}
}

// renew ends the account and begins another that waits to be linked. A row that cannot be
// deleted comes back at the next start, where WhatsApp refuses it again.
func (k *keeper) renew() {
	k.rest()
	k.dialing, k.failures, k.limited = false, 0, false
	k.forget(k.ctx, nil)
	k.a = k.take(k.store.NewDevice())
}

// forget deletes every device in the store but keep.
func (k *keeper) forget(ctx context.Context, keep *account) {
	all, err := k.store.GetAllDevices(ctx)
	if err != nil {
		k.log.Error("stored devices cannot be read", "error", err)
		return
	}
	for _, d := range all {
		if keep != nil && d.GetJID() == keep.jid() {
			continue
		}
		if err := k.store.DeleteDevice(ctx, d); err != nil {
			k.log.Error("a stored device cannot be deleted", "error", err)
		}
	}
}
