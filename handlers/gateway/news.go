package gateway

import (
	"sync"

	"switchboard/instances"
)

// news is something about a number that its state does not show.
type news struct {
	id    instances.ID
	frame frame
}

// newsroom passes news on to the sockets that are open. Its methods may be called from any
// goroutine; the zero value is ready.
type newsroom struct {
	mu      sync.Mutex
	readers map[chan news]bool
}

// subscribe returns where news arrive from now on. Whoever takes none for so long that a
// hundred wait misses the next.
func (n *newsroom) subscribe() (_ <-chan news, cancel func()) {
	c := make(chan news, 100)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.readers == nil {
		n.readers = map[chan news]bool{}
	}
	n.readers[c] = true
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.readers, c)
	}
}

func (n *newsroom) publish(id instances.ID, frames ...frame) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.readers {
		for _, f := range frames {
			select {
			case c <- news{id, f}:
			default:
			}
		}
	}
}
