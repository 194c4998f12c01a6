//go:build !race

package whatsapp

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/egress"
	"switchboard/messages"
	"switchboard/settings"
	"switchboard/webhooks"
	"switchboard/whatsapp/simulator/phone"
)

// eventsOfGowa are all events that go-whatsapp-web-multidevice v9 has.
var eventsOfGowa = strings.Fields(`
	message message.reaction message.revoked message.edited message.ack message.deleted chat_presence group.participants group.joined
	label.edit label.association newsletter.joined newsletter.left newsletter.message newsletter.mute call.offer`)

// Phones do what makes each event of gowa's, and a webhook gets it: from the act to the body.
func TestEveryEventReachesAWebhook(t *testing.T) {
	t.Parallel()
	told := newMailbox(t)
	p, owner := newPlace(t), newPhone(t, "Owner")
	hooks, err := webhooks.New(t.Context(), webhooks.Options{
		ID: "shop_20261126120000", DB: p.main, Guard: egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), Log: testLog(t.Name()),
	})
	if err != nil {
		t.Fatal(err)
	}
	hooks.Apply(settings.Settings{Revision: 1, Webhooks: []settings.Webhook{{ID: "a", URL: told.url, Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { hooks.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	p.messages = messages.New(p.main, messages.WithOutbox(hooks))
	p.media = filepath.Join(t.TempDir(), "media")
	s := p.open(quick)
	scan(t, s, owner)
	if err := hooks.Device(t.Context(), owner.Number()+"@s.whatsapp.net"); err != nil {
		t.Fatal(err)
	}

	friend, third := newPhone(t, "Friend"), newPhone(t, "Third")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	jid := func(p *phone.Phone) string { return p.Number() + "@s.whatsapp.net" }
	with := func(more map[string]any) map[string]any {
		all := map[string]any{"from": jid(friend), "chat_id": jid(friend)}
		maps.Copy(all, more)
		return all
	}
	say := func(text string) phone.Entry {
		t.Helper()
		e, err := friend.SendText(within(t), owner.Number(), text)
		must(err)
		return e
	}

	hello := say("hello")
	told.wait("message", with(map[string]any{"id": hello.ID, "body": "hello", "is_from_me": false, "from_name": "Friend"}))
	must(friend.React(within(t), owner.Number(), hello.ID, "👍"))
	told.wait("message.reaction", with(map[string]any{"reaction": "👍", "reacted_message_id": hello.ID}))
	must(friend.Edit(within(t), owner.Number(), hello.ID, "hello!"))
	told.wait("message.edited", with(map[string]any{"original_message_id": hello.ID, "body": "hello!"}))
	must(friend.Revoke(within(t), owner.Number(), hello.ID))
	// As in the original, the last two are what the revocation's author wrote.
	revoked := told.wait("message.revoked", with(map[string]any{"revoked_message_id": hello.ID, "revoked_from_me": true}))
	if chat, _ := revoked["revoked_chat"].(string); chat == "" {
		t.Errorf("the revocation is %v", revoked)
	}

	spam := say("spam")
	told.wait("message", with(map[string]any{"body": "spam"}))
	arrives(t, owner, 0, "spam")
	must(owner.DeleteForMe(within(t), friend.Number(), spam.ID))
	told.wait("message.deleted", map[string]any{
		"deleted_message_id": spam.ID, "chat_id": jid(friend), "original_content": "spam", "original_sender": jid(friend), "was_from_me": false,
	})

	sent := sendText(t, s, friend.Number(), "from a program")
	told.wait("message.status", map[string]any{"id": sent.ID, "status": "sent", "chat_id": jid(friend)})
	told.wait("message.ack", with(map[string]any{"ids": []any{sent.ID}, "receipt_type": "delivered"}))
	must(friend.MarkRead(within(t), owner.Number()))
	told.wait("message.ack", with(map[string]any{"ids": []any{sent.ID}, "receipt_type": "read"}))
	must(friend.Typing(within(t), owner.Number(), true, false))
	told.wait("chat_presence", with(map[string]any{"state": "composing", "media": "", "is_group": false}))

	group, err := friend.CreateGroup(within(t), "Choir", []string{owner.Number()})
	must(err)
	told.wait("group.joined", map[string]any{"chat_id": group.ID, "name": "Choir"})
	took := func(kind string, err error) {
		t.Helper()
		must(err)
		told.wait("group.participants", map[string]any{"chat_id": group.ID, "type": kind, "jids": []any{jid(third)}})
	}
	others := []string{third.Number()}
	took("join", friend.AddToGroup(within(t), group.ID, others))
	took("promote", friend.ChangeGroup(within(t), group.ID, phone.GroupChange{Promote: others}))
	took("demote", friend.ChangeGroup(within(t), group.ID, phone.GroupChange{Demote: others}))
	took("leave", friend.RemoveFromGroup(within(t), group.ID, others))

	must(owner.EditLabel(within(t), "7", "Customer", false))
	told.wait("label.edit", map[string]any{"label_id": "7", "name": "Customer", "deleted": false})
	for _, on := range []bool{true, false} {
		must(owner.LabelChat(within(t), "7", friend.Number(), on))
		told.wait("label.association", map[string]any{"label_id": "7", "labeled": on, "chat_id": jid(friend)})
	}
	must(owner.EditLabel(within(t), "7", "", true))
	told.wait("label.edit", map[string]any{"label_id": "7", "deleted": true})

	channel, err := friend.CreateChannel(within(t), "Weather", "of the day")
	must(err)
	must(owner.FollowChannel(within(t), channel.ID, true))
	told.wait("newsletter.joined", map[string]any{"newsletter_id": channel.ID, "name": "Weather", "description": "of the day"})
	_, err = friend.SendText(within(t), channel.ID, "Rain")
	must(err)
	told.wait("message", map[string]any{"chat_id": channel.ID, "body": "Rain"})
	must(friend.ReactInChannel(within(t), channel.ID, 100, "☀"))
	update := told.wait("newsletter.message", map[string]any{"newsletter_id": channel.ID})
	if posts, _ := update["messages"].([]any); len(posts) != 1 || !reflect.DeepEqual(posts[0].(map[string]any)["reaction_counts"], map[string]any{"☀": 1.0}) {
		t.Errorf("the update is %v", update)
	}
	for _, on := range []bool{true, false} {
		must(owner.MuteChannel(within(t), channel.ID, on))
		told.wait("newsletter.mute", map[string]any{"newsletter_id": channel.ID, "mute": map[bool]string{true: "on", false: "off"}[on]})
	}
	must(owner.FollowChannel(within(t), channel.ID, false))
	told.wait("newsletter.left", map[string]any{"newsletter_id": channel.ID})

	call, err := friend.Call(within(t), owner.Number())
	must(err)
	told.wait("call.offer", map[string]any{"call_id": call.ID, "from": jid(friend), "auto_rejected": false})

	told.mu.Lock()
	defer told.mu.Unlock()
	for _, name := range eventsOfGowa {
		if !told.seen[name] {
			t.Errorf("no %s was waited for", name)
		}
	}
	for _, e := range told.got {
		if e.Device != jid(owner) || e.Session != "shop_20261126120000" {
			t.Errorf("%s is of %q, %q", e.Event, e.Device, e.Session)
		}
	}
}

// mailbox is a webhook that keeps what it gets.
type mailbox struct {
	t   *testing.T
	url string

	mu   sync.Mutex
	got  []posted
	seen map[string]bool // events that were waited for
}

type posted struct {
	Event   string
	Device  string `json:"device_id"`
	Session string `json:"session_id"`
	Payload map[string]any
}

func newMailbox(t *testing.T) *mailbox {
	m := &mailbox{t: t, seen: map[string]bool{}}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

func (m *mailbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var e posted
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		m.t.Errorf("%v: %s", err, body)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, e)
}

// wait returns the payload of an event that has certain members.
func (m *mailbox) wait(name string, want map[string]any) (payload map[string]any) {
	m.t.Helper()
	found := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		at := slices.IndexFunc(m.got, func(e posted) bool { return e.Event == name && includes(e.Payload, want) })
		if at >= 0 {
			payload, m.seen[name] = m.got[at].Payload, true
		}
		return at >= 0
	}
	for ctx := within(m.t); !found(); {
		select {
		case <-time.After(20 * time.Millisecond): // a receiver without a signal is plainest
		case <-ctx.Done():
			m.t.Fatalf("no %s with %v among %+v", name, want, m.got)
		}
	}
	return payload
}
