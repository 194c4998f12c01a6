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
	"switchboard/whatsapp/simulator"
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

// SetAvailable says whether the phone's owner looks at it.
func (c *Client) SetAvailable(ctx context.Context, number string, on bool) error {
	return c.post(ctx, http.MethodPatch, phonePath(number), map[string]bool{"available": on})
}

// Subscribe has a phone be told when somebody becomes available; see phone.View.
func (c *Client) Subscribe(ctx context.Context, number, other string) error {
	return c.post(ctx, http.MethodPost, phonePath(number, "subscribe"), map[string]string{"number": other})
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

// Download returns the file of a message, opened.
func (c *Client) Download(ctx context.Context, number, chat, id string) ([]byte, error) {
	return c.bytes(ctx, phonePath(number, "messages", id, "file")+"?"+url.Values{"chat": {chat}}.Encode())
}

// Expire has the network forget the file of a message; kept says whether the phone keeps it.
func (c *Client) Expire(ctx context.Context, number, chat, id string, kept bool) error {
	return c.post(ctx, http.MethodPost, phonePath(number, "messages", id, "expire"), map[string]any{"chat": chat, "kept": kept})
}

// React reacts to a message; "" takes the reaction back.
func (c *Client) React(ctx context.Context, number, chat, id, reaction string) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "messages", id), map[string]string{"chat": chat, "reaction": reaction})
}

// SendPoll asks a number or a group.
func (c *Client) SendPoll(ctx context.Context, number, to string, q Poll) (phone.Entry, error) {
	return send[phone.Entry](ctx, c, http.MethodPost, phonePath(number, "messages"), map[string]any{"to": to, "poll": q})
}

// Vote chooses options of a poll; none takes the vote back.
func (c *Client) Vote(ctx context.Context, number, chat, id string, options ...string) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "messages", id), map[string]any{"chat": chat, "votes": append([]string{}, options...)})
}

// DeleteForMe deletes a message on the account's own devices.
func (c *Client) DeleteForMe(ctx context.Context, number, chat, id string) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "messages", id), map[string]any{"chat": chat, "deleted": true})
}

// EditLabel makes a label or names it anew.
func (c *Client) EditLabel(ctx context.Context, number, label, name string) error {
	return c.post(ctx, http.MethodPut, phonePath(number, "labels", label), map[string]any{"name": name})
}

// LabelChat puts a label on a chat, or takes it off.
func (c *Client) LabelChat(ctx context.Context, number, label, chat string, on bool) error {
	return c.post(ctx, http.MethodPut, phonePath(number, "labels", label), map[string]any{"chat": chat, "on": on})
}

// MuteChannel has a channel be silent, or no longer.
func (c *Client) MuteChannel(ctx context.Context, number, id string, muted bool) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "channels", id), map[string]bool{"muted": muted})
}

// Edit gives one of the phone's messages another text.
func (c *Client) Edit(ctx context.Context, number, chat, id, text string) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "messages", id), map[string]string{"chat": chat, "text": text})
}

// Typing tells the other side of a chat that something is being typed.
func (c *Client) Typing(ctx context.Context, number, chat string, typing bool) error {
	return c.post(ctx, http.MethodPost, phonePath(number, "typing"), map[string]any{"chat": chat, "typing": typing})
}

// Revoke takes a message back.
func (c *Client) Revoke(ctx context.Context, number, chat, id string) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "messages", id), map[string]any{"chat": chat, "revoked": true})
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

// ChangeGroup changes a group.
func (c *Client) ChangeGroup(ctx context.Context, number, group string, change map[string]any) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "groups", group), change)
}

// Group returns a group as a phone sees it.
func (c *Client) Group(ctx context.Context, number, id string) (phone.Group, error) {
	out, err := get[struct{ Groups []phone.Group }](ctx, c, phonePath(number, "groups"))
	for _, g := range out.Groups {
		if g.ID == id {
			return g, nil
		}
	}
	if err == nil {
		err = fault.New(fault.NotFound, "This phone is in no such group.")
	}
	return phone.Group{}, err
}

// GroupLink returns the link by which people join a group.
func (c *Client) GroupLink(ctx context.Context, number, group string) (string, error) {
	out, err := get[struct{ Link string }](ctx, c, phonePath(number, "groups", group, "link"))
	return out.Link, err
}

// JoinGroup joins a group by its link, or asks to be let in.
func (c *Client) JoinGroup(ctx context.Context, number, link string) error {
	return c.post(ctx, http.MethodPost, phonePath(number, "join"), map[string]string{"link": link})
}

// WaitView returns what the owner of a phone sees, once it matches.
func (c *Client) WaitView(ctx context.Context, number string, timeout time.Duration, match func(phone.View) bool) (phone.View, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	view := phone.View{Version: -1}
	for {
		q := url.Values{"after": {strconv.FormatInt(view.Version, 10)}, "wait": {maxWait.String()}}
		next, err := get[phone.View](ctx, c, phonePath(number, "view")+"?"+q.Encode())
		if err != nil {
			return view, fmt.Errorf("the view did not become what was expected, but %+v: %w", view, err)
		}
		if view = next; match(view) {
			return view, nil
		}
	}
}

// Profile returns what the network's servers know of a phone's owner.
func (c *Client) Profile(ctx context.Context, number string) (simulator.Profile, error) {
	return get[simulator.Profile](ctx, c, phonePath(number, "profile"))
}

// ChangeProfile changes about, privacy and business.
func (c *Client) ChangeProfile(ctx context.Context, number string, change map[string]any) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "profile"), change)
}

// Picture fetches the picture of a person or a group as a phone sees it.
func (c *Client) Picture(ctx context.Context, number, of string) ([]byte, error) {
	return c.bytes(ctx, phonePath(number, "picture")+"?of="+url.QueryEscape(of))
}

// SetPicture makes a JPEG file a phone's own picture; an empty one takes it away.
func (c *Client) SetPicture(ctx context.Context, number string, jpeg []byte) error {
	return c.do(ctx, http.MethodPut, phonePath(number, "picture"), "image/jpeg", bytes.NewReader(jpeg), nil)
}

// See returns what a phone is shown of somebody.
func (c *Client) See(ctx context.Context, number, other string) (phone.Seen, error) {
	return get[phone.Seen](ctx, c, phonePath(number, "people", other))
}

// SaveContact puts somebody into a phone's address book.
func (c *Client) SaveContact(ctx context.Context, number, other, name string) error {
	return c.post(ctx, http.MethodPost, phonePath(number, "contacts"), map[string]string{"number": other, "name": name})
}

// Call begins a call.
func (c *Client) Call(ctx context.Context, number, to string) (phone.Call, error) {
	return send[phone.Call](ctx, c, http.MethodPost, phonePath(number, "calls"), map[string]string{"to": to})
}

// EndCall hangs a call up, or turns it down.
func (c *Client) EndCall(ctx context.Context, number, id string) error {
	return c.do(ctx, http.MethodDelete, phonePath(number, "calls", id), "", nil, nil)
}

// CreateChannel makes a channel.
func (c *Client) CreateChannel(ctx context.Context, number, name, description string) (phone.Channel, error) {
	return send[phone.Channel](ctx, c, http.MethodPost, phonePath(number, "channels"), map[string]string{"name": name, "description": description})
}

// Channels lists the channels that a phone owns or follows.
func (c *Client) Channels(ctx context.Context, number string) ([]phone.Channel, error) {
	out, err := get[struct{ Channels []phone.Channel }](ctx, c, phonePath(number, "channels"))
	return out.Channels, err
}

// FollowChannel follows a channel, or no longer.
func (c *Client) FollowChannel(ctx context.Context, number, id string, follow bool) error {
	return c.post(ctx, http.MethodPatch, phonePath(number, "channels", id), map[string]bool{"follow": follow})
}

// ReactInChannel reacts to a message of a channel.
func (c *Client) ReactInChannel(ctx context.Context, number, id string, message int, reaction string) error {
	return c.post(ctx, http.MethodPut, phonePath(number, "channels", id, "messages", strconv.Itoa(message), "reaction"), map[string]string{"reaction": reaction})
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

// RefuseUploads makes uploads of media fail, or ends that.
func (c *Client) RefuseUploads(ctx context.Context, t Target, on bool) error {
	return c.post(ctx, http.MethodPost, "/api/faults/uploads", struct {
		Target
		On bool `json:"on"`
	}{t, on})
}

// LosePasskeys loses so many of the answers that are given for the passkey of an account.
func (c *Client) LosePasskeys(ctx context.Context, number string, times int) error {
	return c.post(ctx, http.MethodPost, "/api/faults/passkeys", map[string]any{"number": number, "times": times})
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

// bytes asks for a file.
func (c *Client) bytes(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the simulated network: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return nil, readProblem(resp)
	}
	return io.ReadAll(resp.Body)
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
		return readProblem(resp)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the simulated network's answer: %w", err)
	}
	return nil
}

// readProblem reads an answer that is an error.
func readProblem(resp *http.Response) error {
	var p Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		return fmt.Errorf("the simulated network answered %s", resp.Status)
	}
	return &fault.Error{Kind: fault.OfStatus(resp.StatusCode), Message: p.Detail, Field: p.Field}
}
