package webhooks

import (
	"encoding/json"
	"testing"

	"switchboard/messages"
	"switchboard/settings"
)

// What a filter ignores is never delivered, whatever else it says.
func FuzzFilter(f *testing.F) {
	f.Add("message.*", "491701234567@s.whatsapp.net", "*@g.us", "message.ack", "491701234567@s.whatsapp.net", `{"from":"491701234567@s.whatsapp.net"}`)
	f.Add("*", "*", "", "", "", "\xff")
	f.Fuzz(func(t *testing.T, pattern, chat, ignored, name, in, payload string) {
		w := settings.Webhook{Events: []string{pattern}, Chats: []string{chat}, IgnoreChats: []string{ignored}}
		e := messages.Event{Name: name, Chat: in, Payload: json.RawMessage(payload)}
		newEndpoint(w).wants(e)
		w.Events, w.Chats, w.IgnoreChats = nil, nil, []string{in}
		if p := newEndpoint(w); len(p.ignored) > 0 && p.ignored[0] == in && p.wants(e) {
			t.Errorf("what happens in %q is delivered although it is ignored", in)
		}
	})
}
