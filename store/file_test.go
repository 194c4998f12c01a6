package store

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"switchboard/fault"
	"switchboard/isolation/pgtest"
	"switchboard/migrations"
)

// snapshot describes everything in a folder: names, modes and contents.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v", path, info.Mode())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", content)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func mustOpen(t *testing.T, uri string) *Store {
	t.Helper()
	s, err := Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw makes an SQLite file as another program would.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNewFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "folder", "whatsapp.db")
	// The settings that keep data safe cannot be turned off; others are the user's.
	s := mustOpen(t, "file:"+path+"?_foreign_keys=off&_journal_mode=OFF&_synchronous=OFF&_timeout=1&_secure_delete=on")
	for pragma, want := range map[string]string{
		"foreign_keys": "1", "journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000", "secure_delete": "1",
	} {
		var got string
		if err := s.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v", pragma, got, err)
		}
	}
	for p, want := range map[string]os.FileMode{
		path: 0o600, path + "-wal": 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700,
	} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	s := mustOpen(t, "file:storages/whats%20app.db?_foreign_keys=on")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("storages/whats app.db"); err != nil {
		t.Error(err)
	}
}

func TestSeveralProcessesAtOnce(t *testing.T) {
	t.Parallel()
	uri := "file:" + filepath.Join(t.TempDir(), "whatsapp.db")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := Open(t.Context(), uri)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		path    string
		words   string
	}{
		"a letter":            {func(t *testing.T, p string) { write(t, p, "Dear Sir or Madam\n") }, "x.db", "damaged"},
		"a folder":            {func(t *testing.T, p string) { _ = os.Mkdir(p, 0o700) }, "x.db", "is a folder"},
		"a pipe":              {func(t *testing.T, p string) { _ = syscall.Mkfifo(p, 0o600) }, "x.db", "no ordinary file"},
		"below a file":        {func(t *testing.T, p string) { write(t, filepath.Dir(p), "") }, "file/x.db", "reached"},
		"where nobody writes": {func(*testing.T, string) {}, "/proc/switchboard/x.db", "folder"},
		"another program's":   {func(t *testing.T, p string) { raw(t, p, `CREATE TABLE "bookmarks" ("url" TEXT)`) }, "x.db", "another program"},
		"a table of our name": {func(t *testing.T, p string) {
			raw(t, p, `CREATE TABLE "whatsmeow_device" ("jid" TEXT)`, `CREATE TABLE "Instances" ("x" TEXT)`)
		}, "x.db", `table "instances"`},
		"a truncated database": {truncated, "x.db", "damaged"},
		"a newer program's":    {newer, "x.db", "newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := c.path
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			c.prepare(t, path)
			before := snapshot(t, dir)
			s, err := Open(t.Context(), "file:"+path)
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), c.words) {
				t.Errorf("a person reads %q, kind %v", fault.MessageOf(err), fault.KindOf(err))
			}
			if snapshot(t, dir) != before {
				t.Errorf("the folder changed from\n%.300s\nto\n%.300s", before, snapshot(t, dir))
			}
		})
	}
}

func truncated(t *testing.T, path string) {
	s := mustOpen(t, "file:"+path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 12288); err != nil {
		t.Fatal(err)
	}
}

func newer(t *testing.T, path string) {
	s := mustOpen(t, "file:"+path)
	if _, err := s.db.ExecContext(t.Context(), `INSERT INTO "`+migrations.Table+`" ("version_id", "is_applied") VALUES (999999, TRUE)`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// other is a store of another WhatsApp program, as far as this package looks.
func other(t *testing.T, path, mode string) {
	raw(t, path, `PRAGMA journal_mode = `+mode,
		`CREATE TABLE "whatsmeow_device" ("jid" TEXT)`, `INSERT INTO "whatsmeow_device" VALUES ('491700000001:7@s.whatsapp.net')`)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

func deviceIn(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var jid string
	if err := db.QueryRowContext(t.Context(), `SELECT "jid" FROM "whatsmeow_device"`).Scan(&jid); err != nil {
		t.Fatal(err)
	}
	return jid
}

func TestStoreOfAnotherProgram(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "whatsapp.db")
			other(t, path, mode)
			for range 2 { // the second time, the file is ours already
				s := mustOpen(t, "file:"+path+"?_foreign_keys=on")
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range []string{path, path + ".before-switchboard"} {
				if deviceIn(t, p) != "491700000001:7@s.whatsapp.net" {
					t.Errorf("%s has lost its device", p)
				}
				if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v", p, info.Mode(), err)
				}
			}
			copies, _ := filepath.Glob(path + ".before*")
			if len(copies) != 1 {
				t.Errorf("copies: %v", copies)
			}
		})
	}
}

func TestBackupKeepsEarlierOnes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	other(t, path, "DELETE")
	if err := os.WriteFile(path+".before-switchboard", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, "file:"+path)
	if content, err := os.ReadFile(path + ".before-switchboard"); err != nil || string(content) != "precious" {
		t.Errorf("the earlier copy holds %q, %v", content, err)
	}
	deviceIn(t, path+".before-switchboard-2")
}

func TestNoSpaceForBackupChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "whatsapp.db")
	other(t, path, "DELETE")
	if err := os.Mkdir(path+".before-switchboard.part", 0o700); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	_, err := Open(t.Context(), "file:"+path)
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "No copy") {
		t.Errorf("got %v", err)
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("the folder changed to\n%.500s", after)
	}
}

// A program that was killed in the middle of a transaction leaves a journal behind, from
// which SQLite restores the file before anybody reads it.
func TestStoreOfAKilledProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	other(t, path, "DELETE")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), envHalfWritten+"="+path)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("child: %v\n%s", err, out)
	}
	if _, err := os.Stat(path + "-journal"); err != nil {
		t.Fatalf("the child left no journal: %v", err)
	}
	mustOpen(t, "file:"+path)
	for _, p := range []string{path, path + ".before-switchboard"} {
		if got := deviceIn(t, p); got != "491700000001:7@s.whatsapp.net" {
			t.Errorf("%s holds %q", p, got)
		}
	}
}

// envHalfWritten names a file in which a child writes half a transaction before it dies.
const envHalfWritten = "SWITCHBOARD_TEST_HALF_WRITTEN"

func TestMain(m *testing.M) {
	path := os.Getenv(envHalfWritten)
	if path == "" {
		code := m.Run()
		pgtest.Stop()
		os.Exit(code)
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_cache_size=1")
	if err == nil {
		db.SetMaxOpenConns(1)
		// With room for one page only, SQLite has to write into the file before the end.
		_, err = db.Exec(`PRAGMA cache_spill = 1; BEGIN; UPDATE "whatsmeow_device" SET "jid" = 'half';
			CREATE TABLE "more" ("x" TEXT);
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) INSERT INTO "more" SELECT hex(randomblob(50)) FROM n`)
	}
	if err == nil {
		err = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
