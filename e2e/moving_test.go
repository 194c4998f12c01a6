package e2e

import (
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/isolation/pgtest"
)

// A paired number goes from files to a database server, back by way of a backup, and is in
// its conversation each time, without a new scan.
func TestMoved(t *testing.T) {
	t.Parallel()
	network := startNetwork(t)
	other := network.addPhone(friend, "Grace")
	phone := network.addPhone(own, "Ada")
	p, api := startPanelWithToken(t, network)
	inst := api.pair(api.create(phone.number).ID, phone)
	talk := func(round string) {
		t.Helper()
		inst = api.becomes(inst.ID, "connected")
		if linked := phone.state().Companions; len(linked) != 1 {
			t.Fatalf("%s: the phone has %d devices", round, len(linked))
		}
		api.send(inst.ID, friend, "from "+round)
		other.receives(phone.number, "from "+round)
		other.send(phone.number, "to "+round)
		poll(t, "the answer is stored", func() bool { return p.talk(inst).in["to "+round] == 1 }, nil)
		if unread := int64(p.talk(inst).undecryptable) + other.state().Undecryptable; unread != 0 {
			t.Errorf("%s: %d messages cannot be read", round, unread)
		}
	}
	talk("files")
	picture := aPNG(t, color.White)
	sent, path := api.rest(inst.ID).receivesPicture(network, picture)
	network.must(network.control.Expire(within(t, patience), own, friend, sent, false))
	p.stop()

	uri := filepath.Join(p.dir, "uri")
	if err := os.WriteFile(uri, []byte(pgtest.New(t).URI), 0o600); err != nil {
		t.Fatal(err)
	}
	p.command("", "migrate-database", "--to-file", uri)
	files := p.vars
	content, err := os.ReadFile(uri)
	if err != nil {
		t.Fatal(err)
	}
	p.vars = append(files[:len(files):len(files)], "DB_URI="+string(content))
	p.serve(t)
	api = p.withToken()
	talk("server")
	if p.talk(inst).in["to files"] != 1 {
		t.Error("what was received before the move is gone")
	}
	api.rest(inst.ID).shows(path, picture)

	backup := filepath.Join(p.dir, "all.backup")
	if out := p.command("correct horse battery staple", "backup", "--out", backup, "--passphrase-stdin"); !strings.Contains(out, "with 1 picture or file (") {
		t.Errorf("the backup says %q", out)
	}
	p.stop()
	p.dir, p.vars = t.TempDir(), files
	p.command("correct horse battery staple", "restore", "--in", backup, "--passphrase-stdin")
	p.serve(t)
	api = p.withToken()
	talk("files again")
	api.rest(inst.ID).shows(path, picture)
	if in := p.talk(inst).in; in["to files"] != 1 || in["to server"] != 1 {
		t.Error("what was received before the restore is gone")
	}
}
