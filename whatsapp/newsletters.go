package whatsapp

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"switchboard/fault"
)

// Newsletter is a channel, as WhatsApp describes it.
type Newsletter struct {
	ID    string `json:"id"`
	State struct {
		Type string `json:"type"`
	} `json:"state"`
	Thread struct {
		CreationTime     string             `json:"creation_time"` // Unix seconds
		Invite           string             `json:"invite"`
		Name             NewsletterText     `json:"name"`
		Description      NewsletterText     `json:"description"`
		SubscribersCount string             `json:"subscribers_count"`
		Verification     string             `json:"verification"`
		Picture          *NewsletterPicture `json:"picture,omitempty"`
		Preview          NewsletterPicture  `json:"preview"`
		Settings         struct {
			ReactionCodes struct {
				Value string `json:"value"`
			} `json:"reaction_codes"`
		} `json:"settings"`
	} `json:"thread_metadata"`
	Viewer *struct {
		Mute string `json:"mute"`
		Role string `json:"role"`
	} `json:"viewer_metadata"`
}

// NewsletterText is a text of a channel.
type NewsletterText struct {
	Text       string `json:"text"`
	ID         string `json:"id"`
	UpdateTime string `json:"update_time"` // Unix microseconds
}

// NewsletterPicture is a picture of a channel.
type NewsletterPicture struct {
	URL        string `json:"url"`
	ID         string `json:"id"`
	Type       string `json:"type"`
	DirectPath string `json:"direct_path"`
}

// NewsletterMessage is a message of a channel. ServerID counts them up.
type NewsletterMessage struct {
	ServerID       int            `json:"server_id"`
	MessageID      string         `json:"message_id"`
	Type           string         `json:"type"`
	Timestamp      string         `json:"timestamp"`
	ViewsCount     int            `json:"views_count"`
	ReactionCounts map[string]int `json:"reaction_counts"`
	Text           string         `json:"text"`
}

// newsletter translates a channel: its JSON is the form that clients know.
func newsletter(m *types.NewsletterMetadata) (n Newsletter, err error) {
	raw, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(raw, &n)
	}
	return n, err
}

// Newsletters lists the channels that this number follows or owns.
func (s *Session) Newsletters(ctx context.Context) (out []Newsletter, err error) {
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		all, err := a.client.GetSubscribedNewsletters(ctx)
		if err != nil {
			return err
		}
		out = make([]Newsletter, len(all))
		for i, m := range all {
			if out[i], err = newsletter(m); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// CreateNewsletter makes a channel. picture is a JPEG file, and may be nil.
func (s *Session) CreateNewsletter(ctx context.Context, name, description string, picture []byte) (out Newsletter, err error) {
	name, description = strings.TrimSpace(name), strings.TrimSpace(description)
	switch {
	case name == "":
		return out, fault.InField("name", "Give the channel a name.")
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxGroupName:
		return out, fault.InField("name", "A channel's name has at most 100 characters.")
	case !utf8.ValidString(description) || utf8.RuneCountInString(description) > maxGroupTopic:
		return out, fault.InField("description", "A channel's description has at most 2,048 characters.")
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		m, err := a.client.CreateNewsletter(ctx, whatsmeow.CreateNewsletterParams{Name: name, Description: description, Picture: picture})
		if err != nil {
			return err
		}
		if m == nil {
			return fault.New(fault.Forbidden, "WhatsApp did not let this number make a channel. Make one on the phone first, which asks to accept the terms.")
		}
		out, err = newsletter(m)
		return err
	})
	return out, err
}

// FollowNewsletter follows a channel, given by its id or its link, and returns it.
func (s *Session) FollowNewsletter(ctx context.Context, channel string) (out Newsletter, err error) {
	key, link := strings.CutPrefix(strings.TrimSpace(channel), whatsmeow.NewsletterLinkPrefix)
	var jid types.JID
	if !link {
		if jid, err = newsletterID("newsletter_id", channel); err != nil {
			return out, err
		}
	}
	err = s.with(ctx, func(ctx context.Context, a *account) error {
		if link {
			m, err := a.client.GetNewsletterInfoWithInvite(ctx, key)
			if err != nil {
				return err
			}
			if m == nil {
				return fault.InField("newsletter_id", "This link leads to no channel.")
			}
			jid = m.ID
		}
		if err := a.client.FollowNewsletter(ctx, jid); err != nil {
			return err
		}
		m, err := a.client.GetNewsletterInfo(ctx, jid)
		if err != nil {
			return err
		}
		out, err = newsletter(m)
		return err
	})
	return out, err
}

// UnfollowNewsletter no longer follows a channel.
func (s *Session) UnfollowNewsletter(ctx context.Context, id string) error {
	return s.inNewsletter(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		return a.client.UnfollowNewsletter(ctx, jid)
	})
}

// MuteNewsletter keeps a channel silent, or no longer.
func (s *Session) MuteNewsletter(ctx context.Context, id string, muted bool) error {
	return s.inNewsletter(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		return a.client.NewsletterToggleMute(ctx, jid, muted)
	})
}

// NewsletterMessages returns up to count messages of a channel, with before not 0 those
// older than that one.
func (s *Session) NewsletterMessages(ctx context.Context, id string, count, before int) (out []NewsletterMessage, err error) {
	err = s.inNewsletter(ctx, id, func(ctx context.Context, a *account, jid types.JID) error {
		all, err := a.client.GetNewsletterMessages(ctx, jid, &whatsmeow.GetNewsletterMessagesParams{Count: count, Before: before})
		if err != nil {
			return err
		}
		out = make([]NewsletterMessage, len(all))
		for i, m := range all {
			out[i] = NewsletterMessage{
				ServerID: m.MessageServerID, MessageID: m.MessageID, Type: m.Type,
				Timestamp: m.Timestamp.UTC().Format(time.RFC3339), ViewsCount: m.ViewsCount,
				ReactionCounts: m.ReactionCounts, Text: words(m.Message),
			}
			if out[i].ReactionCounts == nil {
				out[i].ReactionCounts = map[string]int{}
			}
		}
		return nil
	})
	return out, err
}

func (s *Session) inNewsletter(ctx context.Context, id string, do func(ctx context.Context, a *account, jid types.JID) error) error {
	jid, err := newsletterID("newsletter_id", id)
	if err != nil {
		return err
	}
	return s.with(ctx, func(ctx context.Context, a *account) error { return do(ctx, a, jid) })
}

// words is what a person would read of a message.
func words(m *waE2E.Message) string {
	if m == nil {
		return ""
	}
	_, text, _ := content(m)
	return text
}
