package whatsapp

import (
	"go.mau.fi/whatsmeow/types"
)

// learnGroups asks WhatsApp once, after the first connection, which groups the number is in and
// who else is; from then on changes come by themselves. It does not wait.
func (s *Session) learnGroups(a *account) {
	if s.learning.Swap(true) {
		return
	}
	go func() {
		known, err := s.messages.KnowsGroups(s.ctx)
		if err == nil && !known {
			var all []*types.GroupInfo
			if all, err = a.client.GetJoinedGroups(s.ctx); err == nil {
				for _, g := range all {
					if err = s.messages.SaveGroup(s.ctx, a.stored(s.ctx, g)); err != nil {
						break
					}
				}
			}
		}
		if err != nil {
			s.learning.Store(false) // with the next connection
			if s.ctx.Err() == nil {
				s.log.Warn("groups not learned", "error", scrub(err.Error()))
			}
		}
	}()
}
