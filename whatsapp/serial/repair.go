package serial

import (
	"fmt"

	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// A session with another device has several states when both ends began it at the same
// moment, or began it anew: the current one, and those before it, in which the other end may
// still write. libsignal looks for the state that a message belongs to by trying one after
// the other, and it steps each before the message's authentication code tells whether it is
// the one. Once one fits, it stores the others as they are then, with keys that the other end
// will never know. It also leaves the last of the previous states in the list twice. While
// messages cross, that spoils one state with each of them, until none fits any more.

// repair returns the session that is to be stored after a message has been opened: stepped,
// with every state but the current one, the only one that fitted, as it was in loaded. Each
// state is there once. A state that is new and not current did not fit the message that it
// was made for, and is left out.
func repair(loaded, stepped []byte) ([]byte, error) {
	if loaded == nil {
		return stepped, nil // there was no state to spoil
	}
	serializer := store.SignalProtobufSerializer.Session
	before, err := serializer.Deserialize(loaded)
	if err != nil {
		return nil, fmt.Errorf("read the session as it was loaded: %w", err)
	}
	after, err := serializer.Deserialize(stepped)
	if err != nil {
		return nil, fmt.Errorf("read the session to be stored: %w", err)
	}
	// Who began a state made its base key for it, so no two states have the same.
	untouched := map[string]*record.StateStructure{string(before.SessionState.SenderBaseKey): before.SessionState}
	for _, s := range before.PreviousStates {
		if key := string(s.SenderBaseKey); untouched[key] == nil {
			untouched[key] = s
		}
	}
	fitted := string(after.SessionState.SenderBaseKey)
	known := untouched[fitted] != nil
	delete(untouched, fitted)
	previous := []*record.StateStructure{}
	for _, s := range after.PreviousStates {
		key := string(s.SenderBaseKey)
		if original := untouched[key]; original != nil {
			previous = append(previous, original)
			delete(untouched, key)
		}
	}
	after.PreviousStates = previous
	session := serializer.Serialize(after)
	if known && rewound(loaded) {
		session = append([]byte(Rewound), session...)
	}
	return session, nil
}
