package simulator

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
)

// pieces is a websocket on which a client sends bytes in messages of one size.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(context.Context) (websocket.MessageType, []byte, error) {
	if len(p.rest) == 0 {
		return 0, nil, io.EOF
	}
	n := min(p.size, len(p.rest))
	piece := bytes.Clone(p.rest[:n])
	p.rest = p.rest[n:]
	return websocket.MessageBinary, piece, nil
}

// FuzzFrames cuts a stream into messages at other places than frames end: the same frames
// come out, and whatever is in them is a stanza or an error.
func FuzzFrames(f *testing.F) {
	stanza, err := waBinary.Marshal(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "1", "type": "get"}, Content: []waBinary.Node{{Tag: "ping"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{0, 0, byte(len(stanza))}, stanza...), uint8(2))
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0}, uint8(1))
	f.Add([]byte{0, 0, 3, 2, 0x78, 0x9c}, uint8(9))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		whole := &frameReader{ws: &pieces{stream, len(stream) + 1}}
		cut := &frameReader{ws: &pieces{stream, int(size) + 1}}
		for {
			frame, err := whole.next(t.Context())
			again, other := cut.next(t.Context())
			if !bytes.Equal(frame, again) || (err == nil) != (other == nil) {
				t.Fatalf("%x, %v in one message is %x, %v in many", frame, err, again, other)
			}
			if err != nil {
				return
			}
			node, err := parse(frame)
			if err != nil {
				continue
			}
			if node == nil {
				t.Fatal("neither a stanza nor an error")
			}
		}
	})
}
