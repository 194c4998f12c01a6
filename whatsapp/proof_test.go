//go:build !race

package whatsapp

import (
	"fmt"
	"testing"
	"time"

	"switchboard/instances"
)

// What arrives on the line proves nothing once nobody is there who looks after it.
func TestAStuckKeeperIsNoProof(t *testing.T) {
	t.Parallel()
	pace := usualPace
	pace.turn = time.Millisecond
	p, s, owner := paired(t, pace)
	friend := newPhone(t, "Friend")
	stuck, release := make(chan struct{}), make(chan struct{})
	s.tell(func(*keeper) { close(stuck); <-release })
	<-stuck
	since := time.Now()
	for n := 0; n == 0 || !s.Report().ProvenAt.Before(since); n++ {
		said := fmt.Sprint("are you there ", n)
		if _, err := friend.SendText(within(t), owner.Number(), said); err != nil {
			t.Fatal(err)
		}
		p.one("what was said", text(said)) // it is stored all the same
		if n == 100 {
			t.Fatal("the connection proves itself for ever")
		}
	}
	if r := s.Report(); r.Status != instances.Connected || !s.network.lastHeard().After(since) {
		t.Errorf("the report is %+v, bytes came at %s", r, s.network.lastHeard())
	}
	close(release)
	until(t, s, "a new proof", func(r instances.Report) bool {
		_ = s.ask(within(t), func(k *keeper) error { k.sayConnected(); return nil })
		return r.ProvenAt.After(since)
	})
}
