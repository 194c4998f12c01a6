package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
)

// Settings keeps the settings of numbers; *settings.Keeper is one.
type Settings interface {
	Get(ctx context.Context, id instances.ID) (settings.Settings, error)
	Update(ctx context.Context, id instances.ID, change func(*settings.Settings) error) error
}

// deviceHook is the id of the one webhook of a number that clients here know. Others, made
// elsewhere, are no business of theirs.
const deviceHook = "device"

// webhook is how clients see a number's webhook.
type webhook struct {
	DeviceID   instances.ID `json:"device_id"`
	URL        string       `json:"webhook_url"`
	Secret     string       `json:"webhook_secret"`
	Events     string       `json:"webhook_events"`
	SkipVerify bool         `json:"webhook_insecure_skip_verify"`
}

// wish is what clients want of a webhook; nil leaves it.
type wish struct {
	Device     string  `json:"device_id"`
	URL        *string `json:"webhook_url"`
	Secret     *string `json:"webhook_secret"`
	Events     *string `json:"webhook_events"`
	SkipVerify any     `json:"webhook_insecure_skip_verify"` // a bool, or one as text
}

func (s *server) deviceWebhook(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	kept, err := s.Settings.Get(r.Context(), i.ID)
	if err != nil {
		return err
	}
	return write(w, "Device webhook retrieved", showWebhook(i.ID, kept))
}

func showWebhook(id instances.ID, s settings.Settings) webhook {
	out := webhook{DeviceID: id}
	for _, h := range s.Webhooks {
		if h.ID == deviceHook {
			out.URL, out.Secret, out.Events, out.SkipVerify = h.URL, h.Secret, strings.Join(h.Events, ","), h.SkipVerify
		}
	}
	return out
}

func (s *server) setDeviceWebhook(w http.ResponseWriter, r *http.Request, i instances.Instance) error {
	var in wish
	if err := readObject(w, r, &in); err != nil {
		return err
	}
	if in.URL == nil {
		return fault.InField("webhook_url", "webhook_url: cannot be missing. An empty one takes the webhook away.")
	}
	before, err := s.Settings.Get(r.Context(), i.ID)
	if err != nil {
		return err
	}
	if err := s.setWebhook(r.Context(), i.ID, in); err != nil {
		return err
	}
	kept, err := s.Settings.Get(r.Context(), i.ID)
	if err != nil {
		return err
	}
	out := showWebhook(i.ID, kept)
	if out.URL != showWebhook(i.ID, before).URL {
		s.news.publish(i.ID, frame{"DEVICE_WEBHOOK_UPDATED", "The webhook of the device has another address",
			map[string]any{"device_id": i.ID, "webhook_url": out.URL}})
	}
	s.news.publish(i.ID, frame{"DEVICE_WEBHOOK_CONFIG_UPDATED", "The webhook of the device was set", map[string]any{"device_id": i.ID}})
	return write(w, "Device webhook updated", out)
}

// check says what is wrong with a wish for a webhook.
func (in wish) check() error {
	if in.URL != nil && *in.URL != "" {
		if _, err := egress.Parse(*in.URL); err != nil {
			return fault.InField("webhook_url", "webhook_url: "+fault.MessageOf(err))
		}
	}
	switch v := in.SkipVerify.(type) {
	case nil, bool:
	case string:
		if _, err := strconv.ParseBool(v); err == nil || v == "" {
			return nil
		}
		return fault.InField("webhook_insecure_skip_verify", "webhook_insecure_skip_verify: has to be true or false.")
	default:
		return fault.InField("webhook_insecure_skip_verify", "webhook_insecure_skip_verify: has to be true or false.")
	}
	return nil
}

func (s *server) setWebhook(ctx context.Context, id instances.ID, in wish) error {
	if err := in.check(); err != nil {
		return err
	}
	return s.Settings.Update(ctx, id, func(kept *settings.Settings) error {
		n := slices.IndexFunc(kept.Webhooks, func(h settings.Webhook) bool { return h.ID == deviceHook })
		if *in.URL == "" {
			if n >= 0 {
				kept.Webhooks = slices.Concat(kept.Webhooks[:n], kept.Webhooks[n+1:])
			}
			return nil
		}
		hooks := slices.Clone(kept.Webhooks)
		if n < 0 {
			n = len(hooks)
			hooks = append(hooks, settings.Webhook{ID: deviceHook, CreatedAt: time.Now().UTC().Truncate(time.Second)})
		}
		in.apply(&hooks[n])
		kept.Webhooks = hooks
		return nil
	})
}

func (in wish) apply(h *settings.Webhook) {
	h.URL = *in.URL
	if in.Secret != nil {
		h.Secret = *in.Secret
	}
	if h.Secret == "" { // one that everybody knows, as the original takes then, would sign nothing
		h.Secret = newSecret()
	}
	if in.Events != nil {
		h.Events = nil
		for event := range strings.SplitSeq(*in.Events, ",") {
			if event = strings.ToLower(strings.TrimSpace(event)); event != "" {
				h.Events = append(h.Events, event)
			}
		}
	}
	switch v := in.SkipVerify.(type) {
	case bool:
		h.SkipVerify = v
	case string:
		h.SkipVerify, _ = strconv.ParseBool(v) // checked before
	}
}

// newSecret makes one in the form of Standard Webhooks.
func newSecret() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(secret)
}
