package sinks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"switchboard/egress"
)

// exchange takes events as persistent messages of AMQP 0-9-1, and has one only when the
// broker has confirmed it.
type exchange struct {
	*line
	to    Target
	guard *egress.Guard
}

func newExchange(to Target, guard *egress.Guard) *exchange {
	e := &exchange{to: to, guard: guard}
	e.line = newLine(e.connect)
	return e
}

// Send publishes an event. It is mandatory: what no queue takes is not delivered.
func (e *exchange) Send(ctx context.Context, m Message) Answer {
	c, err := e.take(ctx)
	if err != nil {
		return e.answer(err)
	}
	defer e.give()
	p := amqp.Publishing{
		MessageId: m.ID, Type: m.Event, Timestamp: m.At, AppId: "Switchboard", DeliveryMode: amqp.Persistent,
		ContentType: "application/json", Headers: amqp.Table{}, Body: m.Body,
	}
	for name := range m.Header {
		if name != "Content-Type" && name != "User-Agent" { // those are properties
			p.Headers[name] = m.Header.Get(name)
		}
	}
	return c.(*broker).publish(ctx, e, fill(e.to.RoutingKey, m), p)
}

// broker is a connection. Each message under way has a channel of its own: what the broker
// says against one of them closes its channel, and no other notices.
type broker struct {
	conn  *amqp.Connection
	raw   net.Conn
	alarm atomic.Pointer[string] // why the broker takes nothing at the moment

	mu   sync.Mutex
	free []*channel // with nothing under way
}

type channel struct {
	*amqp.Channel
	returned chan amqp.Return
	closed   chan *amqp.Error
}

// connect signs in at the broker. The library heeds no context: what ctx ends is the
// connection itself.
func (e *exchange) connect(ctx context.Context) (connection, error) {
	b := &broker{}
	heed := func() bool { return true }
	config := amqp.Config{
		TLSClientConfig: secure(e.to), ChannelMax: 2 * AtOnce, Properties: amqp.NewConnectionProperties(),
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := e.guard.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			b.raw, heed = conn, context.AfterFunc(ctx, func() { _ = conn.Close() })
			return conn, nil
		},
	}
	config.Properties.SetClientConnectionName(e.to.Name)
	conn, err := amqp.DialConfig(e.to.URL, config)
	inTime := heed()
	if err != nil || !inTime {
		if b.raw != nil {
			_ = b.raw.Close()
		}
		if inTime {
			err = notLetIn(err)
		}
		return nil, errors.Join(ctx.Err(), err)
	}
	b.conn = conn
	go b.listen(conn.NotifyBlocked(make(chan amqp.Blocking, 1)))
	return b, nil
}

// listen notes when the broker takes nothing, until the connection ends.
func (b *broker) listen(news <-chan amqp.Blocking) {
	for n := range news {
		if b.alarm.Store(nil); n.Active {
			b.alarm.Store(&n.Reason)
		}
	}
}

func (b *broker) usable() bool { return !b.conn.IsClosed() }

func (b *broker) close() {
	_ = b.conn.CloseDeadline(time.Now().Add(time.Second))
	_ = b.raw.Close()
}

// channel returns one with nothing under way.
func (b *broker) channel() (*channel, error) {
	b.mu.Lock()
	if last := len(b.free) - 1; last >= 0 {
		c := b.free[last]
		b.free = b.free[:last]
		b.mu.Unlock()
		return c, nil
	}
	b.mu.Unlock()
	opened, err := b.conn.Channel()
	if err != nil {
		return nil, err
	}
	c := &channel{opened, opened.NotifyReturn(make(chan amqp.Return, 1)), opened.NotifyClose(make(chan *amqp.Error, 1))}
	return c, opened.Confirm(false)
}

// publish publishes a message and waits until the broker says what became of it.
func (b *broker) publish(ctx context.Context, e *exchange, key string, p amqp.Publishing) Answer {
	// A broker that does not read blocks the library for good.
	heed := context.AfterFunc(ctx, func() { _ = b.raw.Close() })
	failed := func(err error) Answer {
		if reason := b.alarm.Load(); reason != nil && ctx.Err() != nil {
			return Answer{Text: excerpt([]byte("connection.blocked: " + *reason)), Error: "The broker takes nothing at the moment: it is short of memory or of disk space."}
		}
		return e.answer(errors.Join(ctx.Err(), err))
	}
	c, err := b.channel()
	if err != nil {
		heed()
		return failed(err)
	}
	confirmed, err := c.PublishWithDeferredConfirm(e.to.Exchange, key, true, false, p)
	if !heed() || err != nil {
		return failed(c.why(err))
	}
	taken, err := confirmed.WaitContext(ctx)
	if err != nil {
		go func() { _ = c.Close() }() // its answer would be taken for that of the next message
		return failed(err)
	}
	return b.verdict(c, e, key, taken)
}

// verdict is what the broker has said of the message that was under way in a channel, which
// is free again after it.
func (b *broker) verdict(c *channel, e *exchange, key string, taken bool) Answer {
	// The library passes on a return before the confirmation that follows it, and why a channel
	// is closed before it gives up what was under way.
	select {
	case why, ok := <-c.closed:
		if ok {
			return e.answer(why)
		}
		return e.answer(amqp.ErrClosed)
	default:
	}
	defer func() {
		b.mu.Lock()
		b.free = append(b.free, c)
		b.mu.Unlock()
	}()
	select {
	case r := <-c.returned:
		a := Answer{Status: int(r.ReplyCode), Text: strconv.Itoa(int(r.ReplyCode)) + " " + r.ReplyText}
		if e.to.Exchange == "" {
			a.Error = fmt.Sprintf("There is no queue %q at the broker.", key)
		} else {
			a.Error = fmt.Sprintf("No queue is bound to the exchange %q for the routing key %q, so nobody would get the event.", e.to.Exchange, key)
		}
		return a
	default:
	}
	if !taken {
		return Answer{Text: "basic.nack", Error: "The broker did not take the event. The queue may be full."}
	}
	return Answer{Text: "basic.ack"}
}

// why is the reason for which the broker has closed a channel, else err.
func (c *channel) why(err error) error {
	select {
	case reason, ok := <-c.closed:
		if ok {
			return reason
		}
	default:
	}
	return err
}

// answer says why an event was not taken.
func (e *exchange) answer(err error) Answer {
	refused, ok := fromBroker(err)
	if !ok {
		return without(err)
	}
	return refused.says(map[int]string{
		amqp.AccessRefused:    fmt.Sprintf("The user of this address may not write to the exchange %q.", e.to.Exchange),
		amqp.NotFound:         fmt.Sprintf("The broker has no exchange %q.", e.to.Exchange),
		amqp.ConnectionForced: "The broker is shutting down, or somebody there has closed the connection.",
	}, "The broker refused the event.")
}

// notLetIn is the error for a broker that does not sign somebody in.
func notLetIn(err error) error {
	refused, ok := fromBroker(err)
	switch {
	case errors.Is(err, amqp.ErrCredentials) && !ok: // what the library makes of a connection that ends here
		return &refusal{Answer{Error: "The broker hung up instead of signing in. Most likely the user name or the password of this address is wrong."}}
	case !ok:
		return err
	}
	return &refusal{refused.says(map[int]string{
		amqp.AccessRefused: "The broker does not accept the user name and password of this address.",
		amqp.NotAllowed:    "The broker has no such virtual host, or the user of this address may not use it.",
	}, "The broker refused the connection.")}
}

// spoken is what the broker itself has said: the library has errors of its own of the same
// type, which say less than they seem to.
type spoken amqp.Error

func fromBroker(err error) (*spoken, bool) {
	said, ok := errors.AsType[*amqp.Error](err)
	return (*spoken)(said), ok && said.Server
}

func (s *spoken) says(words map[int]string, otherwise string) Answer {
	text := strconv.Itoa(s.Code) + " " + s.Reason
	return Answer{Status: s.Code, Text: excerpt([]byte(text)), Error: cmp.Or(words[s.Code], otherwise)}
}
