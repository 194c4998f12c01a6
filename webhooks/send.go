package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchboard/egress"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/sinks"
)

// NewSecret returns a random secret as Standard Webhooks has it.
func NewSecret() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(random)
}

const secretPrefix = "whsec_"

// signingKey is what a secret stands for in Standard Webhooks: bytes in base64, or, of a
// secret that somebody made otherwise, its characters.
func signingKey(secret string) []byte {
	if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix)); err == nil && strings.HasPrefix(secret, secretPrefix) {
		return key
	}
	return []byte(secret)
}

func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// headersOf returns what goes with a body to an endpoint: its own headers, who sends, and the
// signatures.
func headersOf(p endpoint, id string, body []byte, at time.Time) http.Header {
	h := http.Header{}
	for name, value := range p.Headers {
		h.Set(name, value)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set("Content-Type", "application/json")
	if p.Kind == "" {
		h.Set("User-Agent", "Switchboard")
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	if p.Secret != "" {
		h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum([]byte(p.Secret), body)))
		h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(
			sum(signingKey(p.Secret), []byte(id+"."+stamp+"."), body)))
	}
	return h
}

// Attempt is what came of one request.
type Attempt struct {
	At       time.Time     `json:"at"`
	Latency  time.Duration `json:"latency_ns"`
	Status   int           `json:"status"`   // as sinks.Answer has it
	Error    string        `json:"error"`    // in words; "" if the endpoint took it
	Response string        `json:"response"` // the beginning of its answer

	after time.Duration // what the endpoint asks to wait
}

// outlets are the sinks of the endpoints, each made when it is first needed.
type outlets struct {
	mu   sync.Mutex
	open map[string]outlet // by the endpoint's id
}

type outlet struct {
	sinks.Sink
	to sinks.Target
}

// of returns the sink of an endpoint of a number as the endpoint is now.
func (o *outlets) of(p endpoint, number instances.ID, guard *egress.Guard) sinks.Sink {
	o.mu.Lock()
	defer o.mu.Unlock()
	to := target(p.Webhook)
	to.Name = "Switchboard " + string(number)
	if now, ok := o.open[p.ID]; ok && now.to == to {
		return now.Sink
	} else if ok {
		now.Close()
	}
	if o.open == nil {
		o.open = map[string]outlet{}
	}
	made := sinks.Open(to, guard)
	o.open[p.ID] = outlet{made, to}
	return made
}

// keep closes the sinks of endpoints that are gone.
func (o *outlets) keep(known map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, one := range o.open {
		if !known[id] {
			one.Close()
			delete(o.open, id)
		}
	}
}

// post makes one attempt to hand over an event whose body is made already.
func (w *Webhooks) post(ctx context.Context, p endpoint, e messages.Event, body []byte) Attempt {
	at := time.Now()
	ctx, cancel := context.WithTimeout(ctx, w.pace.timeout)
	defer cancel()
	answer := w.outlets.of(p, w.o.ID, w.o.Guard).Send(ctx, sinks.Message{
		ID: e.ID, Number: string(w.o.ID), Event: e.Name, Chat: e.Chat, At: e.At, Body: body, Header: headersOf(p, e.ID, body, at),
	})
	return Attempt{
		At: at, Latency: time.Since(at), Status: answer.Status, Error: answer.Error,
		Response: p.mask(answer.Text), after: min(answer.After, w.pace.longest),
	}
}
