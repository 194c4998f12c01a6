package simulator

import (
	"hash/maphash"
	"sync"
)

// recentMessages is how many messages of a device are remembered. A client repeats no more
// than what was under way when its connection broke.
const recentMessages = 256

var recentSeed = maphash.MakeSeed()

// recent remembers the last messages of a device, by their hashes, so that one which is
// repeated after a reconnect is acknowledged again without being delivered twice.
type recent struct {
	mu   sync.Mutex
	seen map[uint64]struct{}
	ring []uint64
	at   int
}

// add reports whether key is new.
func (r *recent) add(key string) bool {
	hash := maphash.String(recentSeed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.seen[hash]; ok {
		return false
	}
	if r.seen == nil {
		r.seen = map[uint64]struct{}{}
	}
	if len(r.ring) < recentMessages {
		r.ring = append(r.ring, hash)
	} else {
		delete(r.seen, r.ring[r.at])
		r.ring[r.at] = hash
		r.at = (r.at + 1) % recentMessages
	}
	r.seen[hash] = struct{}{}
	return true
}
