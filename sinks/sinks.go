// Package sinks are the places to which events are delivered.
//
// A sink hands over one event after the other and says what came of each. What waits, in
// which order, and when something is tried again is no business of a sink's: package
// webhooks does that, and does it for all kinds alike. A sink connects when there is
// something to send, through the guard of package egress, and to nothing before that.
package sinks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"switchboard/egress"
	"switchboard/fault"
)

// Sink takes events. Its methods may be called from any goroutine.
type Sink interface {
	// Send hands an event over and returns when the place has it for good, has refused it, or
	// ctx ends.
	Send(ctx context.Context, m Message) Answer
	// Close ends the connections; nothing is sent after it.
	Close()
}

// AtOnce is for how many events at the same time a sink is made; more go out more slowly.
const AtOnce = 8

// Kind of a sink.
type Kind string

// The kinds.
const (
	HTTP Kind = "webhook"
	AMQP Kind = "amqp" // 0-9-1, as RabbitMQ speaks it
	NATS Kind = "nats" // JetStream
)

// Target is where events go.
type Target struct {
	Kind       Kind
	URL        string
	SkipVerify bool   // takes any TLS certificate
	Name       string // of whoever connects, for the lists of a broker

	// Of AMQP. Without an exchange, the routing key is the name of a queue.
	Exchange, RoutingKey string

	Subject string // of NATS
}

// Message is an event on its way.
type Message struct {
	ID     string // the same at every repetition
	Number string // whose event it is, its id
	Event  string // its name
	Chat   string // "" without one
	At     time.Time
	Body   []byte
	Header http.Header // what goes with it: signatures, and what the owner wants
}

// Answer is what came of sending one event.
type Answer struct {
	Status int           // of HTTP, or with which a broker refused the event; 0 without one
	Text   string        // the beginning of what the place answered
	Error  string        // why it has not got the event, in words without secrets; "" if it has
	After  time.Duration // how long the place asks to be left alone
}

// Open returns a sink. Events go out through guard.
func Open(to Target, guard *egress.Guard) Sink {
	switch to.Kind {
	case AMQP:
		return newExchange(to, guard)
	case NATS:
		return newStream(to, guard)
	default:
		return newEndpoint(to, guard)
	}
}

// secure is how TLS is spoken with a target.
func secure(to Target) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: to.SkipVerify} //nolint:gosec // somebody asked for it, for this target
}

// inWords says why there was no answer, without the address, which may hold secrets.
func inWords(err error) string {
	var f *fault.Error
	var byName *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &f):
		return f.Message
	case errors.As(err, &byName):
		return "The name of the endpoint's host cannot be resolved."
	case errors.As(err, &certificate):
		return "The endpoint's certificate is not valid."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "The endpoint did not answer in time."
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return "Nothing answers at the endpoint's address."
	}
	return "The connection to the endpoint broke off."
}

// keptAnswer is how much of an answer is kept, in bytes.
const keptAnswer = 1 << 10

// excerpt is the beginning of an answer as text that every database stores.
func excerpt(b []byte) string {
	b = b[:min(len(b), keptAnswer)]
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
}
