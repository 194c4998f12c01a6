package webhooks

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/sinks"
)

// Settings is where webhooks are kept; *settings.Keeper is one.
type Settings interface {
	Get(ctx context.Context, id instances.ID) (settings.Settings, error)
	Update(ctx context.Context, id instances.ID, change func(*settings.Settings) error) error
}

// Workers reaches the worker of a number; *instances.Supervisor is one.
type Workers interface {
	Outbox(ctx context.Context, v instances.Viewer, id instances.ID, what string, in, out any) error
}

// Desk is what people do with webhooks and deliveries. Whether whoever asks may see the
// number is to be found out before. The webhooks of settings.Shared are those for all numbers.
type Desk struct {
	Settings Settings
	Workers  Workers
	// Read gives use the database of a number, for reading only, whether the number runs or
	// not.
	Read func(ctx context.Context, id instances.ID, use func(*sql.DB) error) error
}

const (
	mostWebhooks = 50
	mostHeaders  = 20
	mostPatterns = 200
	longestValue = 2000
	longestText  = 500
)

// VariablePrefix begins the ids of webhooks that come from variables.
const VariablePrefix = "variable_"

// Wish is what a webhook is to be; nil leaves what is there.
type Wish struct {
	Kind        *string            `json:"kind"` // of a new one only; see sinks.Kind
	URL         *string            `json:"url"`  // a password that is masked stays as it is
	Exchange    *string            `json:"exchange"`
	RoutingKey  *string            `json:"routing_key"`
	Subject     *string            `json:"subject"`
	Secret      *string            `json:"secret"` // "" for a random one
	Events      *[]string          `json:"events"`
	Chats       *[]string          `json:"chats"`
	IgnoreChats *[]string          `json:"ignore_chats"`
	Headers     *map[string]string `json:"headers"` // a value that is masked stays as it is
	Paused      *bool              `json:"paused"`
	SkipVerify  *bool              `json:"skip_verify"`
}

// List returns the webhooks of a number, oldest first, and behind them those for all numbers.
func (d Desk) List(ctx context.Context, id instances.ID) ([]settings.Webhook, error) {
	own, err := d.Settings.Get(ctx, id)
	if err != nil || id == settings.Shared {
		return own.Webhooks, err
	}
	shared, err := d.Settings.Get(ctx, settings.Shared)
	return slices.Concat(own.Webhooks, shared.Webhooks), err
}

// Get returns one webhook of a number, or one for all numbers.
func (d Desk) Get(ctx context.Context, id instances.ID, hook string) (settings.Webhook, error) {
	list, err := d.List(ctx, id)
	if err != nil {
		return settings.Webhook{}, err
	}
	n := slices.IndexFunc(list, func(w settings.Webhook) bool { return w.ID == hook })
	if n < 0 {
		return settings.Webhook{}, unknownHook()
	}
	return list[n], nil
}

func unknownHook() error {
	return fault.New(fault.NotFound, "This webhook does not exist. It may have been deleted.")
}

// Add makes a webhook. Its secret is in what is returned.
func (d Desk) Add(ctx context.Context, id instances.ID, wish Wish) (made settings.Webhook, err error) {
	if wish.URL == nil {
		return made, fault.InField("url", "Give the address that events are sent to.")
	}
	made = settings.Webhook{
		ID: "wh_" + strings.ToLower(rand.Text()[:16]), Shared: id == settings.Shared, Secret: NewSecret(),
		CreatedAt: time.Now().UTC().Truncate(time.Second),
	}
	if err := wish.apply(&made); err != nil {
		return made, err
	}
	return made, d.Settings.Update(ctx, id, func(s *settings.Settings) error {
		if len(s.Webhooks) >= mostWebhooks {
			return fault.New(fault.Conflict, fmt.Sprintf("There are %d webhooks, which is the most. Delete one that is not used any more.", mostWebhooks))
		}
		s.Webhooks = append(slices.Clip(s.Webhooks), made)
		return nil
	})
}

// Change changes a webhook and returns it as it is then.
func (d Desk) Change(ctx context.Context, id instances.ID, hook string, wish Wish) (changed settings.Webhook, err error) {
	err = d.change(ctx, id, hook, func(s *settings.Settings, n int) error {
		w := s.Webhooks[n]
		if err := wish.apply(&w); err != nil {
			return err
		}
		s.Webhooks, changed = slices.Clone(s.Webhooks), w
		s.Webhooks[n] = w
		return nil
	})
	return changed, err
}

// Remove deletes a webhook. What waits for it is parked.
func (d Desk) Remove(ctx context.Context, id instances.ID, hook string) error {
	return d.change(ctx, id, hook, func(s *settings.Settings, n int) error {
		s.Webhooks = slices.Concat(s.Webhooks[:n], s.Webhooks[n+1:])
		return nil
	})
}

// Rotate gives a webhook another random secret and returns it.
func (d Desk) Rotate(ctx context.Context, id instances.ID, hook string) (string, error) {
	w, err := d.Change(ctx, id, hook, Wish{Secret: new("")})
	return w.Secret, err
}

// change changes the settings that have a webhook, at its place there.
func (d Desk) change(ctx context.Context, id instances.ID, hook string, do func(s *settings.Settings, n int) error) error {
	if strings.HasPrefix(hook, VariablePrefix) {
		return fault.New(fault.Conflict, "This webhook comes from the variable WHATSAPP_WEBHOOK. Change it there and restart Switchboard.")
	}
	return d.Settings.Update(ctx, id, func(s *settings.Settings) error {
		n := slices.IndexFunc(s.Webhooks, func(w settings.Webhook) bool { return w.ID == hook })
		if n < 0 {
			return unknownHook()
		}
		return do(s, n)
	})
}

// aim changes where the events of w go.
func (wish Wish) aim(w *settings.Webhook) error {
	if wish.Kind == nil && wish.URL == nil && wish.Exchange == nil && wish.RoutingKey == nil && wish.Subject == nil {
		return nil
	}
	to := target(*w)
	if wish.Kind != nil && *wish.Kind != "" {
		if w.URL != "" && *wish.Kind != string(to.Kind) {
			return fault.InField("kind", "The kind of an endpoint cannot be changed. Add another one and delete this one.")
		}
		to.Kind = sinks.Kind(*wish.Kind)
	}
	if wish.URL != nil {
		var err error
		if to.URL, err = unmask(*wish.URL, *w); err != nil {
			return err
		}
	}
	for into, from := range map[*string]*string{&to.Exchange: wish.Exchange, &to.RoutingKey: wish.RoutingKey, &to.Subject: wish.Subject} {
		if from != nil {
			*into = *from
		}
	}
	to, err := to.Check()
	if err != nil {
		return err
	}
	w.Kind, w.URL, w.Exchange, w.RoutingKey, w.Subject = string(to.Kind), to.URL, to.Exchange, to.RoutingKey, to.Subject
	if to.Kind == sinks.HTTP {
		w.Kind = "" // as those have it that were made before there were others
	}
	return nil
}

// apply changes w as wished.
func (wish Wish) apply(w *settings.Webhook) error {
	if err := wish.aim(w); err != nil {
		return err
	}
	if wish.Secret != nil {
		w.Secret = strings.TrimSpace(*wish.Secret)
		switch {
		case w.Secret == "":
			w.Secret = NewSecret()
		case len(w.Secret) < 8 || len(w.Secret) > longestText || !printable(w.Secret):
			return fault.InField("secret", "A secret of your own has 8 to 500 printable ASCII characters.")
		}
	}
	for name, list := range map[string]struct {
		from *[]string
		to   *[]string
	}{"events": {wish.Events, &w.Events}, "chats": {wish.Chats, &w.Chats}, "ignore_chats": {wish.IgnoreChats, &w.IgnoreChats}} {
		if list.from == nil {
			continue
		}
		clean := lower(*list.from)
		if len(clean) > mostPatterns {
			return fault.InField(name, fmt.Sprintf("There are %d entries at most.", mostPatterns))
		}
		for _, pattern := range clean {
			if err := checkPattern(name, pattern); err != nil {
				return err
			}
		}
		*list.to = clean
	}
	if wish.Headers != nil {
		headers, err := checkHeaders(*wish.Headers, w.Headers)
		if err != nil {
			return err
		}
		w.Headers = headers
	}
	if wish.Paused != nil {
		w.Paused = *wish.Paused
	}
	if wish.SkipVerify != nil {
		w.SkipVerify = *wish.SkipVerify
	}
	return nil
}

func checkPattern(field, pattern string) error {
	if field == "events" {
		if !Known(pattern) {
			return fault.InField(field, fmt.Sprintf("%.100q is no name of an event. Names are %s and connection. with a status; message.* stands for all below message.",
				pattern, strings.Join(names, ", ")))
		}
		return nil
	}
	user, server, at := strings.Cut(pattern, "@")
	if !at || user == "" || server == "" || len(pattern) > 200 || strings.ContainsAny(pattern, " ,;") || strings.Contains(user, "*") && user != "*" {
		return fault.InField(field, fmt.Sprintf("%q is no chat. A chat is for example 491701234567@s.whatsapp.net; *@g.us stands for all groups.", pattern))
	}
	return nil
}

// ownHeaders are those that a delivery has anyway, or that are not a receiver's business.
var ownHeaders = []string{
	"Connection", "Content-Length", "Content-Type", "Expect", "Host", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Webhook-Id", "Webhook-Signature", "Webhook-Timestamp", "X-Hub-Signature-256",
}

func checkHeaders(in, before map[string]string) (map[string]string, error) {
	if len(in) > mostHeaders {
		return nil, fault.InField("headers", fmt.Sprintf("There are %d headers at most.", mostHeaders))
	}
	out := make(map[string]string, len(in))
	for name, value := range in {
		key := http.CanonicalHeaderKey(strings.TrimSpace(name))
		if value == hidden {
			value = before[key]
		}
		switch {
		case key == "" || len(key) > 100 || strings.Trim(strings.ToLower(key), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return nil, fault.InField("headers", fmt.Sprintf("%q is no name of a header.", name))
		case slices.Contains(ownHeaders, key), strings.HasPrefix(key, "Nats-"):
			return nil, fault.InField("headers", "The header "+key+" is set by Switchboard itself.")
		case len(value) > longestValue || !printable(value):
			return nil, fault.InField("headers", "The value of the header "+key+" has to be printable ASCII, 2000 characters at most.")
		}
		out[key] = value
	}
	return out, nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

// Masked is a webhook as it may be shown: without its secret, the values of its headers and
// the password in its address, and for those who only look without what may be secret in its address.
func Masked(w settings.Webhook, looksOnly bool) settings.Webhook {
	w.Secret = ""
	w.Headers = maps.Clone(w.Headers)
	for name := range w.Headers {
		w.Headers[name] = hidden
	}
	w.URL = maskPassword(w)
	if looksOnly {
		w.URL = MaskURL(w.URL)
	}
	return w
}

// Standings returns how the webhooks of a number stand; see the function.
func (d Desk) Standings(ctx context.Context, id instances.ID) (all map[string]Standing, err error) {
	err = d.read(ctx, id, func(db *sql.DB) (err error) {
		all, err = Standings(ctx, db)
		return err
	})
	return all, err
}

// Deliveries returns deliveries of a number; see List.
func (d Desk) Deliveries(ctx context.Context, id instances.ID, f Filter, after string, limit int) (all []Delivery, err error) {
	err = d.read(ctx, id, func(db *sql.DB) (err error) {
		all, err = List(ctx, db, f, after, limit)
		return err
	})
	return all, err
}

// Delivery returns one delivery of a number; see Find.
func (d Desk) Delivery(ctx context.Context, id instances.ID, delivery string) (found Detail, err error) {
	list, err := d.List(ctx, id)
	if err != nil {
		return found, err
	}
	err = d.read(ctx, id, func(db *sql.DB) (err error) {
		found, err = Find(ctx, db, delivery, list)
		return err
	})
	return found, err
}

func (d Desk) read(ctx context.Context, id instances.ID, use func(*sql.DB) error) error {
	err := d.Read(ctx, id, use)
	if err != nil && fault.KindOf(err) == fault.Internal {
		err = fault.Wrap(fault.Unavailable, "The deliveries of this number cannot be read at the moment. Try again in a minute.", err)
	}
	return err
}

// Resend has deliveries made again and returns how many; see Webhooks.Resend. Only the worker
// of a number does that.
func (d Desk) Resend(ctx context.Context, v instances.Viewer, id instances.ID, f Filter) (int64, error) {
	var out Count
	err := d.Workers.Outbox(ctx, v, id, DoResend, f, &out)
	return out.Count, err
}

// Test has a test event posted; see Webhooks.Test.
func (d Desk) Test(ctx context.Context, v instances.Viewer, id instances.ID, hook string) (out Attempt, err error) {
	return out, d.Workers.Outbox(ctx, v, id, DoTest, Which{hook}, &out)
}

// Resume has a webhook that fails tried at once; see Webhooks.Resume.
func (d Desk) Resume(ctx context.Context, v instances.Viewer, id instances.ID, hook string) error {
	if _, err := d.Get(ctx, id, hook); err != nil {
		return err
	}
	return d.Workers.Outbox(ctx, v, id, DoResume, Which{hook}, nil)
}
