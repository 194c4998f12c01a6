package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/engine"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/messages"
	"switchboard/store"
)

const chosen = "correct horse battery staple\n"

// withNumber makes an installation with a person and a number that has a message.
func withNumber(t *testing.T) (dir string, id instances.ID) {
	t.Helper()
	dir, id = t.TempDir(), "shop_20240101120000"
	if got := runIn(t, dir, nil, "a long password", "user", "add", "--email", "owner@example.com", "--role", "owner", "--password-stdin"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	s, err := store.Open(t.Context(), engine.At(filepath.Join(dir, "storages", "whatsapp.db")).URI())
	must(t, err)
	defer s.Close()
	d, err := isolation.Open(t.Context(), "file:x", filepath.Join(dir, "storages"))
	must(t, err)
	_, err = s.AddInstance(t.Context(), instances.Instance{
		ID: id, Name: "Shop", JID: "491700000001:1@s.whatsapp.net", Desired: instances.Stopped, Status: instances.Idle, Port: 3001,
		Database: d.Names(id), CreatedAt: time.UnixMilli(1),
	}, "")
	must(t, err)
	access, err := d.Provision(t.Context(), id)
	must(t, err)
	db, err := isolation.OpenMain(t.Context(), access)
	must(t, err)
	must(t, messages.New(db).Save(t.Context(), messages.Message{
		Chat: "c", ID: "1", Sender: "s", Kind: messages.Image, Text: "Grüße", At: time.UnixMilli(1),
		Media: &messages.Media{Type: messages.ImageFile, Size: 7, File: pictureName, State: messages.Stored},
	}))
	must(t, os.MkdirAll(filepath.Dir(pictureOf(dir, id)), 0o700))
	must(t, os.WriteFile(pictureOf(dir, id), []byte("picture"), 0o600))
	must(t, db.Close())
	return dir, id
}

const pictureName = "1700000001-picture.png"

func pictureOf(dir string, id instances.ID) string {
	return filepath.Join(dir, "storages", "instances", string(id), "media", pictureName)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func textsOf(t *testing.T, dir string, id instances.ID) string {
	t.Helper()
	d, err := isolation.Open(t.Context(), "file:x", filepath.Join(dir, "storages"))
	must(t, err)
	db, err := d.ReadMain(t.Context(), id)
	must(t, err)
	defer db.Close()
	all, err := messages.New(db).Latest(t.Context(), 10)
	must(t, err)
	var texts []string
	for _, m := range all {
		texts = append(texts, m.Text)
	}
	return strings.Join(texts, " ")
}

func expect(t *testing.T, got result, code int, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(got.stdout+got.stderr, word) {
			t.Errorf("%q is missing", word)
		}
	}
	if got.code != code || t.Failed() {
		t.Fatalf("code %d, want %d\n%s%s", got.code, code, got.stdout, got.stderr)
	}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir, id := withNumber(t)
	file := filepath.Join(dir, "all.backup")
	expect(t, runIn(t, dir, nil, chosen, "backup", "--out", file, "--passphrase-stdin"), 0, "Written to", "1 of 1: "+string(id), "with 1 picture or file (7 bytes)")
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	expect(t, runIn(t, dir, nil, chosen, "backup", "--out", file, "--passphrase-stdin"), 1, "already a file")
	expect(t, runIn(t, dir, nil, chosen, "restore", "--in", file, "--passphrase-stdin", "--list"), 0, "complete and unaltered", "a whole installation", string(id), "Shop", "1 (7 bytes)")
	expect(t, runIn(t, dir, nil, "wrong\n", "restore", "--in", file, "--passphrase-stdin"), 1, "not the passphrase")
	expect(t, runIn(t, dir, nil, chosen, "restore", "--in", file, "--passphrase-stdin", "--number", string(id)), 1, "--replace")

	other := t.TempDir()
	write(t, other, "secret", chosen)
	expect(t, runIn(t, other, nil, "", "restore", "--in", file, "--passphrase-file", "secret"), 0, "Restored Shop", "1 of 1")
	if got := textsOf(t, other, id); got != "Grüße" {
		t.Errorf("the message is %q", got)
	}
	if got, err := os.ReadFile(pictureOf(other, id)); err != nil || string(got) != "picture" {
		t.Errorf("the picture is %q, %v", got, err)
	}
	expect(t, runIn(t, other, nil, "", "user", "list"), 0, "owner@example.com")

	// What is replaced can be had back, and a panel that runs is in the way.
	expect(t, runIn(t, other, nil, chosen, "restore", "--in", file, "--passphrase-stdin", "--replace"), 0)
	expect(t, runIn(t, other, nil, "", "restore", "--list-deleted"), 0, string(id), "PAIRED", "not any more")
	expect(t, runIn(t, other, nil, "", "restore", "--deleted", string(id)), 1, "--replace")
	expect(t, runIn(t, other, nil, "", "restore", "--deleted", string(id), "--replace"), 0, "Restored Shop")
	expect(t, runIn(t, other, nil, "", "restore", "--deleted", "nobody"), 1, "No backup of a deleted number")
	server := startServe(t, other)
	expect(t, runIn(t, other, nil, "", "restore", "--deleted", string(id), "--replace"), 2, "Another Switchboard works")
	expect(t, runIn(t, other, nil, chosen, "backup", "--out", "running.backup", "--passphrase-stdin", "--number", string(id)), 0, "Written to")
	server.stop(t)

	// Without its pictures, and with less room than they take.
	expect(t, runIn(t, dir, nil, chosen, "backup", "--out", "small.backup", "--passphrase-stdin", "--without-media"), 0, "with no pictures and files")
	third := t.TempDir()
	expect(t, runIn(t, third, nil, chosen, "restore", "--in", filepath.Join(dir, "small.backup"), "--passphrase-stdin", "--list"), 0, "0 (0 bytes), without media")
	expect(t, runIn(t, third, nil, chosen, "restore", "--in", file, "--passphrase-stdin", "--without-media"), 0, "Restored Shop")
	if _, err := os.Stat(pictureOf(third, id)); !os.IsNotExist(err) {
		t.Errorf("the picture that nobody wanted: %v", err)
	}
}

func TestBackupThatIsUsedWrongly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "two-lines", "one\ntwo\n")
	for _, c := range []struct {
		stdin, want string
		args        []string
	}{
		{"", "--out", []string{"backup", "--passphrase-stdin"}},
		{"", "either --passphrase-stdin or", []string{"backup", "--out", "x"}},
		{"", "either --passphrase-stdin or", []string{"backup", "--out", "x", "--passphrase-stdin", "--passphrase-file", "y"}},
		{"short\n", "shorter than 12", []string{"backup", "--out", "x", "--passphrase-stdin"}},
		{"\n", "alone, on one line", []string{"backup", "--out", "x", "--passphrase-stdin"}},
		{"", "alone, on one line", []string{"backup", "--out", "x", "--passphrase-file", "two-lines"}},
		{"", "no such file", []string{"backup", "--out", "x", "--passphrase-file", "nowhere"}},
		{"", "needs one of", []string{"restore"}},
		{"", "needs one of", []string{"restore", "--in", "x", "--list-deleted"}},
		{chosen, "no such file", []string{"restore", "--in", "nowhere", "--passphrase-stdin"}},
		{chosen, "does not exist", []string{"backup", "--out", "x", "--passphrase-stdin"}},
	} {
		if got := runIn(t, dir, nil, c.stdin, c.args...); got.code != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("there is a file")
	}
}
