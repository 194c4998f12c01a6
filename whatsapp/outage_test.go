//go:build !race

package whatsapp

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"switchboard/engine"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/pgtest"
	"switchboard/messages"
	"switchboard/whatsapp/simulator/phone"
)

// onServer is a number whose databases are on a server, as a worker opens them.
func onServer(t *testing.T, main, keys pgtest.Database) (*place, *Session, string) {
	t.Helper()
	told := make(chan bool, 100)
	opener := isolation.Opener{Away: func(away bool) { told <- away }}
	access := instances.Access{Engine: engine.Postgres, Main: main.URI, Keys: keys.URI}
	p := &place{t: t}
	var err error
	if p.main, err = opener.Main(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.main.Close() })
	if p.keys, p.dialect, err = opener.Keys(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.keys.Close() })
	p.messages = messages.New(p.main)
	s, owner := p.open(quick), newPhone(t, "Owner")
	go func() {
		for away := range told {
			s.DatabaseAway(away)
		}
	}()
	scan(t, s, owner)
	return p, s, owner.Number()
}

// statuses collects every status that a session has, until the function it returns is called.
func statuses(s *Session) func() []instances.Status {
	ctx, cancel := context.WithCancel(context.Background())
	var seen []instances.Status
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			changed := s.Changed()
			if status := s.Report().Status; !slices.Contains(seen, status) {
				seen = append(seen, status)
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() []instances.Status {
		cancel()
		watching.Wait()
		return seen
	}
}

// The server stops under traffic: nothing is acknowledged that is not stored, the connection
// to WhatsApp stays, and when the server is back everything is there, once.
func TestAnOutageCostsNoMessageAndNoConnection(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	p, s, number := onServer(t, cluster.New(t), cluster.New(t))
	friend := newPhone(t, "Friend")
	send := func(text string) {
		t.Helper()
		if _, err := friend.SendText(within(t), number, text); err != nil {
			t.Fatal(err)
		}
	}
	send("before")
	p.one("the first message", text("before"))
	sendText(t, s, friend.Number(), "answer") // from here on without prekeys
	arrives(t, friend, 0, "answer")
	seen := statuses(s)

	const n = 20
	for round := range 2 {
		cluster.Stop()
		var sent []string
		for i := range n {
			entry, err := friend.SendText(within(t), number, fmt.Sprint("meanwhile ", round, " ", i))
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, entry.ID)
		}
		untilIs(t, s, instances.Connected, instances.DatabaseAway)
		if waiting := unacknowledged(number); waiting < n {
			t.Errorf("only %d of %d messages wait for an acknowledgement without a database", waiting, n)
		}
		cluster.Start(t)
		untilIs(t, s, instances.Connected, "")
		for _, id := range sent {
			p.one("what was sent meanwhile", func(m messages.Message) bool { return m.ID == id && m.Kind == messages.Text })
		}
	}
	send("after")
	p.one("the last message", text("after"))
	if got := count(fromOthers, p.all()); got != 2*n+2 {
		t.Errorf("%d messages are stored, want %d", got, 2*n+2)
	}
	if got := seen(); !slices.Equal(got, []instances.Status{instances.Connected}) {
		t.Errorf("the number was %v", got)
	}
}

// unacknowledged is how many messages the network keeps for a number's device.
func unacknowledged(number string) (n int) {
	for _, d := range network1.Devices(number) {
		if d.JID.Device != 0 {
			n += d.Queued
		}
	}
	return n
}

// Connections to the server are killed one by one, while messages go in and out.
func TestKilledConnectionsCostNothing(t *testing.T) {
	t.Parallel()
	main, keys := pgtest.New(t), pgtest.New(t)
	p, s, number := onServer(t, main, keys)
	friend := newPhone(t, "Friend")
	if _, err := friend.SendText(within(t), number, "before"); err != nil {
		t.Fatal(err)
	}
	p.one("the first message", text("before"))
	sendText(t, s, friend.Number(), "answer")
	arrives(t, friend, 0, "answer")
	seen := statuses(s)

	super, err := sql.Open("pgx", main.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close()
	p.messages = messages.New(super) // for the test to look into, undisturbed
	killed := 0
	const n = 60
	for i := range n {
		if _, err := friend.SendText(within(t), number, fmt.Sprint("under fire ", i)); err != nil {
			t.Fatal(err)
		}
		for hit, try := 0, 0; hit == 0 && try < 200; try++ {
			if err := super.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
				WHERE usename IN ($1, $2) ORDER BY random() LIMIT 1) AS victim`, main.Tag, keys.Tag).Scan(&hit); err != nil {
				t.Fatal(err)
			}
			killed += hit
		}
	}
	for i := range n {
		p.one("a message", text(fmt.Sprint("under fire ", i)))
	}
	if got := count(fromOthers, p.all()); got != n+1 {
		t.Errorf("%d messages are stored, want %d", got, n+1)
	}
	t.Logf("%d connections killed, the number was %v", killed, seen())
	if killed < 5 {
		t.Error("hardly a connection was killed, so nothing was tested")
	}
}

// Somebody who could not open a message asks for it again, and the answer loses its connection
// to the server: he is answered all the same, since he does not ask a second time.
func TestWhoAsksAgainIsAnsweredWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"whatsmeow_identity_keys", "whatsmeow_sessions"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			main, keys := pgtest.New(t), pgtest.New(t)
			_, s, _ := onServer(t, main, keys)
			friend := newPhone(t, "Friend")
			sendText(t, s, friend.Number(), "first")
			arrives(t, friend, 0, "first")
			if err := friend.SetOnline(within(t), false); err != nil {
				t.Fatal(err)
			}
			sendText(t, s, friend.Number(), "second")
			forget(t, friend)
			breaks := breaking(t, keys, "INSERT OR UPDATE", table)
			if err := friend.SetOnline(within(t), true); err != nil {
				t.Fatal(err)
			}
			breaks()
			arrives(t, friend, 0, "second")
		})
	}
}

// The connection to the server breaks when the key comes with which somebody writes in a group. It
// is stored all the same, so that what is written with it can be read at once.
func TestTheKeyOfAGroupIsStoredWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	main, keys := pgtest.New(t), pgtest.New(t)
	p, s, owner := onServer(t, main, keys)
	friend := newPhone(t, "Friend")
	sendText(t, s, friend.Number(), "first")
	arrives(t, friend, 0, "first")
	group, err := friend.CreateGroup(within(t), "Group", []string{owner})
	if err != nil {
		t.Fatal(err)
	}
	breaks := breaking(t, keys, "INSERT OR UPDATE", "whatsmeow_sender_keys")
	sent, err := friend.SendText(within(t), group.ID, "to all")
	if err != nil {
		t.Fatal(err)
	}
	own, err := fleet.Phone(owner)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []*phone.Phone{friend, own} { // who would send it once more
		if err := other.SetOnline(within(t), false); err != nil {
			t.Fatal(err)
		}
	}
	breaks()
	if m := p.one("the message", func(m messages.Message) bool { return m.ID == sent.ID }); m.Text != "to all" {
		t.Errorf("stored as %+v", m)
	}
}

// The connection to the server breaks when it is stored that WhatsApp took a message: that it
// was sent is known all the same, and not called failed after the next start.
func TestWhatWasTakenIsKnownWhenAConnectionBreaks(t *testing.T) {
	t.Parallel()
	main, keys := pgtest.New(t), pgtest.New(t)
	p, s, _ := onServer(t, main, keys)
	friend := newPhone(t, "Friend")
	sendText(t, s, friend.Number(), "first")
	arrives(t, friend, 0, "first")
	if err := friend.SetOnline(within(t), false); err != nil { // whose receipts say more
		t.Fatal(err)
	}
	breaks := breaking(t, main, "UPDATE", "messages")
	outcome := make(chan error, 1)
	go func() {
		_, err := s.SendText(within(t), friend.Number(), "second")
		outcome <- err
	}()
	breaks()
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	p.one("that it was sent", func(m messages.Message) bool { return m.Text == "second" && m.Status == messages.SentOut })
}

// breaking has statements that write to a table wait. The function that it returns cuts the
// connection of the first one that does, and lets the others go on.
func breaking(t *testing.T, of pgtest.Database, statements, table string) (breaks func()) {
	t.Helper()
	super, err := sql.Open("pgx", of.SuperURI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { super.Close() })
	tx, err := super.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	if _, err := tx.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(1)`); err != nil {
		t.Fatal(err)
	}
	_, err = super.ExecContext(t.Context(), `
		CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
		CREATE TRIGGER wait BEFORE `+statements+` ON `+table+` FOR EACH ROW EXECUTE FUNCTION wait()`)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		ctx := within(t)
		for cut := 0; cut == 0; {
			if err := super.QueryRowContext(ctx, `SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l
				WHERE NOT l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&cut); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// forget has a phone lose its sessions.
func forget(t *testing.T, p *phone.Phone) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(worldDir, "phones.db")+"?_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `DELETE FROM whatsmeow_sessions WHERE our_jid LIKE $1`, p.Number()+"%"); err != nil {
		t.Fatal(err)
	}
}
