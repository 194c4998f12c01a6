//go:build !race

package whatsapp

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/messages"
	"switchboard/settings"
	"switchboard/whatsapp/simulator/phone"
)

// told is an outbox that remembers.
type told struct {
	mu     sync.Mutex
	events []messages.Event
	more   chan struct{} // closed at the next event
}

func (o *told) Put(_ context.Context, _ *sql.Tx, events []messages.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, events...)
	close(o.more)
	o.more = make(chan struct{})
	return nil
}

func (o *told) Wake() {}

// event waits for an event with these values in its payload, and returns the payload.
func (o *told) event(t *testing.T, name string, want map[string]any) map[string]any {
	t.Helper()
	ctx := within(t)
	for from := 0; ; {
		o.mu.Lock()
		all, more := o.events, o.more
		o.mu.Unlock()
		for ; from < len(all); from++ {
			var p map[string]any
			if err := json.Unmarshal(all[from].Payload, &p); err != nil {
				t.Fatal(err)
			}
			if all[from].Name == name && includes(p, want) {
				if all[from].ID == "" || all[from].At.IsZero() {
					t.Errorf("%s has no id or no time", name)
				}
				return p
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			for _, e := range all {
				t.Logf("%s %s", e.Name, e.Payload)
			}
			t.Fatalf("no event %s with %v", name, want)
		}
	}
}

func includes(p, want map[string]any) bool {
	for k, v := range want {
		if !reflect.DeepEqual(p[k], v) {
			return false
		}
	}
	return true
}

// subscribed returns a connected session, and what its subscribers get to know.
func subscribed(t *testing.T, set settings.Settings) (*place, *Session, *phone.Phone, *told) {
	t.Helper()
	p, owner, o := newPlace(t), newPhone(t, "Owner"), &told{more: make(chan struct{})}
	p.messages = messages.New(p.main, messages.WithOutbox(o))
	p.media = filepath.Join(t.TempDir(), "media")
	s := p.open(quick)
	s.Apply(set)
	scan(t, s, owner)
	return p, s, owner, o
}

func TestSubscribersGetToKnow(t *testing.T) {
	t.Parallel()
	_, s, owner, o := subscribed(t, settings.Settings{})
	friend := newPhone(t, "Friend")
	to, from := owner.Number(), friend.Number()+"@s.whatsapp.net"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := friend.SendText(within(t), to, "hello")
	must(err)
	hello := o.event(t, "message", map[string]any{"body": "hello"})
	for name, want := range map[string]any{
		"id": e.ID, "chat_id": from, "from": from, "is_from_me": false, "from_name": "Friend", "sender_display_name": "Friend",
	} {
		if hello[name] != want {
			t.Errorf("%s is %v, want %v", name, hello[name], want)
		}
	}
	if lid, _ := hello["from_lid"].(string); lid == "" || hello["chat_lid"] != lid {
		t.Errorf("the hidden forms are missing: %v", hello)
	}
	if at, err := time.Parse(time.RFC3339, hello["timestamp"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("the time is %v, %v", hello["timestamp"], err)
	}
	for _, absent := range []string{"view_once", "forwarded", "replied_to_id", "image", "referral"} {
		if _, ok := hello[absent]; ok {
			t.Errorf("a plain text has %s", absent)
		}
	}

	mine := sendText(t, s, friend.Number(), "mine")
	o.event(t, "message.status", map[string]any{"id": mine.ID, "status": "sent", "chat_id": from})
	o.event(t, "message.ack", map[string]any{"ids": []any{mine.ID}, "receipt_type": "delivered", "chat_id": from, "from": from})
	must(friend.MarkRead(within(t), to))
	o.event(t, "message.ack", map[string]any{"ids": []any{mine.ID}, "receipt_type": "read"})

	_, err = friend.Reply(within(t), to, mine.ID, "an answer")
	must(err)
	o.event(t, "message", map[string]any{"body": "an answer", "replied_to_id": mine.ID, "quoted_body": "mine"})
	must(friend.React(within(t), to, mine.ID, "👍"))
	o.event(t, "message.reaction", map[string]any{"reaction": "👍", "reacted_message_id": mine.ID, "from": from})
	must(friend.Edit(within(t), to, e.ID, "hello!"))
	o.event(t, "message.edited", map[string]any{"original_message_id": e.ID, "body": "hello!"})
	must(friend.Revoke(within(t), to, e.ID))
	o.event(t, "message.revoked", map[string]any{"revoked_message_id": e.ID, "from": from})
	must(friend.Typing(within(t), to, true, false))
	o.event(t, "chat_presence", map[string]any{"state": "composing", "media": "", "is_group": false, "from": from, "chat_id": from})

	_, err = owner.SendText(within(t), friend.Number(), "typed on the phone")
	must(err)
	o.event(t, "message", map[string]any{"body": "typed on the phone", "is_from_me": true, "chat_id": from, "from": owner.Number() + "@s.whatsapp.net"})

	g, err := friend.CreateGroup(within(t), "The group", []string{owner.Number()})
	must(err)
	joined := o.event(t, "group.joined", map[string]any{"chat_id": g.ID})
	if jids, _ := joined["jids"].([]any); len(jids) != 2 {
		t.Errorf("joined with %v", joined)
	}
	other := newPhone(t, "Other")
	must(friend.AddToGroup(within(t), g.ID, []string{other.Number()}))
	came := o.event(t, "group.participants", map[string]any{"chat_id": g.ID, "type": "join", "jids": []any{other.Number() + "@s.whatsapp.net"}})
	if lids, _ := came["lids"].([]any); len(lids) != 1 || !strings.HasSuffix(fmt.Sprint(lids[0]), "@lid") {
		t.Errorf("came with %v", came)
	}
	must(friend.RemoveFromGroup(within(t), g.ID, []string{other.Number()}))
	o.event(t, "group.participants", map[string]any{"chat_id": g.ID, "type": "leave", "jids": []any{other.Number() + "@s.whatsapp.net"}})
	_, err = friend.SendText(within(t), g.ID, "to all")
	must(err)
	in := o.event(t, "message", map[string]any{"body": "to all", "chat_id": g.ID, "from": from})
	if in["chat_lid"] != nil {
		t.Errorf("a group has a hidden form: %v", in)
	}
}

// Media are fetched in the background, kept under names made here, and fetched again when
// somebody asks and they are gone.
func TestMediaComeIn(t *testing.T) {
	t.Parallel()
	p, s, owner, o := subscribed(t, settings.Settings{})
	friend := newPhone(t, "Friend")
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * i)
	}
	_, err := friend.SendFile(within(t), owner.Number(), phone.File{Kind: phone.Document, MIME: "application/pdf", Name: "../../etc/passwd.PDF", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	doc := o.event(t, "message", map[string]any{"from_name": "Friend"})
	where, _ := doc["document"].(string)
	if filepath.Dir(where) != "statics/media" || filepath.Ext(where) != ".pdf" || doc["body"] != nil {
		t.Fatalf("the document is said to be %v", doc)
	}
	stored := func(m messages.Message) bool { return m.Media != nil && m.Media.State == messages.Stored }
	m := p.one("the document", stored)
	if m.Media.File != filepath.Base(where) || m.Media.Size != int64(len(data)) || m.Media.Name != "../../etc/passwd.PDF" {
		t.Fatalf("stored as %+v", m.Media)
	}
	file := filepath.Join(p.media, m.Media.File)
	got, err := os.ReadFile(file)
	if err != nil || !reflect.DeepEqual(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(p.media); err != nil || len(left) != 1 {
		t.Errorf("beside the file there is something: %v, %v", left, err)
	}
	// The last part is the name; it leads nowhere else.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	again, err := s.Media(within(t), m.Chat, m.ID)
	if err != nil || s.mediaPath(again) != file {
		t.Fatalf("got %+v, %v", again, err)
	}
	if got, err := os.ReadFile(file); err != nil || len(got) != len(data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := s.MediaNamed(within(t), "../db"); err == nil {
		t.Error("a path from outside was taken")
	}
}

// What the settings leave with WhatsApp is there when somebody asks.
func TestMediaThatAreLeft(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]settings.Media{"all": {NoDownload: true}, "large": {MaxBytes: 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, owner, o := subscribed(t, settings.Settings{Media: set})
			friend := newPhone(t, "Friend")
			_, err := friend.SendFile(within(t), owner.Number(), phone.File{Kind: phone.Image, MIME: "image/png", Caption: "a picture", Data: []byte("png")})
			if err != nil {
				t.Fatal(err)
			}
			told := o.event(t, "message", map[string]any{"body": "a picture"})
			if image, _ := told["image"].(map[string]any); image["caption"] != "a picture" || image["url"] == nil || image["path"] != nil {
				t.Errorf("the picture is said to be %v", told)
			}
			m := p.one("the picture", func(m messages.Message) bool { return m.Text == "a picture" })
			if m.Media.State != messages.Left {
				t.Fatalf("it is %+v", m.Media)
			}
			f, err := s.Media(within(t), m.Chat, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(s.mediaPath(f)); err != nil || string(data) != "png" {
				t.Errorf("got %q, %v", data, err)
			}
		})
	}
}

// What waited when a process was killed is fetched by the next one, also when the first
// attempts fail.
func TestMediaGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	p, s, owner, _ := subscribed(t, settings.Settings{Media: settings.Media{NoDownload: true}})
	friend := newPhone(t, "Friend")
	if _, err := friend.SendFile(within(t), owner.Number(), phone.File{Kind: phone.Image, MIME: "image/png", Caption: "later", Data: []byte("png")}); err != nil {
		t.Fatal(err)
	}
	m := p.one("the picture", func(m messages.Message) bool { return m.Text == "later" })
	s.Close()
	f := messages.File{Chat: m.Chat, ID: m.ID, Sender: m.Sender, Media: *m.Media}
	f.State = messages.Waiting
	if _, err := p.messages.SetMedia(within(t), f); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.media, 0o700); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(p.media, partPrefix+f.File)
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.open(quick)
	p.one("the picture", func(m messages.Message) bool { return m.Media != nil && m.Media.State == messages.Stored })
	if _, err := os.Stat(half); err == nil {
		t.Error("half a file is left over")
	}
}

// A person gets one automatic answer, a machine is not talked to, and groups never are.
func TestAutomaticAnswers(t *testing.T) {
	t.Parallel()
	p, _, owner, o := subscribed(t, settings.Settings{Automation: settings.Automation{Reply: "We are closed.", Read: true}})
	friend, robot := newPhone(t, "Friend"), newPhone(t, "Robot")
	if err := robot.SetAnswer(within(t), phone.Answer{On: true, Prefix: "beep "}); err != nil {
		t.Fatal(err)
	}
	g, err := friend.CreateGroup(within(t), "The group", []string{owner.Number()})
	if err != nil {
		t.Fatal(err)
	}
	say := func(from *phone.Phone, to, text string) {
		t.Helper()
		if _, err := from.SendText(within(t), to, text); err != nil {
			t.Fatal(err)
		}
		// Read means that it was dealt with: one after the other.
		o.event(t, "message", map[string]any{"body": text})
	}
	say(friend, g.ID, "hello all")
	say(robot, owner.Number(), "beep")
	say(friend, owner.Number(), "are you there?")
	arrives(t, friend, 0, "We are closed.")
	say(friend, owner.Number(), "hello?")
	say(friend, owner.Number(), "the last one")
	ctx := within(t)
	for { // until the last message is read, and so has been decided upon
		chats, _, err := p.messages.Chats(ctx, messages.ChatFilter{JID: friend.Number() + "@s.whatsapp.net"})
		if err != nil {
			t.Fatal(err)
		}
		if len(chats) == 1 && chats[0].Unread == 0 {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond): // the database has no signal to wait for
		case <-ctx.Done():
			t.Fatal("the last message was not read")
		}
	}
	answers := map[string]int{}
	for _, m := range p.all() {
		if m.FromMe {
			answers[m.Chat]++
		}
	}
	want := map[string]int{friend.Number() + "@s.whatsapp.net": 1, robot.Number() + "@s.whatsapp.net": 1}
	if !reflect.DeepEqual(answers, want) {
		t.Errorf("answered %v, want %v", answers, want)
	}
}

// A call is kept and told, and declined only if the settings say so.
func TestCalls(t *testing.T) {
	t.Parallel()
	p, s, owner, o := subscribed(t, settings.Settings{})
	friend := newPhone(t, "Friend")
	from := friend.Number() + "@s.whatsapp.net"
	call, err := friend.Call(within(t), owner.Number())
	if err != nil {
		t.Fatal(err)
	}
	o.event(t, "call.offer", map[string]any{"call_id": call.ID, "from": from, "auto_rejected": false})
	if err := friend.EndCall(within(t), call.ID); err != nil {
		t.Fatal(err)
	}
	outcome := func(id string, want messages.Outcome) func(messages.Message) bool {
		return func(m messages.Message) bool { return m.ID == id && m.Call != nil && m.Call.Outcome == want }
	}
	p.one("the missed call", outcome(call.ID, messages.Missed))
	s.Apply(settings.Settings{Automation: settings.Automation{RejectCalls: true}})
	if call, err = friend.Call(within(t), owner.Number()); err != nil {
		t.Fatal(err)
	}
	o.event(t, "call.offer", map[string]any{"call_id": call.ID, "from": from, "auto_rejected": true})
	p.one("the declined call", outcome(call.ID, messages.Declined))
}
