package legacy_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/store/sqlstore"

	"switchboard/engine"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/store"
	"switchboard/whatsapp/legacy"
)

const id = instances.ID("shop_20240101120000")

// opened is an installation on a control database that another program has used.
type opened struct {
	path      string
	store     *store.Store
	databases *isolation.Databases
	importer  *legacy.Importer
}

func open(t *testing.T, path string) opened {
	t.Helper()
	uri := "file:" + path + "?_foreign_keys=on"
	s, err := store.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d, err := isolation.Open(t.Context(), uri, filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	i, err := legacy.Open(uri, t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	return opened{path, s, d, i}
}

func (o opened) provision(t *testing.T) instances.Access {
	t.Helper()
	access, err := o.databases.Provision(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return access
}

func (o opened) found(t *testing.T) []instances.Paired {
	t.Helper()
	found, err := o.importer.Found(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// keys opens the keys database as a worker does.
func keys(t *testing.T, access instances.Access) (*sql.DB, *sqlstore.Container) {
	t.Helper()
	db, dialect, err := isolation.OpenKeys(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := sqlstore.NewWithDB(db, dialect, nil)
	if err := c.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, c
}

func TestFoundAndCopied(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]func(*testing.T, string){
		"store of today":          func(*testing.T, string) {},
		"store of years ago":      toVersion2,
		"tables in another order": reorder,
		"store in rollback mode":  func(t *testing.T, path string) { execute(t, path, `PRAGMA journal_mode = DELETE`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "whatsapp.db")
			jids := makeStore(t, path)
			age(t, path)
			o := open(t, path)
			before := contents(t, path)

			found := o.found(t)
			if len(found) != len(jids) {
				t.Fatalf("found %+v", found)
			}
			for n, p := range found {
				if p.JID != jids[n].String() || p.PushName == "" || !strings.Contains(p.Source, path) || p.Imported {
					t.Errorf("found %+v", p)
				}
			}

			access := o.provision(t)
			chosen := found[1]
			for range 2 {
				if err := o.importer.Copy(t.Context(), chosen, access); err != nil {
					t.Fatalf("copy: %v", err)
				}
			}
			db, container := keys(t, access)
			device, err := container.GetFirstDevice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if device.ID == nil || *device.ID != jids[1] || device.PushName != chosen.PushName {
				t.Errorf("the copy holds %v", device.ID)
			}
			compare(t, path, db, chosen.JID)
			if after := contents(t, path); after != before {
				t.Error("the store was changed")
			}
			if _, err := container.GetAllDevices(t.Context()); err != nil {
				t.Error(err)
			}
			for n, p := range o.found(t) {
				if p.Imported != (n == 1) {
					t.Errorf("after the import of the second, found %+v", p)
				}
			}
			onlyExpectedFiles(t, filepath.Dir(path))
		})
	}
}

func onlyExpectedFiles(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "instances", string(id)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "import") {
			t.Errorf("left over: %s", e.Name())
		}
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// Nothing of another number, nor of the panel, may reach the copy, not even in a free page.
func TestNothingElseIsCopied(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	jids := makeStore(t, path)
	o := open(t, path)
	access := o.provision(t)
	if err := o.importer.Copy(t.Context(), instances.Paired{JID: jids[0].String()}, access); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(path), "instances", string(id), "keys_"+string(id)))
	if err != nil {
		t.Fatal(err)
	}
	for _, jid := range jids[1:] {
		if strings.Contains(string(content), jid.String()) {
			t.Errorf("the copy mentions %s", jid)
		}
	}
	if strings.Contains(string(content), "instances_name_key") {
		t.Error("the copy holds tables of the panel")
	}
}

func TestCopyAfterAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	jids := makeStore(t, path)
	o := open(t, path)
	access := o.provision(t)
	keys(t, access) // a worker has opened it, unpaired, and was killed: a log is left
	half := filepath.Join(filepath.Dir(path), "instances", string(id), "keys_"+string(id)+".import")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(half+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.importer.Copy(t.Context(), instances.Paired{JID: jids[2].String()}, access); err != nil {
		t.Fatal(err)
	}
	_, container := keys(t, access)
	if device, err := container.GetFirstDevice(t.Context()); err != nil || device.ID == nil || *device.ID != jids[2] {
		t.Errorf("the copy holds %v, %v", device, err)
	}
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	jids := makeStore(t, path)
	o := open(t, path)
	access := o.provision(t)
	copyOf := func(jid string) error {
		return o.importer.Copy(t.Context(), instances.Paired{JID: jid}, access)
	}
	if err := copyOf("49999:1@s.whatsapp.net"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an unknown number: %v", err)
	}
	release, err := isolation.Lock(filepath.Join(filepath.Dir(path), "instances", string(id)))
	if err != nil {
		t.Fatal(err)
	}
	if err := copyOf(jids[0].String()); err == nil {
		t.Error("copied under a running worker")
	}
	release()
	if err := copyOf(jids[0].String()); err != nil {
		t.Fatal(err)
	}
	if err := copyOf(jids[1].String()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("into a number that is paired: %v", err)
	}
	_, container := keys(t, access)
	if device, err := container.GetFirstDevice(t.Context()); err != nil || *device.ID != jids[0] {
		t.Errorf("the refused copy left %v, %v", device, err)
	}
	if imported, err := o.store.Imported(t.Context()); err != nil || !slices.Equal(imported, []string{jids[0].String()}) {
		t.Errorf("remembered: %v, %v", imported, err)
	}
}

func TestStoreOfNewerLibrary(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	jids := makeStore(t, path)
	execute(t, path, `UPDATE whatsmeow_version SET version = 999, compat = 999`)
	o := open(t, path)
	if len(o.found(t)) != len(jids) {
		t.Error("not found")
	}
	err := o.importer.Copy(t.Context(), instances.Paired{JID: jids[0].String()}, o.provision(t))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "newer") {
		t.Errorf("got %v", err)
	}
	onlyExpectedFiles(t, filepath.Dir(path))
}

func TestNothingToFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, filepath.Join(dir, "whatsapp.db"))
	if found := o.found(t); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	for _, uri := range []string{"file:" + filepath.Join(dir, "missing.db")} {
		i, err := legacy.Open(uri, dir, o.store)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := i.Found(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("%s: found %v, %v", uri, found, err)
		}
	}
	if _, err := legacy.Open("mysql://x", dir, o.store); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an unknown URI: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "missing.db")); !os.IsNotExist(err) {
		t.Errorf("looking made the file: %v", err)
	}
}

func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=on")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// contents is a hash of all rows of the library's tables.
func contents(t *testing.T, path string) string {
	t.Helper()
	db, err := engine.At(path).OpenReadOnly(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	hash := sha256.New()
	for _, table := range tables(t, db) {
		for _, row := range dump(t, db, table, "") {
			hash.Write([]byte(table + row))
		}
	}
	return string(hash.Sum(nil))
}
