package isolation

import (
	"sync"

	"switchboard/instances"
)

// turns lets one caller at a time work on an instance.
type turns struct {
	mu   sync.Mutex
	held map[instances.ID]*turn
}

type turn struct {
	sync.Mutex
	users int
}

// take waits for the turn and returns what ends it.
func (t *turns) take(id instances.ID) (end func()) {
	t.mu.Lock()
	if t.held == nil {
		t.held = map[instances.ID]*turn{}
	}
	mine := t.held[id]
	if mine == nil {
		mine = &turn{}
		t.held[id] = mine
	}
	mine.users++
	t.mu.Unlock()
	mine.Lock()
	return func() {
		mine.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.users--; mine.users == 0 {
			delete(t.held, id)
		}
	}
}
