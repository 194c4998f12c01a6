package e2e

import (
	"fmt"
	"sync"
	"testing"
)

// TestBusyChat sends a thousand messages into one chat that answers every one of them. All
// arrive, all are stored, and none is unreadable, in either direction.
func TestBusyChat(t *testing.T) {
	t.Parallel()
	count := 1000
	if testing.Short() {
		count = 100
	}
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Echo")
	other.answers("You said: ")
	panel, api := startPanelWithToken(t, network)
	inst := api.pair(api.create("Busy").ID, phone)

	var said, heard []string
	texts := make(chan string)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for text := range texts {
				api.send(inst.ID, friend, text)
			}
		})
	}
	for n := range count {
		text := fmt.Sprintf("message %d", n)
		said, heard = append(said, text), append(heard, "You said: "+text)
		texts <- text
	}
	close(texts)
	senders.Wait()

	poll(t, "all answers are stored", func() bool { return len(panel.talk(inst).in) >= count }, func() string {
		return fmt.Sprintf("there are %d", len(panel.talk(inst).in))
	})
	once(t, "arrived", other.texts(own), said)
	stored := panel.talk(inst)
	once(t, "stored, out", stored.out, said)
	once(t, "stored, in", stored.in, heard)
	if unread := other.state().Undecryptable; stored.undecryptable != 0 || unread != 0 {
		t.Errorf("unreadable: %d here, %d on the phone", stored.undecryptable, unread)
	}
	if got := api.get(inst.ID); got.PID != inst.PID || got.Restarts != 0 {
		t.Errorf("it was %+v and is %+v", inst, got)
	}
}
