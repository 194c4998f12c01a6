package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/socket"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waWa6"

	"switchboard/whatsapp/simulator/noise"
)

const (
	frameHeader = socket.FrameLengthSize
	maxFrame    = socket.FrameMaxSize
)

// clientHeader comes once, before a client's first frame, and is the prologue of the
// handshake.
var clientHeader = socket.WAConnHeader

var errHeader = errors.New("the client does not speak WhatsApp's protocol")

// frameReader takes websocket messages apart into frames. A frame is three bytes of length
// and a body; it may span messages, and a message may hold several.
type frameReader struct {
	ws interface {
		Read(ctx context.Context) (websocket.MessageType, []byte, error)
	}
	rest []byte
}

// next returns the next frame, which is the caller's to keep.
func (r *frameReader) next(ctx context.Context) ([]byte, error) {
	for {
		if len(r.rest) >= frameHeader {
			length := int(r.rest[0])<<16 | int(r.rest[1])<<8 | int(r.rest[2])
			if end := frameHeader + length; len(r.rest) >= end {
				frame := r.rest[frameHeader:end:end]
				r.rest = r.rest[end:]
				return frame, nil
			}
		}
		if err := r.read(ctx); err != nil {
			return nil, err
		}
	}
}

func (r *frameReader) read(ctx context.Context) error {
	kind, message, err := r.ws.Read(ctx)
	if err != nil {
		return err
	}
	if kind != websocket.MessageBinary {
		return errHeader
	}
	if len(r.rest) == 0 {
		r.rest = message
	} else {
		r.rest = append(r.rest, message...)
	}
	return nil
}

// header takes the client's header off the stream.
func (r *frameReader) header(ctx context.Context) error {
	for len(r.rest) < len(clientHeader) {
		if err := r.read(ctx); err != nil {
			return err
		}
	}
	if !bytes.Equal(r.rest[:len(clientHeader)], clientHeader) {
		return errHeader
	}
	r.rest = r.rest[len(clientHeader):]
	return nil
}

// parse reads the stanza in an opened frame. What whatsmeow's decoder panics at is an error.
func parse(plain []byte) (stanza *waBinary.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			stanza, err = nil, fmt.Errorf("stanza cannot be read: %v", r)
		}
	}()
	if len(plain) == 0 {
		return nil, errHeader
	}
	if plain, err = waBinary.Unpack(plain); err != nil {
		return nil, err
	}
	return waBinary.Unmarshal(plain)
}

// appendFrame appends plain, sealed, as one frame.
func appendFrame(dst []byte, session *noise.Session, plain []byte) []byte {
	length := len(plain) + noise.Overhead
	dst = append(dst, byte(length>>16), byte(length>>8), byte(length))
	return session.Seal(dst, plain)
}

// handshake leaves c.noise ready and returns the client's static key and payload.
func (c *connection) handshake(ctx context.Context, frames *frameReader, certificate []byte) ([32]byte, *waWa6.ClientPayload, error) {
	var nobody [32]byte
	if err := frames.header(ctx); err != nil {
		return nobody, nil, err
	}
	hello, err := frames.next(ctx)
	if err != nil {
		return nobody, nil, err
	}
	h, answer, err := noise.Respond(c.n.static, certificate, clientHeader, hello)
	if err != nil {
		return nobody, nil, err
	}
	frame := append([]byte{byte(len(answer) >> 16), byte(len(answer) >> 8), byte(len(answer))}, answer...)
	if err := c.ws.Write(ctx, websocket.MessageBinary, frame); err != nil {
		return nobody, nil, err
	}
	finish, err := frames.next(ctx)
	if err != nil {
		return nobody, nil, err
	}
	static, raw, session, err := h.Finish(finish)
	if err != nil {
		return nobody, nil, err
	}
	var payload waWa6.ClientPayload
	if err := proto.Unmarshal(raw, &payload); err != nil {
		return nobody, nil, err
	}
	c.noise = session
	return static, &payload, nil
}
