package webhooks

import (
	"encoding/json"
	"slices"
	"strings"

	"switchboard/messages"
	"switchboard/settings"
)

// endpoint is a webhook and what it wants.
type endpoint struct {
	settings.Webhook
	events, chats, ignored []string // lower-case
}

func newEndpoint(w settings.Webhook) endpoint {
	return endpoint{w, lower(w.Events), lower(w.Chats), lower(w.IgnoreChats)}
}

func lower(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s = strings.ToLower(strings.TrimSpace(s)); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// wants says whether an event goes to the endpoint.
func (p endpoint) wants(e messages.Event) bool {
	if len(p.events) > 0 && !slices.ContainsFunc(p.events, func(pattern string) bool { return Covers(pattern, e.Name) }) {
		return false
	}
	if len(p.chats) > 0 && !covered(p.chats, e.Chat, e.ChatLID) {
		return false
	}
	if len(p.ignored) == 0 {
		return true
	}
	// As go-whatsapp-web-multidevice does it, an ignored person is ignored in groups too.
	var sender struct {
		From    string `json:"from"`
		FromLID string `json:"from_lid"`
	}
	_ = json.Unmarshal(e.Payload, &sender) // other payloads have no sender
	return !covered(p.ignored, e.Chat, e.ChatLID, sender.From, sender.FromLID)
}

// Covers says whether a pattern stands for the name of an event: the name itself, "*" for
// all, "message.*" for all below one. The case of letters does not matter.
func Covers(pattern, name string) bool {
	pattern = strings.ToLower(pattern)
	if above, all := strings.CutSuffix(pattern, "*"); all {
		return strings.HasPrefix(name, above)
	}
	return pattern == name
}

func covered(patterns []string, jids ...string) bool {
	return slices.ContainsFunc(jids, func(jid string) bool {
		return jid != "" && slices.ContainsFunc(patterns, func(pattern string) bool {
			if server, all := strings.CutPrefix(pattern, "*"); all {
				return strings.HasSuffix(jid, server)
			}
			return pattern == jid
		})
	})
}
