package control

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/instances"
)

// How long a worker may take to answer. A context that ends earlier wins.
const (
	quickly    = 15 * time.Second
	viaNetwork = 90 * time.Second // WhatsApp's servers are asked on the way
)

// How long the client waits before it opens a broken report stream again.
const (
	firstRedial = 20 * time.Millisecond
	maxRedial   = time.Second
)

// Client asks a worker over its control socket: it is the asking half of instances.Worker.
// Methods return the worker's own faults, and fault.Unavailable when it does not answer.
// They are safe for concurrent use.
type Client struct {
	token     string
	transport *http.Transport
}

// Dial returns a client for the worker with that pid behind socket. It connects when it is first
// asked, and gives the token to no other process that may have put its socket there.
func Dial(socket, token string, pid int) *Client {
	return &Client{token: token, transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return connect(ctx, socket, pid)
		},
		MaxIdleConns:       4,
		IdleConnTimeout:    30 * time.Second,
		DisableCompression: true,
	}}
}

// Hang closes the connections that nothing uses. The client stays usable.
func (c *Client) Hang() { c.transport.CloseIdleConnections() }

// Reports streams the worker's reports, the present one first, until ctx ends; then the
// channel is closed. A stream that breaks is opened again.
func (c *Client) Reports(ctx context.Context) <-chan instances.Report {
	out := make(chan instances.Report)
	go func() {
		defer close(out)
		wait := firstRedial
		for ctx.Err() == nil {
			if c.stream(ctx, out) {
				wait = firstRedial
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			wait = min(2*wait, maxRedial)
		}
	}()
	return out
}

// stream passes reports on until the stream breaks, and tells whether any came.
func (c *Client) stream(ctx context.Context, out chan<- instances.Report) (any bool) {
	res, err := c.do(ctx, http.MethodGet, pathReports, nil)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	for lines := json.NewDecoder(res.Body); ; any = true {
		var report instances.Report
		if lines.Decode(&report) != nil {
			return any
		}
		select {
		case out <- report:
		case <-ctx.Done():
			return any
		}
	}
}

// Pair begins a new round of QR codes.
func (c *Client) Pair(ctx context.Context) error {
	return c.ask(ctx, quickly, pathPair, nil, nil)
}

// PairPhone asks for a code to type on the phone with that number (digits).
func (c *Client) PairPhone(ctx context.Context, phone string) (code instances.PhoneCode, err error) {
	err = c.ask(ctx, viaNetwork, pathPairPhone, phoneRequest{phone}, &code)
	return code, err
}

// AnswerPasskey passes on the authenticator's PublicKeyCredential (JSON).
func (c *Client) AnswerPasskey(ctx context.Context, credential []byte) error {
	return c.ask(ctx, viaNetwork, pathAnswerPasskey, passkeyRequest{credential}, nil)
}

// ConfirmPasskey says that the person compared the code with the phone.
func (c *Client) ConfirmPasskey(ctx context.Context) error {
	return c.ask(ctx, viaNetwork, pathConfirmPasskey, nil, nil)
}

// Logout unlinks the number from the phone.
func (c *Client) Logout(ctx context.Context) error {
	return c.ask(ctx, viaNetwork, pathLogout, nil, nil)
}

// Reconnect drops the connection to WhatsApp and makes a new one.
func (c *Client) Reconnect(ctx context.Context) error {
	return c.ask(ctx, quickly, pathReconnect, nil, nil)
}

// SendText sends a text and returns when WhatsApp's server has acknowledged it.
func (c *Client) SendText(ctx context.Context, to, text string) (sent instances.Sent, err error) {
	err = c.ask(ctx, viaNetwork, pathSendText, textRequest{to, text}, &sent)
	return sent, err
}

// Configure gives the worker the settings to work by from now on.
func (c *Client) Configure(ctx context.Context, document json.RawMessage) error {
	ctx, cancel := context.WithTimeout(ctx, quickly)
	defer cancel()
	res, err := c.do(ctx, http.MethodPut, pathSettings, document)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Outbox asks for something about the events of the number. in and out are JSON objects, or
// nil.
func (c *Client) Outbox(ctx context.Context, what string, in, out any) error {
	return c.ask(ctx, viaNetwork, pathOutbox+what, in, out)
}

// Events calls tell with the events of the number from the one after an event on, and with
// nil at the beginning and whenever none came for a while, until ctx ends, tell fails or the
// worker ends the stream.
func (c *Client) Events(ctx context.Context, after string, tell func(json.RawMessage) error) error {
	res, err := c.do(ctx, http.MethodGet, pathEvents+"?after="+url.QueryEscape(after), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for lines := json.NewDecoder(res.Body); ; {
		var line json.RawMessage
		if err := lines.Decode(&line); err != nil {
			return unreachable(ctx, err)
		}
		if string(line) == "null" {
			line = nil
		}
		if err := tell(line); err != nil {
			return err
		}
	}
}

// Stop asks the worker to end. It returns when the worker has heard it.
func (c *Client) Stop(ctx context.Context) error {
	return c.ask(ctx, quickly, pathStop, nil, nil)
}

// API reaches the worker's REST API: the request's path is the API's path; scheme and host
// do not matter. An error is fault.Unavailable.
func (c *Client) API() http.RoundTripper { return forwarder{c} }

type forwarder struct{ c *Client }

func (f forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", "worker"
	r.URL.Path = pathAPI + "/" + strings.TrimPrefix(r.URL.Path, "/")
	if r.URL.RawPath != "" {
		r.URL.RawPath = pathAPI + "/" + strings.TrimPrefix(r.URL.RawPath, "/")
	}
	r.Header.Set(tokenHeader, f.c.token)
	res, err := f.c.transport.RoundTrip(r)
	if err != nil {
		return nil, unreachable(r.Context(), err)
	}
	return res, nil
}

// ask puts one question: in and out are JSON objects, or nil.
func (c *Client) ask(ctx context.Context, limit time.Duration, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil { // only a passed-on document can be wrong
			return fault.Wrap(fault.Invalid, "This is not the JSON document that it has to be. Try again.", err)
		}
	}
	res, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(out); err != nil {
		return unreachable(ctx, err)
	}
	return nil
}

// do sends one request. The answer is 2xx and its body is to be closed, or it is an error.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://worker"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set(tokenHeader, c.token)
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		return nil, readTrouble(res)
	}
	return res, nil
}
