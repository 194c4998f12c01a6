package serial

import (
	"sync"

	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// A session is kept as JSON. Each send has libsignal read the text that the send before has
// made of it, for as long as it takes to encrypt the message. What a text was made of is
// remembered for the latest ones, and given back for that very text: not for another one of the
// same letters, which would have to be compared.
func init() {
	inner := store.SignalProtobufSerializer.Session
	store.SignalProtobufSerializer.Session = &decoded{SessionSerializer: inner}
}

// latest is how many texts are remembered: those of a message to one person are two. A text of
// more than maxSession bytes is not.
const latest = 16

// decoded is a serializer of sessions that remembers what it made.
type decoded struct {
	record.SessionSerializer

	mu   sync.Mutex
	made [latest]struct {
		text    []byte // is kept, lest another one gets its place in memory
		session *record.SessionStructure
	}
	next int
}

// Serialize makes the text of a session.
func (d *decoded) Serialize(session *record.SessionStructure) []byte {
	text := d.SessionSerializer.Serialize(session)
	if len(text) == 0 || len(text) > maxSession {
		return text
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[d.next].text, d.made[d.next].session = text, session
	d.next = (d.next + 1) % latest
	return text
}

// Deserialize returns the session that a text was made of. libsignal makes objects of its own of
// the states in it and changes none.
func (d *decoded) Deserialize(text []byte) (*record.SessionStructure, error) {
	if session := d.recall(text); session != nil {
		return session, nil
	}
	return d.SessionSerializer.Deserialize(text)
}

// recall returns the session of which text was made here, nil if that is not remembered.
func (d *decoded) recall(text []byte) *record.SessionStructure {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.made {
		if len(m.text) == len(text) && len(text) > 0 && &m.text[0] == &text[0] {
			own := *m.session
			return &own
		}
	}
	return nil
}
