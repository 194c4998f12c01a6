//go:build !race

package whatsapp

import (
	"fmt"
	"net"
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/freeport"
	"switchboard/instances"
	"switchboard/whatsapp/simulator"
	"switchboard/whatsapp/simulator/phone"
)

// target is every companion of a phone: a fault strikes device 0 only when it is named.
func target(owner *phone.Phone) simulator.Target { return simulator.Target{Number: owner.Number()} }

func failure(reason int) *simulator.LoginFailure { return &simulator.LoginFailure{Reason: reason} }

// A lost connection comes back by itself, whatever ended it.
func TestComesBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*phone.Phone){
		"dropped": func(p *phone.Phone) { network1.Drop(target(p)) },
		"503":     func(p *phone.Phone) { network1.FailStream(target(p), simulator.StreamUnavailable) },
		"515":     func(p *phone.Phone) { network1.FailStream(target(p), simulator.StreamRestart) },
		"login 500, then 503": func(p *phone.Phone) {
			network1.FailLogins(target(p), &simulator.LoginFailure{Reason: 500, Times: 1})
			network1.Drop(target(p))
		},
		"login 503 three times": func(p *phone.Phone) {
			network1.FailLogins(target(p), &simulator.LoginFailure{Reason: 503, Times: 3})
			network1.Drop(target(p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, owner := paired(t, quick)
			friend := newPhone(t, "Friend")
			end(owner)
			until(t, s, "the loss", func(r instances.Report) bool { return r.Status == instances.Reconnecting })
			untilIs(t, s, instances.Connected, "")
			if _, err := friend.SendText(within(t), owner.Number(), "still there?"); err != nil {
				t.Fatal(err)
			}
			p.one("a message afterwards", text("still there?"))
			sendText(t, s, friend.Number(), "yes")
			arrives(t, friend, 0, "yes")
		})
	}
}

func TestRemovedByThePhone(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	device := owner.Companions()[0].Device
	if err := owner.Unlink(within(t), device); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.LoggedOut, instances.LoggedOutByPhone)
	if err := s.Pair(within(t)); err != nil {
		t.Fatal(err)
	}
	scan(t, s, owner)
}

func TestRemovedByThePhoneWhileAway(t *testing.T) {
	t.Parallel()
	p, s, owner := paired(t, quick)
	s.Close()
	if err := owner.Unlink(within(t), owner.Companions()[0].Device); err != nil {
		t.Fatal(err)
	}
	s = p.open(quick)
	untilIs(t, s, instances.LoggedOut, instances.LoggedOutByPhone)
	if err := s.Pair(within(t)); err != nil {
		t.Fatal(err)
	}
	scan(t, s, owner)
}

func TestBlockedAccount(t *testing.T) {
	t.Parallel()
	for _, reason := range []int{403, 406} {
		_, s, owner := paired(t, quick)
		network1.FailLogins(target(owner), &simulator.LoginFailure{Reason: reason, Times: 1})
		network1.Drop(target(owner))
		untilIs(t, s, instances.LoggedOut, instances.AccountBlocked)
	}
}

// still checks that the session stays as it is and connects no more.
func still(t *testing.T, s *Session) {
	t.Helper()
	before, was := network1.Stats().Connections, s.Report()
	for over := time.After(1500 * time.Millisecond); over != nil; { // that nothing happens has no signal
		changed := s.Changed()
		if is := s.Report(); is.Status != was.Status || is.Reason != was.Reason {
			t.Fatalf("it did not stay so: %+v", is)
		}
		select {
		case <-changed:
		case <-over:
			over = nil
		}
	}
	if s.current().client.IsConnected() {
		t.Fatalf("still connected; %d connections since", network1.Stats().Connections-before)
	}
}

func TestReplacedNeverFights(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	network1.FailStream(target(owner), simulator.StreamReplaced)
	untilIs(t, s, instances.Replaced, "")
	still(t, s)
	if err := s.Reconnect(within(t)); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
}

func TestOutdated(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	network1.FailLogins(target(owner), &simulator.LoginFailure{Reason: 405, Times: 1})
	network1.Drop(target(owner))
	untilIs(t, s, instances.Outdated, "")
	still(t, s)
	if err := s.Reconnect(within(t)); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
}

func TestTemporaryBan(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	network1.FailLogins(target(owner), &simulator.LoginFailure{Reason: 402, Code: 101, Expire: time.Hour, Times: 1})
	network1.Drop(target(owner))
	r := untilIs(t, s, instances.Restricted, instances.TemporaryBan)
	if left := time.Until(r.RetryAt); left < 50*time.Minute || left > time.Hour {
		t.Fatalf("the ban ends in %s", left)
	}
	still(t, s)
	// A short one ends by itself.
	network1.FailLogins(target(owner), &simulator.LoginFailure{Reason: 402, Code: 101, Expire: time.Second, Times: 1})
	if err := s.Reconnect(within(t)); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Restricted, instances.TemporaryBan)
	untilIs(t, s, instances.Connected, "")
}

func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	network1.FailLogins(target(owner), &simulator.LoginFailure{Reason: 418, Times: 1})
	network1.Drop(target(owner))
	r := untilIs(t, s, instances.Reconnecting, instances.ConnectFailure)
	if left := time.Until(r.RetryAt); left < 20*time.Second {
		t.Fatalf("the next try is in %s", left)
	}
	still(t, s)
	if err := s.Reconnect(within(t)); err != nil {
		t.Fatal(err)
	}
	untilIs(t, s, instances.Connected, "")
}

func TestASilentLineIsNotConnected(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	if network1.Silence(target(owner), true) == 0 {
		t.Fatal("no connection was silenced")
	}
	r := untilIs(t, s, instances.Reconnecting, instances.NoProof)
	if quiet := time.Since(r.ProvenAt); quiet < quick.silence {
		t.Fatalf("given up after %s", quiet)
	}
	untilIs(t, s, instances.Connected, "")
}

// A server that takes the connection and says nothing proves nothing.
func TestASilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 16)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c // held open, and never answered
		}
	}()
	p, s, _ := paired(t, quick)
	s.Close()
	s = p.openAt(&Simulator{Addr: l.Addr().String(), RootKey: network1.RootKey()}, quick)
	defer (<-accepted).Close()
	if r := s.Report(); r.Status != instances.Starting || !r.ProvenAt.IsZero() {
		t.Fatalf("nothing was heard, and the report is %+v", r)
	}
	friend := newPhone(t, "Friend")
	if _, err := s.SendText(within(t), friend.Number(), "hello"); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("sent over a silent line: %v", err)
	}
	r := until(t, s, "giving up", func(r instances.Report) bool { return r.Status != instances.Starting })
	if r.Status != instances.Reconnecting || r.Reason != instances.NoProof || !r.ProvenAt.IsZero() {
		t.Fatalf("the report is %+v", r)
	}
	(<-accepted).Close() // it tries again
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	s := newPlace(t).openAt(&Simulator{Addr: fmt.Sprintf("127.0.0.1:%d", port), RootKey: network1.RootKey()}, quick)
	untilIs(t, s, instances.PairingPhone, instances.NoNetwork)
	if _, err := s.PairPhone(within(t), "491701234567"); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v", err)
	}
}

func TestCloseIsQuick(t *testing.T) {
	t.Parallel()
	_, s, owner := paired(t, quick)
	network1.Silence(target(owner), true)
	begin := time.Now()
	s.Close()
	if took := time.Since(begin); took > s.pace.goodbye+4*time.Second { // then it would be given up
		t.Fatalf("closing a dead line took %s", took)
	}
	if err := s.Reconnect(within(t)); err == nil {
		t.Fatal("a closed session reconnects")
	}
}
