package webhooks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchboard/settings"
)

// Variables are webhooks for all numbers that the configuration names, in the terms of
// go-whatsapp-web-multidevice.
type Variables struct {
	URLs       []string
	Secret     string // "" for a random one
	Events     []string
	Ignore     []string // chats
	SkipVerify bool
}

// Check returns what is wrong with the variables, nil if nothing is.
func (v Variables) Check() error {
	for i := range v.URLs {
		if _, err := v.webhook(i, settings.Webhook{Secret: NewSecret()}); err != nil {
			return err
		}
	}
	return nil
}

func (v Variables) webhook(i int, w settings.Webhook) (settings.Webhook, error) {
	wish := Wish{URL: &v.URLs[i], Events: &v.Events, IgnoreChats: &v.Ignore, SkipVerify: &v.SkipVerify}
	if v.Secret != "" {
		w.Secret = v.Secret // whatever it is: receivers have it already
	}
	w.ID, w.Shared = fmt.Sprint(VariablePrefix, i+1), true
	return w, wish.apply(&w)
}

// Set makes the webhooks for all numbers that come from variables those of v. Without a
// secret there, each keeps the random one that it got first.
func (v Variables) Set(ctx context.Context, s Settings) error {
	has := func(w settings.Webhook) bool { return strings.HasPrefix(w.ID, VariablePrefix) }
	now, err := s.Get(ctx, settings.Shared)
	switch {
	case len(v.URLs) == 0 && (err != nil || !slices.ContainsFunc(now.Webhooks, has)):
		return nil // whoever needs what cannot be read says so
	case err != nil:
		return err
	}
	return s.Update(ctx, settings.Shared, func(s *settings.Settings) error {
		list := slices.DeleteFunc(slices.Clone(s.Webhooks), has)
		for i := range v.URLs {
			w := settings.Webhook{Secret: NewSecret(), CreatedAt: time.Now().UTC().Truncate(time.Second)}
			for _, before := range s.Webhooks {
				if before.ID == fmt.Sprint(VariablePrefix, i+1) {
					w.Secret, w.CreatedAt = before.Secret, before.CreatedAt
				}
			}
			w, err := v.webhook(i, w)
			if err != nil {
				return err
			}
			list = append(list, w)
		}
		s.Webhooks = list
		return nil
	})
}
