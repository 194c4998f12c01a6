package whatsapp

import "switchboard/settings"

// Apply has the session work by s from now on. The report tells its revision.
func (s *Session) Apply(now settings.Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Settings = now.Revision
	close(s.changed)
	s.changed = make(chan struct{})
}
