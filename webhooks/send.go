package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchboard/egress"
	"switchboard/fault"
)

// keptResponse is how much of an answer is kept, in bytes.
const keptResponse = 1 << 10

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
	h.Set("User-Agent", "Switchboard")
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
	Status   int           `json:"status"`   // of HTTP, 0 without an answer
	Error    string        `json:"error"`    // in words; "" if the endpoint took it
	Response string        `json:"response"` // the beginning of its answer

	after time.Duration // what the endpoint asks to wait
}

// senders are the clients that make the requests, each made when it is first needed.
type senders struct {
	mu              sync.Mutex
	strict, lenient *http.Transport
}

func (s *senders) transport(guard *egress.Guard, skipVerify bool) *http.Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	which := &s.strict
	if skipVerify {
		which = &s.lenient
	}
	if *which == nil {
		t := guard.Transport()
		t.MaxIdleConnsPerHost = perEndpoint // they end soon after the last event
		if skipVerify {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // somebody asked for it, for this endpoint
		}
		*which = t
	}
	return *which
}

func (s *senders) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range []*http.Transport{s.strict, s.lenient} {
		if t != nil {
			t.CloseIdleConnections()
		}
	}
}

// post makes one attempt. Redirects are not followed: an endpoint that has moved is told to
// its owner, not found by whoever holds its old address.
func (w *Webhooks) post(ctx context.Context, p endpoint, id string, body []byte) Attempt {
	a := Attempt{At: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, w.pace.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		a.Error = "The address of this webhook is not valid."
		return a
	}
	r.Header = headersOf(p, id, body, a.At)
	if u := r.URL.User; u != nil && r.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		r.SetBasicAuth(u.Username(), password)
	}
	res, err := w.senders.transport(w.o.Guard, p.SkipVerify).RoundTrip(r)
	if err != nil {
		a.Latency, a.Error = time.Since(a.At), inWords(err)
		return a
	}
	defer res.Body.Close()
	// Of a long answer a little more is read, so that the connection can be used again. One
	// that breaks off is an answer all the same.
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 16*keptResponse))
	a.Latency, a.Status = time.Since(a.At), res.StatusCode
	a.Response = p.mask(excerpt(answer))
	switch {
	case res.StatusCode/100 == 2: // whatever came of its body
	case res.StatusCode/100 == 3:
		a.Error = "The endpoint answered with a redirect, which is not followed."
	default:
		a.Error = "The endpoint answered with the status " + strconv.Itoa(res.StatusCode) + "."
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			a.after = min(time.Duration(seconds)*time.Second, w.pace.longest)
		}
	}
	return a
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

// excerpt is the beginning of an answer as text that every database stores.
func excerpt(b []byte) string {
	b = b[:min(len(b), keptResponse)]
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
}

// mask takes an endpoint's secrets out of a text: an answer may repeat the request.
func (p endpoint) mask(text string) string {
	for _, secret := range p.secrets() {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}

const hidden = "•••"

// secrets are the texts that must not be shown, the long ones first.
func (p endpoint) secrets() []string {
	all := []string{p.Secret, strings.TrimPrefix(p.Secret, secretPrefix)}
	for _, value := range p.Headers {
		all = append(all, value)
		if _, token, ok := strings.Cut(value, " "); ok { // "Bearer …"
			all = append(all, token)
		}
	}
	if u, err := url.Parse(p.URL); err == nil {
		if password, ok := u.User.Password(); ok {
			all = append(all, password)
		}
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	kept := all[:0]
	for _, s := range all {
		if len(s) >= 4 { // shorter ones are no secrets, and would tear every text
			kept = append(kept, s)
		}
	}
	return kept
}

// MaskURL is an address as it may be shown to whoever looks at deliveries: without the
// password and the values of its query.
func MaskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.User != nil {
		shown = u.Scheme + "://" + hidden + "@" + u.Host + u.EscapedPath()
	}
	if u.RawQuery != "" {
		shown += "?" + hidden
	}
	return shown
}
