//go:build !race

package whatsapp

import (
	"errors"
	"sync/atomic"
	"testing"
)

// What a loss of power would take is not acknowledged: WhatsApp delivers it again, until the disk
// has it.
func TestWhatTheDiskDoesNotKeepComesAgain(t *testing.T) {
	t.Parallel()
	p, owner, friend := newPlace(t), newPhone(t, "Owner"), newPhone(t, "Friend")
	var paired, syncs atomic.Int64
	var fails atomic.Bool
	kept := make(chan struct{})
	p.syncKeys = func() error {
		paired.Add(1)
		return nil
	}
	p.sync = func() error {
		if !fails.Load() {
			return nil
		}
		switch syncs.Add(1) {
		case 1, 2:
			return errors.New("the disk fails")
		case 3:
			close(kept)
		}
		return nil
	}
	s := p.open(quick)
	scan(t, s, owner)
	if paired.Load() == 0 {
		t.Error("the pairing was not kept")
	}
	fails.Store(true)
	if _, err := friend.SendText(within(t), owner.Number(), "hello"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-kept:
	case <-within(t).Done():
		t.Fatalf("it was tried %d times", syncs.Load())
	}
	p.one("the message", text("hello"))
}
