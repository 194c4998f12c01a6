package messages_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"switchboard/engine"
	"switchboard/isolation/pgtest"
	"switchboard/messages"
	"switchboard/migrations"
)

const (
	ann  = "491700000001@s.whatsapp.net"
	self = "491700000009@s.whatsapp.net"
)

// opener opens an empty main database.
type opener func(*testing.T) (*messages.Messages, *sql.DB)

func openSQLite(t *testing.T) (*messages.Messages, *sql.DB) {
	t.Helper()
	file := engine.At(filepath.Join(t.TempDir(), "main.db"))
	if err := file.Create(); err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	return migrated(t, engine.SQLite, db, err)
}

func openPostgres(t *testing.T) (*messages.Messages, *sql.DB) {
	t.Helper()
	db, err := engine.OpenPostgres(t.Context(), pgtest.New(t).URI, engine.Pool{Open: 2, Idle: time.Second, Wait: time.Minute})
	return migrated(t, engine.Postgres, db, err)
}

func migrated(t *testing.T, name string, db *sql.DB, err error) (*messages.Messages, *sql.DB) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrations.Up(t.Context(), db, name, migrations.Instance); err != nil {
		t.Fatal(err)
	}
	return messages.New(db), db
}

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// Both engines keep the same promises.
func TestSQLite(t *testing.T)   { t.Parallel(); exercise(t, openSQLite) }
func TestPostgres(t *testing.T) { t.Parallel(); exercise(t, openPostgres) }

func exercise(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"a message is stored once":              testAMessageIsStoredOnce,
		"the same message at once":              testTheSameMessageAtOnce,
		"a placeholder gives way":               testAPlaceholderGivesWay,
		"a message under both addresses":        testAMessageUnderBothAddressesIsStoredOnce,
		"latest is newest first and stable":     testLatestIsNewestFirstAndStable,
		"delivery only moves forward":           testDeliveryOnlyMovesForward,
		"delivery is of my messages only":       testDeliveryIsOfMyMessagesOnly,
		"a send from queue to answer":           testASendFromQueueToAnswer,
		"what was queued at a start has failed": testWhatWasQueuedAtAStartHasFailed,
		"any text":                              testAnyText,
		"a giant text is cut for reading":       testAGiantTextIsCutForReading,
		"names and chats":                       testNamesAndChats,
		"all or nothing":                        testAllOrNothing,
		"fence":                                 testFence,
		"an event goes with what is new":        testAnEventGoesWithWhatIsNew,
		"no message without its event":          testNoMessageWithoutItsEvent,
		"edits":                                 testEdits,
		"revocations":                           testRevocations,
		"what came before its message":          testWhatCameBeforeItsMessage,
		"reactions":                             testReactions,
		"receipts":                              testReceipts,
		"polls":                                 testPolls,
		"what gathers is written together":      testWhatGathersIsWrittenTogether,
		"what gathers does not wait for others": testWhatGathersDoesNotWaitForOthers,
		"receipts gather":                       testReceiptsGather,
		"one change spoils no other":            testOneChangeSpoilsNoOther,
		"unread":                                testUnread,
		"chats":                                 testChats,
		"in a chat":                             testInChat,
		"search":                                testSearch,
		"search while words gather":             testSearchWhileWordsGather,
		"expiry":                                testExpiry,
		"people":                                testPeople,
		"groups":                                testGroups,
		"calls":                                 testCalls,
		"history":                               testHistory,
		"parts of the history":                  testHistoryParts,
		"media":                                 testMedia,
		"places":                                testPlaces,
		"sequence":                              testSequence,
		"by id alone":                           testByIDAlone,
		"early changes are found at once":       testEarlyChangesAreFoundAtOnce,
		"forgetting":                            testForgetting,
		"merging":                               testMerging,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
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

func testAMessageIsStoredOnce(t *testing.T, open opener) {
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

func testTheSameMessageAtOnce(t *testing.T, open opener) {
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

func testAPlaceholderGivesWay(t *testing.T, open opener) {
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

// Whose number becomes known between two deliveries of a message is the same person.
func testAMessageUnderBothAddressesIsStoredOnce(t *testing.T, open opener) {
	t.Parallel()
	m, _, put := boxed(t, open)
	const lid = "77@lid"
	for _, chat := range []string{"", group} {
		under := func(jid, id string, kind messages.Kind) messages.Message {
			msg := incoming(id+chat, "hello")
			msg.Chat, msg.Sender, msg.SenderLID, msg.Kind = chat, jid, lid, kind
			if chat == "" {
				msg.Chat, msg.ChatLID = jid, lid
			}
			return msg
		}
		for i, msg := range []messages.Message{under(lid, "A", messages.Text), under(lid, "B", messages.Undecryptable), under(ann, "A", messages.Text), under(ann, "B", messages.Text)} {
			must(t, m.Save(t.Context(), msg, event(t, fmt.Sprint(i, chat))))
		}
	}
	if all := latest(t, m); len(all) != 4 || slices.ContainsFunc(all, func(msg messages.Message) bool { return msg.Kind != messages.Text }) {
		t.Errorf("got %+v", all)
	}
	if got, want := put(), []string{"0", "1", "3", "0" + group, "1" + group, "3" + group}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func testLatestIsNewestFirstAndStable(t *testing.T, open opener) {
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

// receipt says that Ann got that far with a message, and with one that nobody knows.
func receipt(id string, to messages.Delivery) messages.Receipt {
	step := messages.GotIt
	if to == messages.Read {
		step = messages.ReadIt
	}
	return messages.Receipt{Chat: ann, Person: ann, IDs: []string{"unknown", id}, Step: step, At: time.Unix(1_700_000_000, 0), Whole: true}
}

func testDeliveryOnlyMovesForward(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	steps := []messages.Delivery{messages.Queued, messages.NotSent, messages.SentOut, messages.Delivered, messages.Read}
	for i, from := range steps {
		for j, to := range steps[3:] {
			msg := outgoing(string(from)+" to "+string(to), "hello")
			msg.Status = from
			save(t, m, msg)
			must(t, m.Receive(t.Context(), receipt(msg.ID, to)))
			if got, want := status(t, m, msg.ID), steps[max(i, 3+j)]; got != want {
				t.Errorf("%s: it is %s", msg.ID, got)
			}
		}
	}
}

func testDeliveryIsOfMyMessagesOnly(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	save(t, m, incoming("A", "hello"))
	must(t, m.Receive(t.Context(), receipt("A", messages.Read)))
	if got := latest(t, m)[0].Status; got != "" {
		t.Fatalf("somebody else's message became %q", got)
	}
}

// acknowledged returns when it is written that WhatsApp took a message.
func acknowledged(t *testing.T, m *messages.Messages, chat, id string, at time.Time, events ...messages.Event) (err error) {
	t.Helper()
	m.Acknowledged(chat, id, at, func(failed error) { err = failed }, events...)
	m.Settle(t.Context())
	return err
}

func testASendFromQueueToAnswer(t *testing.T, open opener) {
	t.Parallel()
	m, _ := open(t)
	save(t, m, outgoing("A", "how are you?"))
	at := time.Unix(1_700_000_005, 0)
	if err := acknowledged(t, m, ann, "A", at); err != nil {
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

func testWhatWasQueuedAtAStartHasFailed(t *testing.T, open opener) {
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

func testAnyText(t *testing.T, open opener) {
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

func testAGiantTextIsCutForReading(t *testing.T, open opener) {
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

func testNamesAndChats(t *testing.T, open opener) {
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

func testAllOrNothing(t *testing.T, open opener) {
	t.Parallel()
	m, db := open(t)
	if _, err := db.Exec(`ALTER TABLE "chats" RENAME TO "gone"`); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(t.Context(), incoming("A", "hello")); err == nil {
		t.Fatal("a message counts as stored though its chat is not")
	}
	if all := latest(t, m); len(all) != 0 {
		t.Fatal("half of a message was stored")
	}
	if _, err := db.Exec(`ALTER TABLE "gone" RENAME TO "chats"`); err != nil {
		t.Fatal(err)
	}
	save(t, m, incoming("A", "hello"))
	if all := latest(t, m); len(all) != 1 {
		t.Fatal("the message was not stored the second time")
	}
}

// What may not be written is not, and nothing else is.
func testFence(t *testing.T, open opener) {
	t.Parallel()
	_, db := open(t)
	closed := errors.New("closed")
	var fence error
	m := messages.New(db, messages.WithFence(func(context.Context, *sql.Tx) error { return fence }))
	msg := messages.Message{Chat: "a@s.whatsapp.net", ID: "1", Sender: "a@s.whatsapp.net", Kind: messages.Text, Text: "hello", At: time.Now()}
	writes := func() []error {
		return []error{
			m.Save(t.Context(), msg), m.SavePeople(t.Context(), []messages.Person{{JID: "a@s.whatsapp.net", Name: "Ada"}}),
			m.NameChat(t.Context(), "g@g.us", "Group"), m.Receive(t.Context(), receipt(msg.ID, messages.Read)),
			acknowledged(t, m, msg.Chat, msg.ID, time.Now()), m.FailQueued(t.Context()),
		}
	}
	fence = closed
	for n, err := range writes() {
		if !errors.Is(err, closed) {
			t.Errorf("write %d: %v", n, err)
		}
	}
	for _, table := range []string{"messages", "chats", "contacts"} {
		var rows int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM "`+table+`"`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d rows in %s, %v", rows, table, err)
		}
	}
	fence = nil
	if err := errors.Join(writes()...); err != nil {
		t.Error(err)
	}
}
