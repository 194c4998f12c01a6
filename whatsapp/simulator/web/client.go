package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/whatsapp/simulator/phone"
)

// Client drives a simulated network over HTTP, for tests that run it in another process. Its
// errors are faults with the sentence that the network answered.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the interface at base, for example http://127.0.0.1:3100.
func NewClient(base string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), http: &http.Client{}}
}

// Network returns where clients find the network.
func (c *Client) Network(ctx context.Context) (Network, error) {
	return get[Network](ctx, c, "/api/network")
}

// AddPhone makes a phone, or returns the one that has this number.
func (c *Client) AddPhone(ctx context.Context, number, name string) (Phone, error) {
	return send[Phone](ctx, c, http.MethodPost, "/api/phones", map[string]string{"number": number, "name": name})
}

// Phone returns a phone.
func (c *Client) Phone(ctx context.Context, number string) (Phone, error) {
	return get[Phone](ctx, c, phonePath(number))
}

// Scan links the device that shows the QR code with this text.
func (c *Client) Scan(ctx context.Context, number, text string) (Linked, error) {
	return send[Linked](ctx, c, http.MethodPost, phonePath(number, "scan"), map[string]string{"text": text})
}

// ScanPicture links the device whose QR code is in a picture (PNG, JPEG or GIF).
func (c *Client) ScanPicture(ctx context.Context, number string, picture []byte) (Linked, error) {
	var out Linked
	err := c.do(ctx, http.MethodPost, phonePath(number, "scan"), http.DetectContentType(picture), bytes.NewReader(picture), &out)
	return out, err
}

// EnterCode links the device that shows this eight-character code.
func (c *Client) EnterCode(ctx context.Context, number, code string) (Linked, error) {
	return send[Linked](ctx, c, http.MethodPost, phonePath(number, "code"), map[string]string{"code": code})
}

// AnswerPasskey answers a WebAuthn request (JSON) with the phone's passkey.
func (c *Client) AnswerPasskey(ctx context.Context, number string, options []byte) ([]byte, error) {
	var out json.RawMessage
	err := c.do(ctx, http.MethodPost, phonePath(number, "passkey"), "application/json", bytes.NewReader(options), &out)
	return out, err
}

// Unlink removes a linked device.
func (c *Client) Unlink(ctx context.Context, number string, device uint16) error {
	return c.do(ctx, http.MethodDelete, phonePath(number, "companions", strconv.Itoa(int(device))), "", nil, nil)
}

// SetOnline switches a phone on or off.
func (c *Client) SetOnline(ctx context.Context, number string, on bool) error {
	return c.post(ctx, http.MethodPatch, phonePath(number), map[string]bool{"online": on})
}

// SetPasskey says whether linking a device asks for a passkey.
func (c *Client) SetPasskey(ctx context.Context, number string, required bool) error {
	return c.post(ctx, http.MethodPatch, phonePath(number), map[string]bool{"passkey": required})
}

// SetAnswer makes a phone answer by itself.
func (c *Client) SetAnswer(ctx context.Context, number string, a Answer) error {
	return c.post(ctx, http.MethodPatch, phonePath(number), map[string]Answer{"answer": a})
}

// Send sends a text from a phone to a number or a group.
func (c *Client) Send(ctx context.Context, number, to, text string) (phone.Entry, error) {
	return send[phone.Entry](ctx, c, http.MethodPost, phonePath(number, "messages"), map[string]string{"to": to, "text": text})
}

// SendFile sends a file from a phone to a number or a group.
func (c *Client) SendFile(ctx context.Context, number, to string, f File) (phone.Entry, error) {
	return send[phone.Entry](ctx, c, http.MethodPost, phonePath(number, "messages"), map[string]any{"to": to, "file": f})
}

// MarkRead tells the other side of a chat that everything was read.
func (c *Client) MarkRead(ctx context.Context, number, chat string) error {
	return c.post(ctx, http.MethodPost, phonePath(number, "read"), map[string]string{"chat": chat})
}

// Messages returns what was added or changed on a phone after a Seq (0 for everything, a page
// at most), and waits for that long if there is nothing.
func (c *Client) Messages(ctx context.Context, number string, after int64, wait time.Duration) (Messages, error) {
	q := url.Values{"after": {strconv.FormatInt(after, 10)}, "wait": {min(wait, maxWait).String()}}
	return get[Messages](ctx, c, phonePath(number, "messages")+"?"+q.Encode())
}

// WaitFor returns the first entry of a phone, in the order of their changes, that is newer
// than after and matches. It fails when none comes in time.
func (c *Client) WaitFor(ctx context.Context, number string, after int64, timeout time.Duration, match func(phone.Entry) bool) (phone.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for seen := 0; ; {
		page, err := c.Messages(ctx, number, after, maxWait)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return phone.Entry{}, fmt.Errorf("no matching message among %d on the phone within %s: %w", seen, timeout, err)
			}
			return phone.Entry{}, err
		}
		for _, e := range page.Messages {
			if match(e) {
				return e, nil
			}
		}
		seen, after = seen+len(page.Messages), page.After
	}
}

// CreateGroup makes a group.
func (c *Client) CreateGroup(ctx context.Context, number, name string, members ...string) (phone.Group, error) {
	return send[phone.Group](ctx, c, http.MethodPost, phonePath(number, "groups"), map[string]any{"name": name, "members": members})
}

// Connections lists the live connections to the network.
func (c *Client) Connections(ctx context.Context) ([]Connection, error) {
	out, err := get[struct{ Connections []Connection }](ctx, c, "/api/connections")
	return out.Connections, err
}

// Stats returns the network's counters.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	return get[Stats](ctx, c, "/api/stats")
}

// Drop closes sockets without a word and returns how many.
func (c *Client) Drop(ctx context.Context, t Target) (int, error) {
	out, err := send[Struck](ctx, c, http.MethodPost, "/api/faults/drop", t)
	return out.Struck, err
}

// Silence makes connections mute and deaf, or ends that.
func (c *Client) Silence(ctx context.Context, t Target, on bool) (int, error) {
	out, err := send[Struck](ctx, c, http.MethodPost, "/api/faults/silence", struct {
		Target
		On bool `json:"on"`
	}{t, on})
	return out.Struck, err
}

// FailStream ends connections with a stream error: replaced, device_removed, 503 or 515.
func (c *Client) FailStream(ctx context.Context, t Target, streamError string) (int, error) {
	out, err := send[Struck](ctx, c, http.MethodPost, "/api/faults/stream", struct {
		Target
		Error string `json:"error"`
	}{t, streamError})
	return out.Struck, err
}

// FailLogins makes coming logins fail; Reason 0 ends that.
func (c *Client) FailLogins(ctx context.Context, l Logins) error {
	return c.post(ctx, http.MethodPost, "/api/faults/logins", l)
}

// RefuseSends answers messages with an error code, 463 for example; 0 ends that.
func (c *Client) RefuseSends(ctx context.Context, t Target, code int) error {
	return c.post(ctx, http.MethodPost, "/api/faults/sends", struct {
		Target
		Code int `json:"code"`
	}{t, code})
}

// Restart closes all connections and opens the network again at the same address.
func (c *Client) Restart(ctx context.Context) error {
	return c.post(ctx, http.MethodPost, "/api/faults/restart", struct{}{})
}

func phonePath(number string, more ...string) string {
	path := "/api/phones/" + url.PathEscape(number)
	for _, m := range more {
		path += "/" + url.PathEscape(m)
	}
	return path
}

func get[T any](ctx context.Context, c *Client, path string) (out T, err error) {
	err = c.do(ctx, http.MethodGet, path, "", nil, &out)
	return out, err
}

func send[T any](ctx context.Context, c *Client, method, path string, in any) (out T, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	err = c.do(ctx, method, path, "application/json", bytes.NewReader(body), &out)
	return out, err
}

func (c *Client) post(ctx context.Context, method, path string, in any) error {
	_, err := send[json.RawMessage](ctx, c, method, path, in)
	return err
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("ask the simulated network: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		var p Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return fmt.Errorf("the simulated network answered %s", resp.Status)
		}
		return &fault.Error{Kind: fault.OfStatus(resp.StatusCode), Message: p.Detail, Field: p.Field}
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the simulated network's answer: %w", err)
	}
	return nil
}
