package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/pgtest"
	"switchboard/secrets"
	"switchboard/store"
)

// examine runs doctor and makes sure that it has changed nothing.
func examine(t *testing.T, dir string, vars []string, code int, words ...string) {
	t.Helper()
	before := tree(t, dir)
	expect(t, runIn(t, dir, append([]string{"APP_PORT=0"}, vars...), "", "doctor"), code, words...)
	if after := tree(t, dir); after != before {
		t.Errorf("doctor changed something:\n%s\n%s", before, after)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	examine(t, dir, nil, 0, "ok    control database     there is none yet")
	examine(t, dir, []string{"DB_URI=mysql://x", "APP_PORT=x"}, 1, "fail  configuration        DB_URI has to begin with", "fail  configuration        APP_PORT is", "2 of 2 checks failed")
	examine(t, dir, []string{"WHATSAPP_SIMULATOR_ADDR=127.0.0.1:1", "WHATSAPP_SIMULATOR_ROOT_KEY=" + strings.Repeat("ab", 32)}, 0, "warn  network")
	examine(t, dir, []string{"APP_HOST=0.0.0.0"}, 0, "warn  encryption")
	write(t, dir, "file", "")
	examine(t, dir, []string{"STORAGE_DIR=file/folder"}, 1, "fail  storage              STORAGE_DIR needs the folder")

	dir, id := withNumber(t)
	sound := []string{"ok    storage", "ok    secret key", "ok    panel                it does not run", "ok    numbers              1 number, with both databases", "ok    unknown databases    none"}
	examine(t, dir, nil, 0, sound...)
	s := startServe(t, dir)
	expect(t, runIn(t, dir, []string{"APP_PORT=0"}, "", "doctor"), 0, "ok    panel                it runs", "ok    numbers              1 number, with both databases")
	s.stop(t)

	folder := filepath.Join(dir, "storages", "instances")
	mkdir(t, dir, "storages/instances/lost_20240101120000")
	write(t, dir, "storages/instances/lost_20240101120000/whatsapp_lost_20240101120000", strings.Repeat("x", 3000))
	examine(t, dir, nil, 0, "warn  unknown databases    lost_20240101120000, 2.9 KiB")

	must(t, os.Chmod(filepath.Join(dir, "storages", "secret.key"), 0o644))
	examine(t, dir, nil, 0, "warn  secret key           other users of this machine may read it")
	main := filepath.Join(folder, string(id), "whatsapp_"+string(id))
	content, err := os.ReadFile(main)
	must(t, err)
	for i := 100; i < len(content); i++ {
		content[i] = 0xA5
	}
	must(t, os.WriteFile(main, content, 0o600))
	examine(t, dir, nil, 1, "fail  number               "+string(id), "is damaged or no database")
	must(t, os.Remove(main))
	examine(t, dir, nil, 1, "fail  number               "+string(id), "is missing")
	must(t, os.Remove(filepath.Join(dir, "storages", "secret.key")))
	examine(t, dir, nil, 1, "fail  secret key")
	must(t, os.WriteFile(filepath.Join(dir, "storages", "whatsapp.db"), bytes.Repeat([]byte("no database\n"), 1000), 0o600))
	examine(t, dir, nil, 1, "fail  control database     The database file")
}

func TestDoctorPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	super, err := sql.Open("pgx", server.SuperURI)
	must(t, err)
	defer super.Close()
	dir := t.TempDir()
	vars := []string{"DB_URI=" + server.URI}
	examine(t, dir, vars, 0, "ok    control database     it can be reached, and is made ready by the first start",
		"warn  PostgreSQL           Every PostgreSQL user may enter the control database", "ok    connections          0 numbers and the panel use 8 at worst; the server allows 97")

	if got := runIn(t, dir, vars, "a long password", "user", "add", "--email", "owner@example.com", "--role", "owner", "--password-stdin"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	// No other test that runs beside this one on the same server may have a number of this id.
	const id, lost = instances.ID("doctor_20240101120000"), instances.ID("lost_20240101120000")
	s, err := store.Open(t.Context(), server.URI)
	must(t, err)
	defer s.Close()
	key, err := os.ReadFile(filepath.Join(dir, "storages", "secret.key"))
	must(t, err)
	box, err := secrets.New(strings.TrimSpace(string(key)), passwordsPurpose)
	must(t, err)
	d, err := isolation.Open(t.Context(), server.URI, filepath.Join(dir, "storages"), isolation.WithVault(s, box))
	must(t, err)
	defer d.Close()
	for _, number := range []instances.ID{id, lost} {
		_, err = d.Provision(t.Context(), number)
		must(t, err)
	}
	_, err = s.AddInstance(t.Context(), instances.Instance{
		ID: id, Name: "Shop", Desired: instances.Running, Status: instances.Idle, Port: 3001, Database: d.Names(id),
	}, "")
	must(t, err)
	examine(t, dir, vars, 0, "ok    PostgreSQL           15", "ok    numbers              1 number, with both databases there and sound",
		"1 number and the panel use 12 at worst", "warn  unknown databases    "+string(lost)+", 1")

	_, err = super.ExecContext(t.Context(), `ALTER ROLE "`+server.Tag+`" NOCREATEDB`)
	must(t, err)
	examine(t, dir, vars, 1, `may not make databases and roles for numbers; let an administrator run: ALTER ROLE "`+server.Tag+`" CREATEDB CREATEROLE;`)
	_, err = super.ExecContext(t.Context(), `ALTER ROLE "`+server.Tag+`" CREATEDB`)
	must(t, err)
	_, err = super.ExecContext(t.Context(), `DROP DATABASE "keys_`+string(id)+`"`)
	must(t, err)
	examine(t, dir, vars, 1, "fail  number               "+string(id)+": The PostgreSQL database keys_"+string(id)+" is missing")
	must(t, d.Drop(t.Context(), id))
	must(t, d.Drop(t.Context(), lost))

	secret := strings.Replace(server.URI, ":test@", ":very-secret@", 1)
	if got := runIn(t, dir, []string{"DB_URI=" + secret, "APP_PORT=0"}, "", "doctor"); got.code != 1 || strings.Contains(got.stdout+got.stderr, "very-secret") {
		t.Errorf("a wrong password: %+v", got)
	}
}
