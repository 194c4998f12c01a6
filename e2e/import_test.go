package e2e

import (
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/net/html"
)

// TestImport starts on the file of another WhatsApp program, in which two numbers are
// paired. Both go on here without a scan and in the conversations that they were in, and
// what the file held stays in it.
func TestImport(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	other := network.addPhone(friend, "Grace")
	phones := []*handset{network.addPhone(own, "Ada"), network.addPhone("491700000003", "Bea")}

	// What the other program leaves: one file with two devices, each in a conversation.
	former, api := startPanelWithToken(t, network)
	var keys, jids []string
	for n, phone := range phones {
		paired := api.pair(api.create(phone.number).ID, phone)
		jids = append(jids, paired.JID)
		api.send(paired.ID, friend, fmt.Sprintf("before %d", n))
		other.receives(phone.number, fmt.Sprintf("before %d", n))
		keys = append(keys, filepath.Join(former.folder(paired.ID), paired.Database.Keys))
	}
	former.stop()
	p := &panel{t: t, dir: t.TempDir(), vars: former.vars}
	store := filepath.Join(p.dir, "storages", "whatsapp.db")
	makeStore(t, store, keys)

	p.serve(t)
	p.command(ownerPassword, "user", "add", "--email", ownerEmail, "--role", "owner", "--password-stdin")
	api = p.withToken()
	r := newReader(t)
	r.open(p.url + "/login")
	r.submit("login-form", map[string]string{"email": ownerEmail, "password": ownerPassword})
	r.open(p.url)
	button := r.find("import-all")
	if button == nil {
		t.Fatalf("nothing to import on:\n%s", r.text(r.root))
	}
	r.send(button.Parent)
	var list []instance
	api.call(http.MethodGet, "/instances", nil, http.StatusOK, &list)
	if len(list) != len(jids) {
		t.Fatalf("imported: %+v", list)
	}
	for _, inst := range list {
		inst = api.becomes(inst.ID, "connected")
		n := slices.Index(jids, inst.JID)
		if n < 0 {
			t.Fatalf("%s was not paired before", inst.JID)
		}
		if linked := phones[n].state().Companions; len(linked) != 1 {
			t.Errorf("the phone has %d devices", len(linked))
		}
		api.send(inst.ID, friend, fmt.Sprintf("after %d", n))
		other.receives(phones[n].number, fmt.Sprintf("after %d", n))
		other.send(phones[n].number, fmt.Sprintf("answer %d", n))
		poll(t, "the answer is stored", func() bool { return p.talk(inst).in[fmt.Sprintf("answer %d", n)] == 1 }, nil)
		if unread := p.talk(inst).undecryptable; unread != 0 {
			t.Errorf("%d messages cannot be read", unread)
		}
	}
	if unread := other.state().Undecryptable; unread != 0 {
		t.Errorf("the other phone cannot read %d messages", unread)
	}
	if r.open(p.url); r.find("import-all") != nil {
		t.Error("the numbers are offered again")
	}
	for _, file := range []string{store, store + ".before-switchboard"} {
		if left := devicesIn(t, file); !slices.Equal(left, jids) {
			t.Errorf("%s holds %v", file, left)
		}
	}
}

// makeStore puts the contents of several keys databases into one file.
func makeStore(t testing.TB, path string, keys []string) {
	t.Helper()
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what is attached belongs to one connection
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for n, file := range keys {
		run(`ATTACH DATABASE $1 AS "one"`, file)
		tables := pairs(t, db, `SELECT "name", "sql" FROM "one"."sqlite_master" WHERE "type" = 'table' AND "name" LIKE 'whatsmeow%'`)
		if len(tables) == 0 {
			t.Fatalf("%s holds no tables", file)
		}
		for name, made := range tables {
			switch {
			case n == 0:
				run(made)
			case name == "whatsmeow_version":
				continue
			}
			run(fmt.Sprintf(`INSERT OR IGNORE INTO "main".%q SELECT * FROM "one".%q`, name, name))
		}
		run(`DETACH DATABASE "one"`)
	}
}

// pairs reads two columns.
func pairs(t testing.TB, db *sql.DB, query string) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
		all[name] = value
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// devicesIn lists the devices in a store.
func devicesIn(t testing.TB, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return slices.Sorted(maps.Keys(pairs(t, db, `SELECT "jid", "jid" FROM "whatsmeow_device"`)))
}

// send sends a form as it is.
func (r *reader) send(form *html.Node) {
	r.t.Helper()
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Type == html.ElementNode && n.Data == "input" {
			values.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}
	r.follow(http.MethodPost, attribute(form, "action"), values)
}
