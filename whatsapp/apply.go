package whatsapp

import (
	"switchboard/instances"
	"switchboard/settings"
)

// Apply has the session work by s from now on. The report tells its revision.
func (s *Session) Apply(now settings.Settings) {
	before := s.set.Swap(&now)
	if before.Proxy != now.Proxy {
		s.network.goThrough(now.Proxy)
		s.network.anew()
	}
	s.mu.Lock()
	s.report.Settings = now.Revision
	close(s.changed)
	s.changed = make(chan struct{})
	online, a := s.report.Status == instances.Connected, s.account
	s.mu.Unlock()
	if online && before.Automation.Presence != now.Automation.Presence {
		s.announcePresence(a)
	}
	if before.Media.Bucket != now.Media.Bucket {
		s.fetch.bucketChanged.Store(true)
		s.fetch.putAway()
	}
	signal(s.tidy) // what is kept for how long may have changed
}

// settings returns what the session works by. It is not to be changed.
func (s *Session) settings() *settings.Settings { return s.set.Load() }
