package messages_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"switchboard/engine"
	"switchboard/messages"
	"switchboard/migrations"
)

const (
	ann  = "491700000001@s.whatsapp.net"
	self = "491700000009@s.whatsapp.net"
)

func open(t *testing.T) (*messages.Messages, *sql.DB) {
	t.Helper()
	file := engine.At(filepath.Join(t.TempDir(), "main.db"))
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrations.Up(t.Context(), db, engine.SQLite, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	return messages.New(db), db
}

func incoming(id, text string) messages.Message {
	return messages.Message{
		Chat: ann, ID: id, Sender: ann, SenderName: "Ann", Kind: messages.Text, Text: text,
		At: time.Unix(1_700_000_000, 0), Raw: []byte{1, 2, 3},
	}
}

func outgoing(id, text string) messages.Message {
	m := incoming(id, text)
	m.Sender, m.SenderName, m.FromMe, m.Status = self, "", true, messages.Queued
	return m
}

func save(t *testing.T, m *messages.Messages, all ...messages.Message) {
	t.Helper()
	for _, msg := range all {
		if err := m.Save(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
}

func latest(t *testing.T, m *messages.Messages) []messages.Message {
	t.Helper()
	all, err := m.Latest(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAMessageIsStoredOnce(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	first := incoming("A", "hello")
	again := incoming("A", "something else under the same id")
	save(t, m, first, again, first)
	all := latest(t, m)
	if len(all) != 1 || all[0].Text != "hello" {
		t.Fatalf("got %+v", all)
	}
	// The same id from another sender or in another chat is another message.
	other, group := incoming("A", "from Ben"), incoming("A", "in a group")
	other.Sender, group.Chat = "491700000002@s.whatsapp.net", "1203630000@g.us"
	save(t, m, other, group)
	if all := latest(t, m); len(all) != 3 {
		t.Fatalf("got %d messages, want 3", len(all))
	}
}

func TestTheSameMessageAtOnce(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	var all sync.WaitGroup
	errs := make(chan error, 20)
	for range 20 {
		all.Go(func() { errs <- m.Save(context.Background(), incoming("A", "hello")) })
	}
	all.Wait()
	for range 20 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if n := len(latest(t, m)); n != 1 {
		t.Fatalf("stored %d times", n)
	}
}

func TestAPlaceholderGivesWay(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	hole := incoming("A", "")
	hole.Kind, hole.Raw = messages.Undecryptable, nil
	save(t, m, hole, hole, incoming("A", "hello"))
	if all := latest(t, m); len(all) != 1 || all[0].Kind != messages.Text || all[0].Text != "hello" {
		t.Fatalf("got %+v", all)
	}
	save(t, m, hole)
	if all := latest(t, m); all[0].Kind != messages.Text {
		t.Fatal("a placeholder took the place of a message")
	}
}

func TestLatestIsNewestFirstAndStable(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	for i := range 50 { // all within one second
		save(t, m, incoming(fmt.Sprint(i), fmt.Sprint(i)))
	}
	old := incoming("old", "older, and stored last")
	old.At = old.At.Add(-time.Hour)
	post := incoming("post", "a status post")
	post.Chat, post.At = "status@broadcast", post.At.Add(time.Hour)
	save(t, m, old, post)
	for range 3 {
		all := latest(t, m)
		if len(all) != 51 || all[50].ID != "old" {
			t.Fatalf("got %d messages, the last is %q", len(all), all[len(all)-1].ID)
		}
		for i := range 50 {
			if all[i].ID != fmt.Sprint(49-i) {
				t.Fatalf("place %d has message %s", i, all[i].ID)
			}
		}
	}
	few, err := m.Latest(t.Context(), 2)
	if err != nil || len(few) != 2 || few[0].ID != "49" {
		t.Fatalf("got %v, %v", few, err)
	}
}

func TestDeliveryOnlyMovesForward(t *testing.T) {
	t.Parallel()
	steps := []messages.Delivery{messages.Queued, messages.NotSent, messages.SentOut, messages.Delivered, messages.Read}
	for i, from := range steps {
		for j, to := range steps {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				t.Parallel()
				m, _ := open(t)
				msg := outgoing("A", "hello")
				msg.Status = from
				save(t, m, msg)
				if err := m.SetDelivery(t.Context(), ann, []string{"unknown", "A"}, to); err != nil {
					t.Fatal(err)
				}
				if got, want := latest(t, m)[0].Status, steps[max(i, j)]; got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestDeliveryIsOfMyMessagesOnly(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	save(t, m, incoming("A", "hello"))
	if err := m.SetDelivery(t.Context(), ann, []string{"A"}, messages.Read); err != nil {
		t.Fatal(err)
	}
	if got := latest(t, m)[0].Status; got != "" {
		t.Fatalf("somebody else's message became %q", got)
	}
}

func TestASendFromQueueToAnswer(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	save(t, m, outgoing("A", "how are you?"))
	at := time.Unix(1_700_000_005, 0)
	if err := m.Acknowledged(t.Context(), ann, "A", at); err != nil {
		t.Fatal(err)
	}
	reply := incoming("B", "fine")
	reply.At = at
	save(t, m, reply)
	all := latest(t, m)
	if all[0].ID != "B" || all[1].Status != messages.SentOut || !all[1].At.Equal(at) {
		t.Fatalf("got %+v", all)
	}
	raw, err := m.SentRaw(t.Context(), ann, "A")
	if err != nil || string(raw) != "\x01\x02\x03" {
		t.Fatalf("got %v, %v", raw, err)
	}
	if raw, err := m.SentRaw(t.Context(), ann, "B"); raw != nil || err != nil {
		t.Fatalf("somebody else's message came back: %v, %v", raw, err)
	}
}

func TestWhatWasQueuedAtAStartHasFailed(t *testing.T) {
	t.Parallel()
	m, _ := open(t)
	save(t, m, outgoing("A", "lost in a crash"))
	if err := m.FailQueued(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := latest(t, m)[0].Status; got != messages.NotSent {
		t.Fatalf("got %s", got)
	}
}

func TestAnyText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "nul": "a\x00b", "nul alone": "\x00", "emoji": "👩‍👩‍👧‍👦🇩🇪", "right to left": "שלום \u202eevil\u202c",
		"combining": strings.Repeat("e\u0301\u0323", 50), "not utf-8": "a\xff\xfeb", "quotes": `'"; DROP TABLE "messages"; --`,
		"surrogate": "\xed\xa0\x80", "line ends": "a\r\nb\u2028c", "top": "\U0010ffff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := open(t)
			msg := incoming("A"+text, text)
			msg.SenderName = text
			save(t, m, msg, msg)
			got := latest(t, m)
			if len(got) != 1 {
				t.Fatalf("stored %d times", len(got))
			}
			if !utf8.ValidString(got[0].Text) || strings.ContainsRune(got[0].Text, 0) {
				t.Fatalf("got %q, which not every engine stores", got[0].Text)
			}
			if utf8.ValidString(text) && !strings.ContainsRune(text, 0) && got[0].Text != text {
				t.Fatalf("got %q, want %q", got[0].Text, text)
			}
		})
	}
}

func TestAGiantTextIsCutForReading(t *testing.T) {
	t.Parallel()
	m, db := open(t)
	giant := strings.Repeat("ä👍", 2_000_000)
	save(t, m, incoming("A", giant), incoming("B", strings.Repeat("ä", messages.MaxText)))
	all := latest(t, m)
	if n := utf8.RuneCountInString(all[1].Text); n != messages.MaxText+1 || !strings.HasSuffix(all[1].Text, "…") {
		t.Fatalf("got %d characters", n)
	}
	if all[0].Text != strings.Repeat("ä", messages.MaxText) {
		t.Fatal("a text that just fits was cut")
	}
	var whole string
	if err := db.QueryRow(`SELECT "text" FROM "messages" WHERE "id" = 'A'`).Scan(&whole); err != nil || whole != giant {
		t.Fatalf("the text was not stored whole: %v", err)
	}
}

func TestNamesAndChats(t *testing.T) {
	t.Parallel()
	m, db := open(t)
	msg := incoming("A", "hello")
	msg.ChatLID, msg.SenderLID = "77@lid", "77@lid"
	save(t, m, msg)
	people := []messages.Person{{JID: ann, Name: "Ann Smith"}, {JID: ann, BusinessName: "Smith Ltd"}, {JID: ann}}
	if err := m.SavePeople(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	if err := m.NameChat(t.Context(), ann, "Ann"); err != nil {
		t.Fatal(err)
	}
	older := incoming("B", "history")
	older.At = older.At.Add(-time.Hour)
	save(t, m, older)
	var lid, name, push, business string
	err := db.QueryRow(`SELECT "lid", "name", "push_name", "business_name" FROM "contacts" WHERE "jid" = $1`, ann).
		Scan(&lid, &name, &push, &business)
	if err != nil || lid != "77@lid" || name != "Ann Smith" || push != "Ann" || business != "Smith Ltd" {
		t.Fatalf("contact is %q %q %q %q, %v", lid, name, push, business, err)
	}
	var at int64
	err = db.QueryRow(`SELECT "lid", "name", "last_at" FROM "chats" WHERE "jid" = $1`, ann).Scan(&lid, &name, &at)
	if err != nil || lid != "77@lid" || name != "Ann" || at != msg.At.UnixMilli() {
		t.Fatalf("chat is %q %q %d, %v", lid, name, at, err)
	}
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	m, db := open(t)
	if _, err := db.Exec(`CREATE TRIGGER "full" BEFORE INSERT ON "chats" BEGIN SELECT RAISE(ABORT, 'disk full'); END`); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(t.Context(), incoming("A", "hello")); err == nil {
		t.Fatal("a message counts as stored though its chat is not")
	}
	if all := latest(t, m); len(all) != 0 {
		t.Fatal("half of a message was stored")
	}
	if _, err := db.Exec(`DROP TRIGGER "full"`); err != nil {
		t.Fatal(err)
	}
	save(t, m, incoming("A", "hello"))
	if all := latest(t, m); len(all) != 1 {
		t.Fatal("the message was not stored the second time")
	}
}
