package noise

import (
	"testing"

	"go.mau.fi/whatsmeow/util/keys"
)

// Whatever a client says, the handshake ends with an answer or an error.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(append([]byte{0x12, 0x22, 0x0a, 0x20}, make([]byte, 32)...), []byte{0x22, 0x02, 0x0a, 0x00})
	static := keys.NewKeyPair()
	f.Fuzz(func(t *testing.T, hello, finish []byte) {
		h, _, err := Respond(static, []byte("certificate"), []byte("prologue"), hello)
		if err != nil {
			return
		}
		if _, _, session, err := h.Finish(finish); err == nil || session != nil {
			t.Error("a client that does not know the key got a session")
		}
	})
}
