package serial

import (
	"fmt"
	"maps"

	"go.mau.fi/whatsmeow/store"
)

// Rewound begins the text of a session that may be older than what was sent in it: it is one
// from a backup. The next messages in it would be encrypted with keys that are used already,
// and whoever gets them would drop them. So for a send such a session is not there, and a new one
// is begun, which takes the old one's states along; what comes in is still read with them. To
// JSON, as which sessions are kept, it means nothing.
const Rewound = " "

func rewound(session []byte) bool { return len(session) > 0 && session[0] == Rewound[0] }

// unsendable takes out of sessions that are read for a send those that are rewound, and keeps
// them for succeed.
func (h *hold) unsendable(found map[string][]byte) {
	for address, session := range found {
		if rewound(session) {
			h.load(address, session)
			found[address] = nil
		}
	}
}

// succeed returns sessions as a send has made them, those begun anew with the states of
// the ones in whose place they come.
func (h *hold) succeed(all map[string][]byte) (map[string][]byte, error) {
	own := false
	for address, session := range all {
		old := h.loaded(address)
		if old == nil {
			continue
		}
		serializer := store.SignalProtobufSerializer.Session
		before, err := serializer.Deserialize(old)
		if err != nil {
			return nil, fmt.Errorf("read the session from a backup: %w", err)
		}
		after, err := serializer.Deserialize(session)
		if err != nil {
			return nil, fmt.Errorf("read the session begun anew: %w", err)
		}
		after.PreviousStates = append(append(after.PreviousStates, before.SessionState), before.PreviousStates...)
		if !own { // the caller's stays as it is
			all, own = maps.Clone(all), true
		}
		all[address] = serializer.Serialize(after)
	}
	return all, nil
}
