//go:build !race

package whatsapp

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"switchboard/engine"
	"switchboard/instances"
	"switchboard/messages"
	"switchboard/whatsapp/keystore"
)

// A number comes back with keys of yesterday, as after a restored backup. What it sends next
// is not taken for what it has sent since, and what others wrote meanwhile can be read.
func TestOlderKeysSendAndReceive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, owner, friend, writer := newPlaceIn(t, dir), newPhone(t, "Owner"), newPhone(t, "Friend"), newPhone(t, "Writer")
	s := p.open(quick)
	scan(t, s, owner)
	after := friend.Seq()
	for i := range 2 { // from here on without prekeys
		sendText(t, s, friend.Number(), fmt.Sprint("hello ", i))
		arrives(t, friend, after, fmt.Sprint("hello ", i))
		if _, err := friend.SendText(within(t), owner.Number(), fmt.Sprint("hi ", i)); err != nil {
			t.Fatal(err)
		}
		p.one("an answer", text(fmt.Sprint("hi ", i)))
	}
	sendText(t, s, friend.Number(), "before the backup")
	arrives(t, friend, after, "before the backup")
	writers := writer.Seq()
	write := func(text string) {
		t.Helper()
		if _, err := writer.SendText(within(t), owner.Number(), text); err != nil {
			t.Fatal(err)
		}
	}
	write("a first one")
	p.one("a message", text("a first one"))
	sendText(t, s, writer.Number(), "an answer")
	arrives(t, writer, writers, "an answer")
	write("one more")
	p.one("a message", text("one more"))
	made, err := owner.CreateGroup(within(t), "Group", []string{friend.Number()})
	if err != nil {
		t.Fatal(err)
	}
	group := made.ID
	sendText(t, s, group, "to all")
	arrives(t, friend, after, "to all")
	if n := ownSenderKeys(t, p.keys, s); n != 1 {
		t.Fatalf("%d keys of the number itself", n)
	}
	old := filepath.Join(dir, "old")
	if _, err := p.keys.Exec(`VACUUM INTO $1`, old); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		sendText(t, s, friend.Number(), fmt.Sprint("since ", i))
		arrives(t, friend, after, fmt.Sprint("since ", i))
	}
	s.Close()
	write("meanwhile")
	keys, err := engine.At(old).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := keystore.Rewind(t.Context(), keys, engine.SQLite); err != nil {
		t.Fatal(err)
	}
	p.keys = keys
	if n := ownSenderKeys(t, keys, s); n != 0 {
		t.Errorf("%d keys of the number itself are left", n)
	}
	s = p.open(quick)
	untilIs(t, s, instances.Connected, "")
	p.one("what was written meanwhile", text("meanwhile"))
	if n := count(func(m messages.Message) bool { return m.Kind == messages.Undecryptable }, p.all()); n != 0 {
		t.Errorf("%d messages could not be read", n)
	}
	for _, to := range []string{writer.Number(), group} {
		sendText(t, s, to, "restored to "+to)
	}
	arrives(t, writer, writers, "restored to "+writer.Number())
	arrives(t, friend, after, "restored to "+group)
	write("one in the old session, or the new one")
	p.one("a message", text("one in the old session, or the new one"))
	for i := range 3 {
		sendText(t, s, friend.Number(), fmt.Sprint("restored ", i))
		arrives(t, friend, after, fmt.Sprint("restored ", i))
	}
	if _, err := friend.SendText(within(t), owner.Number(), "at last"); err != nil {
		t.Fatal(err)
	}
	p.one("an answer", text("at last"))
}

// ownSenderKeys counts the keys with which a number writes in groups.
func ownSenderKeys(t *testing.T, keys *sql.DB, s *Session) (n int) {
	t.Helper()
	own := s.current().device.GetLID().SignalAddress().String()
	if err := keys.QueryRow(`SELECT count(*) FROM "whatsmeow_sender_keys" WHERE "sender_id" = $1`, own).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
