package main

import (
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/audit"
	"switchboard/auth"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/pgtest"
	"switchboard/secrets"
	"switchboard/settings"
)

// sealedWorld is an installation with something sealed of every kind.
type sealedWorld struct {
	t   *testing.T
	dir string
	c   config
}

func newSealedWorld(t *testing.T) *sealedWorld {
	t.Helper()
	dir, id := withNumber(t)
	w := &sealedWorld{t: t, dir: filepath.Join(dir, "storages")}
	w.c = config{DBURI: "file:" + filepath.Join(w.dir, "whatsapp.db"), StorageDir: w.dir, KeepDeleted: time.Hour}
	s := w.open()
	defer s.Close()
	owner, _, err := s.store.UserByEmail(t.Context(), "owner@example.com")
	must(t, err)
	seeds, err := secrets.New(s.key, auth.BoxPurpose)
	must(t, err)
	must(t, s.store.SaveTOTP(t.Context(), owner.ID, seeds.Seal([]byte("SEED"))))
	keeper, err := settingsKeeper(t.Context(), s)
	must(t, err)
	must(t, keeper.Update(t.Context(), id, func(s *settings.Settings) error { s.Proxy = "http://user:secret@proxy.example"; return nil }))
	log, err := s.audit(t.Context(), slog.New(slog.DiscardHandler))
	must(t, err)
	log.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	passwords, err := secrets.New(s.key, passwordsPurpose)
	must(t, err)
	_, err = s.store.KeepPassword(t.Context(), id, passwords.Seal([]byte("password")))
	must(t, err)

	in, err := openInstallation(t.Context(), w.c, opening{})
	must(t, err)
	defer in.release()
	kept, err := deletedNumbers(in.storage, w.c.KeepDeleted)
	must(t, err)
	path, err := kept.Keep(t.Context(), in.Installation, id)
	must(t, err)
	if path == "" {
		t.Fatal("no last backup was made")
	}
	return w
}

func (w *sealedWorld) open() *storage {
	w.t.Helper()
	s, err := openStorage(w.t.Context(), w.c, false)
	must(w.t, err)
	return s
}

// sound makes sure that everything can be opened, and returns the key it is under.
func (w *sealedWorld) sound(what string) string {
	w.t.Helper()
	s := w.open()
	defer s.Close()
	opened := 0
	must(w.t, s.store.Reseal(w.t.Context(), func(table, name string, sealed []byte) ([]byte, error) {
		box, err := secrets.New(s.key, purposeOf(table, name))
		must(w.t, err)
		if _, err := box.Open(sealed); err != nil {
			w.t.Errorf("%s: %s of %s cannot be opened", what, table, name)
		}
		opened++
		return sealed, nil
	}))
	if opened < 4 {
		w.t.Errorf("%s: only %d secrets are left", what, opened)
	}
	log, err := s.audit(w.t.Context(), slog.New(slog.DiscardHandler))
	must(w.t, err)
	if n, err := log.Verify(w.t.Context()); err != nil || n == 0 {
		w.t.Errorf("%s: the audit log has %d entries, %v", what, n, err)
	}
	kept, err := deletedNumbers(s, w.c.KeepDeleted)
	must(w.t, err)
	all, err := kept.List()
	must(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("%s: %d last backups", what, len(all))
	}
	if was, err := kept.Record(all[0]); err != nil || was.Name != "Shop" {
		w.t.Errorf("%s: the last backup is of %q, %v", what, was.Name, err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*", "*.next")); len(left) > 0 {
		w.t.Errorf("%s: left over: %v", what, left)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*.next")); len(left) > 0 {
		w.t.Errorf("%s: left over: %v", what, left)
	}
	return s.key
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t)
	before := w.sound("before")
	expect(t, runIn(t, filepath.Dir(w.dir), nil, "", "rotate-key"), 0, "new key")
	after := w.sound("after")
	if before == after {
		t.Error("the key is the same")
	}
	// Who is given the key by a variable gives the next one by a file.
	write(t, w.dir, "other", strings.Repeat("k", 40))
	must(t, os.Remove(filepath.Join(w.dir, secretKeyName)))
	vars := []string{"SECRET_KEY=" + after}
	expect(t, runIn(t, filepath.Dir(w.dir), vars, "", "rotate-key"), 2, "--new-key-file")
	expect(t, runIn(t, filepath.Dir(w.dir), vars, "", "rotate-key", "--new-key-file", filepath.Join(w.dir, "other")), 0, "Set SECRET_KEY")
	w.c.SecretKey = strings.Repeat("k", 40)
	w.sound("with a key of one's own")
}

// Killed at any moment of a rotation, everything can still be opened.
func TestRotationThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	next := hex.EncodeToString([]byte(strings.Repeat("n", 32)))
	for what, c := range map[string]struct {
		do    func(s *storage) error
		moved bool
	}{
		"with the new key written":   {func(*storage) error { return nil }, false},
		"with backups written twice": {func(s *storage) error { return s.recryptBackups(next) }, false},
		"with the database resealed": {func(s *storage) error { return s.rotate(t.Context(), next) }, true},
	} {
		w := newSealedWorld(t)
		before := w.sound(what)
		s := w.open()
		must(t, writeOnce(filepath.Join(w.dir, nextKeyName), next+"\n"))
		must(t, c.do(s))
		must(t, s.Close())
		if key := w.sound(what); (key == next) != c.moved || (key == before) == c.moved {
			t.Errorf("%s: it is under the key %s", what, key)
		}
	}
}

// A key that is not the right one is refused before anything is sealed with it, and does not stand in the right one's way.
func TestWrongSecretKey(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t)
	dir := filepath.Dir(w.dir)
	write(t, w.dir, "next", strings.Repeat("n", 40))
	wrong := []string{"SECRET_KEY=" + strings.Repeat("w", 40)}
	before := tree(t, w.dir)
	for _, args := range [][]string{
		{"rotate-key", "--new-key-file", filepath.Join(w.dir, "next")},
		{"token", "list"},
		{"user", "add", "--email", "b@example.com", "--role", "viewer", "--password-stdin"},
	} {
		expectRefusal(t, runIn(t, dir, wrong, "a long password", args...), "not the one that this installation is sealed with")
	}
	if tree(t, w.dir) != before {
		t.Error("something has changed")
	}
	expect(t, runIn(t, dir, wrong, "", "doctor"), 1, "not the one that this installation is sealed with")
	w.sound("after a wrong key")
	expect(t, runIn(t, dir, nil, "", "rotate-key"), 0, "new key")
	w.sound("after the right key")
}

// Whoever waited for the lock while the key was rotated does not go on with the old one.
func TestRotatedWhileSomebodyWaits(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t)
	late := w.open()
	defer late.Close()
	expect(t, runIn(t, filepath.Dir(w.dir), nil, "", "rotate-key"), 0, "new key")
	if unlock, err := late.lock(t.Context()); err == nil {
		unlock()
		t.Error("the old key was taken")
	}
	w.sound("after")
}

// Where the key is lost, people get in and numbers can be set up again.
func TestNewSecretKey(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t)
	must(t, os.Remove(filepath.Join(w.dir, secretKeyName)))
	in, err := openInstallation(t.Context(), w.c, opening{alone: true, newKey: true})
	must(t, err)
	log, err := in.storage.audit(t.Context(), slog.New(slog.DiscardHandler))
	must(t, err)
	if n, err := log.Verify(t.Context()); n == 0 || err == nil || !strings.Contains(err.Error(), "All later ones are as they were written") {
		t.Errorf("%d entries, %v", n, err)
	}
	in.release()
	again, err := openInstallation(t.Context(), w.c, opening{alone: true})
	must(t, err)
	again.release()
}

// A backup comes with what was sealed under another key. That stays as it was, and is in nobody's way.
func TestRotateAfterARestore(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t)
	dir, other := filepath.Dir(w.dir), t.TempDir()
	expect(t, runIn(t, dir, nil, chosen, "backup", "--out", "all.backup", "--passphrase-stdin"), 0)
	expect(t, runIn(t, other, nil, chosen, "restore", "--in", filepath.Join(dir, "all.backup"), "--passphrase-stdin"), 0, "Restored Shop")
	expect(t, runIn(t, other, nil, "", "rotate-key"), 0, "new key")
	expect(t, runIn(t, other, nil, "", "user", "list"), 0, "owner@example.com")
	expect(t, runIn(t, other, nil, "", "audit", "verify"), 1, "All later ones are as they were written")
	// One of before a rotation takes back no key.
	expect(t, runIn(t, dir, nil, "", "rotate-key"), 0, "new key")
	expect(t, runIn(t, dir, nil, chosen, "restore", "--in", "all.backup", "--passphrase-stdin", "--replace"), 0, "Restored Shop")
	expect(t, runIn(t, dir, nil, "", "rotate-key"), 0, "new key")
	expect(t, runIn(t, dir, nil, "", "user", "list"), 0, "owner@example.com")
}

// The same on a database server, where the passwords of numbers' databases are lost with the key.
func TestNewSecretKeyOnPostgres(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := config{DBURI: pgtest.New(t).URI, StorageDir: dir}
	const id, gone = "sealed_20240101120000", "gone_20240101120000" // other tests on this server have the usual one
	in, err := openInstallation(t.Context(), c, opening{alone: true})
	must(t, err)
	for n, id := range []instances.ID{id, gone} {
		_, err = in.Store.AddInstance(t.Context(), instances.Instance{
			ID: id, Name: string(id), Port: 3001 + n, Database: in.Databases.Names(id), Desired: instances.Stopped, Status: instances.Idle, CreatedAt: time.UnixMilli(1),
		}, "")
		must(t, err)
		_, err = in.Databases.Provision(t.Context(), id)
		must(t, err)
	}
	must(t, in.Databases.Drop(t.Context(), gone))
	in.release()
	must(t, os.Remove(filepath.Join(dir, secretKeyName)))
	in, err = openInstallation(t.Context(), c, opening{alone: true, newKey: true})
	must(t, err)
	defer in.release()
	access, err := in.Databases.Access(t.Context(), id)
	must(t, err)
	db, err := isolation.OpenMain(t.Context(), access)
	must(t, err)
	must(t, db.Close())
	if complete, err := in.Databases.Complete(t.Context(), gone); complete || err != nil {
		t.Errorf("what was missing was made anew, %v", err)
	}
}
