package sinks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"switchboard/egress"
)

// endpoint takes events as HTTP requests.
type endpoint struct {
	url       string
	transport *http.Transport
}

func newEndpoint(to Target, guard *egress.Guard) *endpoint {
	t := guard.Transport()
	t.MaxIdleConnsPerHost = AtOnce // they end soon after the last event
	t.TLSClientConfig = secure(to)
	return &endpoint{to.URL, t}
}

// Close ends the connections that are kept.
func (e *endpoint) Close() { e.transport.CloseIdleConnections() }

// Send posts an event. Redirects are not followed: an endpoint that has moved is told to its
// owner, not found by whoever holds its old address.
func (e *endpoint) Send(ctx context.Context, m Message) Answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(m.Body))
	if err != nil {
		return Answer{Error: "The address of this webhook is not valid."}
	}
	r.Header = m.Header
	if u := r.URL.User; u != nil && r.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		r.SetBasicAuth(u.Username(), password)
	}
	res, err := e.transport.RoundTrip(r)
	if err != nil {
		return Answer{Error: inWords(err)}
	}
	defer res.Body.Close()
	// Of a long answer a little more is read, so that the connection can be used again. One
	// that breaks off is an answer all the same.
	text, _ := io.ReadAll(io.LimitReader(res.Body, 16*keptAnswer))
	a := Answer{Status: res.StatusCode, Text: excerpt(text)}
	switch {
	case res.StatusCode/100 == 2: // whatever came of its body
	case res.StatusCode/100 == 3:
		a.Error = "The endpoint answered with a redirect, which is not followed."
	default:
		a.Error = "The endpoint answered with the status " + strconv.Itoa(res.StatusCode) + "."
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			a.After = time.Duration(seconds) * time.Second
		}
	}
	return a
}
