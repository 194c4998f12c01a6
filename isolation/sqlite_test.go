package isolation_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/isolationtest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	isolationtest.Exercise(t, newSQLite)
}

func newSQLite(t testing.TB) isolationtest.Place {
	t.Helper()
	// A folder whose name means something in a URI.
	dir := filepath.Join(t.TempDir(), "a b?c#d%41é")
	return isolationtest.Place{URI: "file:" + filepath.Join(dir, "control.db"), StorageDir: dir}
}

const id = instances.ID("shop_20240101120000")

// provisioned returns the access to a number's databases and the number's folder.
func provisioned(t *testing.T) (*isolation.Databases, instances.Access, string) {
	t.Helper()
	p := newSQLite(t)
	d := isolationtest.Open(t, p)
	access, err := d.Provision(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d, access, filepath.Join(p.StorageDir, "instances", string(id))
}

func open(t *testing.T, a instances.Access) *sql.DB {
	t.Helper()
	db, err := isolation.OpenMain(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	_, access, dir := provisioned(t)
	db := open(t, access)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE "x" ("y" TEXT)`); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		seen[entry.Name()] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"whatsapp_" + string(id), "keys_" + string(id), "whatsapp_" + string(id) + "-wal"} {
		if !seen[name] {
			t.Errorf("there is no file %s", name)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	_, access, _ := provisioned(t)
	keys, dialect, err := isolation.OpenKeys(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	if dialect != "sqlite3" {
		t.Errorf("dialect %q", dialect)
	}
	for name, db := range map[string]*sql.DB{"main": open(t, access), "keys": keys} {
		for pragma, want := range map[string]string{"foreign_keys": "1", "journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000"} {
			var got string
			if err := db.QueryRowContext(t.Context(), `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s of %s is %q, %v", pragma, name, got, err)
			}
		}
	}
}

// fill writes enough into main for a hole in its middle to hit a table.
func fill(t *testing.T, a instances.Access) {
	t.Helper()
	db := open(t, a)
	for _, s := range []string{
		`CREATE TABLE "filler" ("id" INTEGER PRIMARY KEY, "text" TEXT)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO "filler" ("text") SELECT hex(randomblob(50)) FROM n`,
	} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(content []byte) []byte{
		"no database":     func([]byte) []byte { return []byte("this is a letter, and no database\n") },
		"header gone":     func(c []byte) []byte { copy(c, make([]byte, 100)); return c },
		"end missing":     func(c []byte) []byte { return c[:len(c)/2] },
		"hole in a table": func(c []byte) []byte { copy(c[len(c)/2:], make([]byte, 8192)); return c },
		"noise everywhere": func(c []byte) []byte {
			for i := range c[4096:] {
				c[4096+i] ^= 0xA5
			}
			return c
		},
		"noise in a table": func(c []byte) []byte { copy(c[len(c)/2:], strings.Repeat("\xA5", 8192)); return c },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, access, dir := provisioned(t)
			fill(t, access)
			path := filepath.Join(dir, "whatsapp_"+string(id))
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(content)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			_, err = isolation.OpenMain(t.Context(), access)
			if !errors.Is(err, isolation.ErrDamaged) {
				t.Fatalf("opening it gives %v", err)
			}
			if !strings.Contains(fault.MessageOf(err), "damaged") {
				t.Errorf("a person reads: %s", fault.MessageOf(err))
			}
			if after := listing(t, dir); after != before {
				t.Errorf("the folder changed from\n%sto\n%s", before, after)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != string(damaged) {
				t.Errorf("the file changed, %v", err)
			}
			if _, err := d.Provision(t.Context(), id); err != nil {
				t.Errorf("provisioning, which has nothing to do, gives %v", err)
			}
			if err := d.Drop(t.Context(), id); err != nil {
				t.Errorf("dropping it gives %v", err)
			}
		})
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(fs.FormatDirEntry(e) + "\n")
	}
	return b.String()
}

func TestLostFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"whatsapp_", "keys_"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			d, access, dir := provisioned(t)
			keys, _, err := isolation.OpenKeys(t.Context(), access)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.ExecContext(t.Context(), `CREATE TABLE "session" ("x" TEXT)`); err != nil {
				t.Fatal(err)
			}
			if err := keys.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, prefix+string(id))); err != nil {
				t.Fatal(err)
			}
			_, err = d.Provision(t.Context(), id)
			if !errors.Is(err, isolation.ErrRefused) || !strings.Contains(fault.MessageOf(err), prefix) {
				t.Errorf("provisioning gives %v", err)
			}
			if err := d.Drop(t.Context(), id); err != nil {
				t.Errorf("dropping gives %v", err)
			}
		})
	}
}

// TestLostDatabasesAreNotMadeAnew is about what was provisioned once. Nothing is made in the
// place of what is gone, and what is put back is good again.
func TestLostDatabasesAreNotMadeAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose  func(t *testing.T, dir, main, keys string)
		names string
	}{
		"folder":           {func(t *testing.T, dir, _, _ string) { must(t, os.RemoveAll(dir)) }, "whatsapp_"},
		"folder of all":    {func(t *testing.T, dir, _, _ string) { must(t, os.RemoveAll(filepath.Dir(dir))) }, "whatsapp_"},
		"both files":       {func(t *testing.T, _, main, keys string) { must(t, os.Remove(main)); must(t, os.Remove(keys)) }, "whatsapp_"},
		"content of main":  {func(t *testing.T, _, main, _ string) { must(t, os.Truncate(main, 0)) }, "whatsapp_"},
		"content of keys":  {func(t *testing.T, _, _, keys string) { must(t, os.Truncate(keys, 0)) }, "keys_"},
		"keys to a folder": {func(t *testing.T, _, _, keys string) { must(t, os.Remove(keys)); must(t, os.Mkdir(keys, 0o700)) }, "keys_"},
		"folder to a plain file": {func(t *testing.T, dir, _, _ string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o600))
		}, "whatsapp_"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, access, dir := provisioned(t)
			if again, err := d.Access(t.Context(), id); err != nil || again != access {
				t.Fatalf("before the loss: %+v, %v", again, err)
			}
			root := filepath.Dir(filepath.Dir(dir))
			c.lose(t, dir, filepath.Join(dir, "whatsapp_"+string(id)), filepath.Join(dir, "keys_"+string(id)))
			before := deepListing(t, root)
			_, err := d.Access(t.Context(), id)
			if !errors.Is(err, instances.ErrLost) || !errors.Is(err, isolation.ErrRefused) || fault.KindOf(err) != fault.Unavailable {
				t.Errorf("got %v", err)
			}
			if said := fault.MessageOf(err); !strings.Contains(said, filepath.Join(dir, c.names+string(id))) || !strings.Contains(said, "start the number again") {
				t.Errorf("a person reads: %s", said)
			}
			if after := deepListing(t, root); after != before {
				t.Errorf("the disk changed from\n%sto\n%s", before, after)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func deepListing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		b.WriteString(path + " " + fs.FormatDirEntry(entry) + "\n")
		return err
	}))
	return b.String()
}

func TestReadAfterKill(t *testing.T) {
	t.Parallel()
	d, access, dir := provisioned(t)
	db := open(t, access)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE "x" ("y" TEXT); INSERT INTO "x" VALUES ('only in the log')`); err != nil {
		t.Fatal(err)
	}
	// What a killed worker leaves behind: the database and a log that nobody worked in.
	other := instances.ID("copy_20240101120000")
	if _, err := d.Provision(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, "whatsapp_"+string(id)+suffix))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(filepath.Dir(dir), string(other), "whatsapp_"+string(other)+suffix)
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := d.ReadMain(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var got string
	if err := reader.QueryRowContext(t.Context(), `SELECT "y" FROM "x"`).Scan(&got); err != nil || got != "only in the log" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestStorageThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := isolation.Open(t.Context(), "file:x.db", filepath.Join(file, "storage"))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "STORAGE_DIR") {
		t.Errorf("got %v", err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := isolation.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := isolation.Lock(dir); !errors.Is(err, isolation.ErrLocked) {
		t.Errorf("a second lock gives %v", err)
	}
	release()
	release, err = isolation.Lock(dir)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	release()
	if _, err := isolation.Lock(filepath.Join(dir, "missing")); !errors.Is(err, isolation.ErrRefused) {
		t.Errorf("a folder that is missing gives %v", err)
	}
}
