package sinks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchboard/egress"
)

// stream takes events as messages of NATS JetStream, and has one only when a stream has
// acknowledged it. The server drops a repetition by the event's id.
type stream struct {
	*line
	to    Target
	guard *egress.Guard
}

func newStream(to Target, guard *egress.Guard) *stream {
	s := &stream{to: to, guard: guard}
	s.line = newLine(s.connect)
	return s
}

// Send publishes an event.
func (s *stream) Send(ctx context.Context, m Message) Answer {
	c, err := s.take(ctx)
	if err != nil {
		return without(err)
	}
	defer s.give()
	subject := fill(s.to.Subject, m)
	out := &nats.Msg{Subject: subject, Data: m.Body, Header: nats.Header{
		jetstream.MsgIDHeader: {m.ID}, "Event-Type": {m.Event}, "Event-Time": {m.At.UTC().Format(time.RFC3339Nano)},
	}}
	for name := range m.Header {
		out.Header.Set(name, m.Header.Get(name))
	}
	return c.(*client).publish(ctx, subject, out)
}

// client is a connection.
type client struct {
	conn    *nats.Conn
	js      jetstream.JetStream
	forbids atomic.Pointer[string] // what the server said last against something
}

// dialer connects through a guard and keeps the error, of which the library tells less.
type dialer struct {
	ctx   context.Context
	guard *egress.Guard
	err   error
	heed  func() bool
}

// Dial is for package nats.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.guard.DialContext(d.ctx, network, address)
	if d.err = err; err == nil {
		d.heed = context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	}
	return conn, err
}

// connect signs in at the server.
func (s *stream) connect(ctx context.Context) (connection, error) {
	c := &client{}
	d := &dialer{ctx: ctx, guard: s.guard, heed: func() bool { return true }}
	conn, err := nats.Connect(s.to.URL, nats.Name(s.to.Name), nats.SetCustomDialer(d), nats.SkipHostLookup(), nats.NoReconnect(),
		func(o *nats.Options) error {
			o.TLSConfig = secure(s.to) // spoken if the address or the server says so
			o.Timeout = time.Hour      // ctx ends it
			return nil
		},
		// Without this the library writes to standard error.
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.forbids.Store(new(err.Error())) }),
	)
	inTime := d.heed()
	switch {
	case err == nil && inTime:
	case err == nil:
		conn.Close()
		return nil, ctx.Err()
	case !inTime:
		return nil, errors.Join(ctx.Err(), err)
	case d.err != nil:
		return nil, d.err
	default:
		return nil, turnedAway(err)
	}
	c.conn = conn
	if c.js, err = jetstream.New(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) usable() bool { return c.conn.IsConnected() }

func (c *client) close() { c.conn.Close() }

// publish publishes a message and waits until a stream has it.
func (c *client) publish(ctx context.Context, subject string, m *nats.Msg) Answer {
	c.forbids.Store(nil)
	ack, err := c.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if err == nil {
		text := fmt.Sprintf("stream %s, message %d", ack.Stream, ack.Sequence)
		if ack.Duplicate {
			text += ", which it had already"
		}
		return Answer{Text: excerpt([]byte(text))}
	}
	if refused, ok := errors.AsType[*jetstream.APIError](err); ok {
		return Answer{
			Status: refused.Code, Text: excerpt([]byte(refused.Description)),
			Error: fmt.Sprintf("The stream of the subject %q refused the event.", subject),
		}
	}
	said := c.forbids.Load()
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return Answer{Status: 503, Text: "503 no responders", Error: fmt.Sprintf("No stream at this NATS server takes the subject %q. Make one that does; JetStream has to be on.", subject)}
	case errors.Is(err, nats.ErrMaxPayload):
		return Answer{Error: "The event is larger than what this NATS server takes."}
	case said != nil && strings.Contains(strings.ToLower(*said), nats.PERMISSIONS_ERR):
		return Answer{Text: excerpt([]byte(*said)), Error: fmt.Sprintf("The user of this address may not publish to the subject %q, or may not get answers.", subject)}
	}
	return Answer{Error: inWords(err)}
}

// turnedAway is the error for a server that does not sign somebody in.
func turnedAway(err error) error {
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, nats.ErrAuthorization), strings.Contains(text, nats.AUTHENTICATION_EXPIRED_ERR), strings.Contains(text, "authorization"):
		return &refusal{Answer{Text: "Authorization Violation", Error: "The NATS server does not accept the user name and password, or the token, of this address."}}
	case errors.Is(err, nats.ErrSecureConnWanted):
		return &refusal{Answer{Error: "This NATS server speaks no TLS. Its address begins with nats:// then."}}
	case errors.Is(err, nats.ErrMaxConnectionsExceeded), errors.Is(err, nats.ErrMaxAccountConnectionsExceeded):
		return &refusal{Answer{Error: "This NATS server has as many connections as it takes."}}
	}
	return err
}
