package phone

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

func newBook(t *testing.T) *book {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "phones.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b, err := openBook(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBook(t *testing.T) {
	t.Parallel()
	ctx, b := t.Context(), newBook(t)
	for i := range 3 {
		r := &row{Entry: Entry{Chat: "200", ID: fmt.Sprint(i), From: "200", Kind: Text, Text: fmt.Sprint("text ", i), Time: time.UnixMilli(int64(i)), Unread: true}, message: []byte{byte(i)}}
		if added, err := b.add(ctx, "100", r); err != nil || !added {
			t.Fatalf("add: %v, %v", added, err)
		}
		if added, err := b.add(ctx, "100", r); err != nil || added {
			t.Fatalf("the same message was added twice: %v", err)
		}
	}
	if changed, err := b.update(ctx, "100", "200", "nothing", func(*row) bool { return true }); err != nil || changed {
		t.Errorf("changing what is not there: %v, %v", changed, err)
	}
	all, err := b.since(ctx, "100", 0, 10)
	if err != nil || len(all) != 3 || all[2].Text != "text 2" || all[2].message[0] != 2 {
		t.Fatalf("since: %v, %v", all, err)
	}
	if changed, err := b.update(ctx, "100", "200", "0", markRead); err != nil || !changed {
		t.Fatalf("update: %v, %v", changed, err)
	}
	if again, err := b.since(ctx, "100", all[2].Seq, 10); err != nil || len(again) != 1 || again[0].ID != "0" || again[0].Unread {
		t.Errorf("a changed entry does not come again: %v, %v", again, err)
	}
	if chats, err := b.chats(ctx, "100"); err != nil || len(chats) != 1 || chats[0].Unread != 2 {
		t.Errorf("chats: %v, %v", chats, err)
	}
	if last, err := b.last(ctx, "100", "200", 2, 1); err != nil || len(last) != 1 || last[0].ID != "1" {
		t.Errorf("last before 2: %v, %v", last, err)
	}
	if other, err := b.since(ctx, "200", 0, 10); err != nil || len(other) != 0 {
		t.Errorf("another phone sees %v, %v", other, err)
	}
	reopened, err := openBook(ctx, b.db)
	if err != nil || reopened.seq.Load() < all[2].Seq {
		t.Errorf("the book forgot how far it was: %v", err)
	}
}

func TestStatusOnlyRises(t *testing.T) {
	t.Parallel()
	e := Entry{Status: Pending}
	for _, step := range []struct {
		to   Status
		rose bool
	}{{Delivered, true}, {Sent, false}, {Read, true}, {Delivered, false}, {Read, false}} {
		if e.rise(step.to) != step.rose {
			t.Errorf("to %s: want %v", step.to, step.rose)
		}
	}
}

func TestAlterations(t *testing.T) {
	t.Parallel()
	key := &waCommon.MessageKey{ID: proto.String("A")}
	edit := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: key, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: &waE2E.Message{Conversation: proto.String("new")}}}
	revoke := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: key, Type: waE2E.ProtocolMessage_REVOKE.Enum()}}
	react := func(emoji string) *waE2E.Message {
		return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key, Text: proto.String(emoji)}}
	}
	apply := func(e Entry, m *waE2E.Message, sender string) (Entry, bool) {
		id, change := alteration(m, sender)
		if change == nil || id != "A" {
			t.Fatalf("%v alters nothing", m)
		}
		r := row{Entry: e}
		changed := change(&r)
		return r.Entry, changed
	}
	mine := Entry{From: "1", Kind: Text, Text: "old"}
	if e, ok := apply(mine, edit, "1"); !ok || e.Text != "new" || !e.Edited {
		t.Errorf("edited: %+v", e)
	}
	if _, ok := apply(mine, edit, "2"); ok {
		t.Error("somebody else's edit was taken")
	}
	if e, ok := apply(mine, revoke, "1"); !ok || !e.Revoked || e.Text != "" {
		t.Errorf("revoked: %+v", e)
	}
	if e, _ := apply(mine, react("👍"), "2"); e.Reactions["2"] != "👍" {
		t.Errorf("reacted: %+v", e)
	}
	if e, _ := apply(Entry{Reactions: map[string]string{"2": "👍"}}, react(""), "2"); len(e.Reactions) != 0 {
		t.Errorf("taken off: %+v", e)
	}
	if _, change := alteration(&waE2E.Message{Conversation: proto.String("hi")}, "1"); change != nil {
		t.Error("a text alters something")
	}
}

func TestLineKeepsTheOrder(t *testing.T) {
	t.Parallel()
	var l line
	var work sync.WaitGroup
	var got []int
	done := make(chan struct{})
	for i := range 100 {
		l.add(work.Go, func() {
			got = append(got, i)
			if i == 99 {
				close(done)
			}
		})
	}
	<-done
	work.Wait()
	if len(got) != 100 || !slices.IsSorted(got) {
		t.Errorf("ran in the order %v", got)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"4915110000001": "4915110000001", "+49 151 1000-0001": "4915110000001", "(49) 151/1000.0001": "4915110000001",
		"": "", "123456": "", "0151100000": "", "1234567890123456": "", "49151abc0001": "", "13135550002": "",
	} {
		got, err := checkNumber(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}
