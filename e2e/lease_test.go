package e2e

import (
	"database/sql"
	"fmt"
	"net/url"
	"syscall"
	"testing"

	"switchboard/isolation/pgtest"
)

// TestTakenOverElsewhere has another host take a number whose worker runs here. The worker
// stores nothing more and ends, says why, and is back when the other has let go; what was
// sent meanwhile arrives then, once.
func TestTakenOverElsewhere(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	database := pgtest.New(t)
	_, api := startPanelWithToken(t, network, "DB_URI="+database.URI)
	id := api.pair(api.create(phone.number).ID, phone).ID
	main := mainDatabase(t, database.SuperURI, "whatsapp_"+id)
	stored := func(text string) (n int) {
		t.Helper()
		if err := main.QueryRow(`SELECT count(*) FROM "messages" WHERE "text" = $1`, text).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	other.send(own, "before")
	poll(t, "the first message is stored", func() bool { return stored("before") == 1 }, nil)

	const take = `UPDATE "lease" SET "token" = "token" + 1, "holder" = 'elsewhere', "expires_at" = 9e15`
	if _, err := main.Exec(take); err != nil {
		t.Fatal(err)
	}
	other.send(own, "meanwhile")
	poll(t, "the number is locked by another", func() bool { return api.get(id).Reason == "locked_by_another" },
		func() string { return fmt.Sprintf("%+v", api.get(id)) })
	if stored("meanwhile") != 0 {
		t.Error("a worker that lost its lease stored a message")
	}
	if _, err := main.Exec(`UPDATE "lease" SET "holder" = '', "expires_at" = 0`); err != nil {
		t.Fatal(err)
	}
	api.becomes(id, "connected")
	poll(t, "what was sent meanwhile is stored", func() bool { return stored("meanwhile") == 1 }, nil)

	// A worker that was killed holds the lease, and its successor has it at once.
	if err := syscall.Kill(api.get(id).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	other.send(own, "after")
	poll(t, "what was sent after a kill is stored", func() bool { return stored("after") == 1 }, nil)
	for _, text := range []string{"before", "meanwhile", "after"} {
		if n := stored(text); n != 1 {
			t.Errorf("%q is stored %d times", text, n)
		}
	}
}

// mainDatabase opens a number's database as the superuser.
func mainDatabase(t testing.TB, super, name string) *sql.DB {
	t.Helper()
	u, err := url.Parse(super)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
