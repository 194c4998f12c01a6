package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"switchboard/engine"
	"switchboard/instances"
	"switchboard/isolation/pgtest"
	_ "switchboard/whatsapp/serial" // sets up the library's logger before tests race to do it
)

// otherProgram makes the store of another program with two paired numbers.
func otherProgram(t *testing.T, name, place string) {
	t.Helper()
	dialect := map[string]string{engine.SQLite: "sqlite3", engine.Postgres: "pgx"}[name]
	container, err := sqlstore.New(t.Context(), dialect, place, nil)
	must(t, err)
	for n, user := range []string{"491700000001", "491700000002"} {
		jid := types.NewJID(user, types.DefaultUserServer)
		jid.Device = uint16(n + 5)
		d := container.NewDevice()
		d.ID, d.PushName = &jid, "Shop"
		d.Account = &waAdv.ADVSignedDeviceIdentity{
			Details: []byte{1}, AccountSignatureKey: make([]byte, 32), AccountSignature: make([]byte, 64), DeviceSignature: make([]byte, 64),
		}
		must(t, container.PutDevice(t.Context(), d))
	}
	must(t, container.Close())
	// wuzapi keeps tables of its own beside the library's.
	db, err := sql.Open(map[string]string{engine.SQLite: "sqlite3", engine.Postgres: "pgx"}[name], place)
	must(t, err)
	for _, statement := range []string{
		`CREATE TABLE "users" ("id" TEXT PRIMARY KEY, "name" TEXT, "token" TEXT, "jid" TEXT)`,
		`INSERT INTO "users" VALUES ('1', 'shop', 'secret', '491700000001:5@s.whatsapp.net')`,
		`CREATE TABLE "migrations" ("id" INTEGER PRIMARY KEY, "name" TEXT)`,
	} {
		_, err = db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, db.Close())
}

func TestImport(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	otherProgram(t, engine.Postgres, server.URI)
	for _, name := range []string{engine.SQLite, engine.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			from := []string{"import", "--from", "file:other.db"}
			if name == engine.SQLite {
				otherProgram(t, name, "file:"+filepath.Join(dir, "other.db")+"?_foreign_keys=on")
			} else {
				write(t, dir, "uri", server.URI+"\n")
				from = []string{"import", "--from-file", "uri"}
			}
			expect(t, runIn(t, dir, nil, "", from...), 2, "Nobody owns")
			expect(t, runIn(t, dir, nil, "a long password", "user", "add", "--email", "owner@example.com", "--role", "owner", "--password-stdin"), 0)
			expect(t, runIn(t, dir, nil, "", append(from, "--list")...), 0, "491700000001:5@s.whatsapp.net", "491700000002:6@s.whatsapp.net")
			expect(t, runIn(t, dir, nil, "", append(from, "--user", "nobody@example.com")...), 2, "nobody with the e-mail")
			expect(t, runIn(t, dir, nil, "", append(from, "--jid", "4999:1@s.whatsapp.net")...), 1, "no such paired number")
			expect(t, runIn(t, dir, nil, "", append(from, "--jid", "491700000002:6@s.whatsapp.net")...), 0, "as Shop (shop_")
			expect(t, runIn(t, dir, nil, "", append(from, "--jid", "491700000002:6@s.whatsapp.net")...), 1, "belongs to the number")
			expect(t, runIn(t, dir, nil, "", from...), 0, "491700000001:5@s.whatsapp.net as Shop 2 (", "491700000002:6@s.whatsapp.net was imported before")
			panel := startServe(t, dir)
			expect(t, runIn(t, dir, nil, "", from...), 2, "Another Switchboard works")
			panel.stop(t)
		})
	}
	for _, c := range [][2]string{{"mysql://x", "no address"}, {"file:missing.db", "does not exist"}, {"file:.", "is a folder"}, {"", "needs --from"}, {server.URI, "holds a password"}} {
		if got := runIn(t, t.TempDir(), nil, "", "import", "--from", c[0]); got.code != 2 || !strings.Contains(got.stderr, c[1]) {
			t.Errorf("%s: %+v", c[0], got)
		}
	}
}

// An import that was killed is in nobody's way: the next one clears up what it left, and begins anew.
func TestImportAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	otherProgram(t, engine.SQLite, "file:"+filepath.Join(dir, "other.db")+"?_foreign_keys=on")
	expect(t, runIn(t, dir, nil, "a long password", "user", "add", "--email", "owner@example.com", "--role", "owner", "--password-stdin"), 0)
	c := config{DBURI: "file:" + filepath.Join(dir, "storages", "whatsapp.db"), StorageDir: filepath.Join(dir, "storages")}
	in, err := openInstallation(t.Context(), c, opening{alone: true})
	must(t, err)
	const id = "shop_20240101120000"
	_, err = in.Store.AddInstance(t.Context(), instances.Instance{
		ID: id, Name: "Shop", JID: "491700000001:5@s.whatsapp.net", Port: 3001, Database: in.Databases.Names(id),
		Desired: instances.Stopped, Status: instances.Deleting, Reason: instances.Unfinished, CreatedAt: time.UnixMilli(1),
	}, "")
	must(t, err)
	_, err = in.Databases.Provision(t.Context(), id)
	must(t, err)
	in.release()
	expect(t, runIn(t, dir, nil, "", "import", "--from", "file:other.db"), 0, "Imported 491700000001:5@s.whatsapp.net as Shop (", "Imported 491700000002:6@s.whatsapp.net")
	empty, err := sql.Open("sqlite3", filepath.Join(dir, "empty.db"))
	must(t, err)
	_, err = empty.ExecContext(t.Context(), `CREATE TABLE "x" ("y" INTEGER)`)
	must(t, err)
	must(t, empty.Close())
	expect(t, runIn(t, dir, nil, "", "import", "--from", "file:empty.db", "--list"), 1, "no paired number in that database")
}
