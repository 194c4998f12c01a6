package worker_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"switchboard/control"
	"switchboard/engine"
	"switchboard/ffmpeg"
)

const nobody = 65534

// probeConfined waits for a line on file 3, and then tries what a confined worker must and
// must not be able to do. It answers there with one JSON object: an error by the name of each
// attempt.
func probeConfined(doc control.StartDocument, storage, panel string) {
	talk := os.NewFile(3, "talk")
	_, _ = bufio.NewReader(talk).ReadString('\n')
	answers := map[string]string{}
	try := func(name string, err error) {
		if err != nil {
			answers[name] = err.Error()
			if errors.Is(err, fs.ErrPermission) {
				answers[name] = "denied"
			}
		} else {
			answers[name] = ""
		}
	}
	read := func(path string) error { _, err := os.ReadFile(path); return err }
	list := func(path string) error { _, err := os.ReadDir(path); return err }
	own := func(name string) string { return filepath.Join(doc.Dir, name) }
	neighbour := filepath.Join(storage, "instances", "neighbour")

	try("read the neighbour's keys", read(filepath.Join(neighbour, "keys")))
	try("list the neighbour's folder", list(neighbour))
	try("write to the neighbour's folder", os.WriteFile(filepath.Join(neighbour, "new"), nil, 0o600))
	try("delete from the neighbour's folder", os.Remove(filepath.Join(neighbour, "keys")))
	_ = os.Symlink(filepath.Join(neighbour, "keys"), own("link"))
	try("link the neighbour's keys", os.Link(filepath.Join(neighbour, "keys"), own("keys")))
	try("read the control database", read(filepath.Join(storage, "whatsapp.db")))
	try("read the secret key", read(filepath.Join(storage, "secret.key")))
	try("list all numbers", list(filepath.Join(storage, "instances")))
	for _, path := range []string{"/etc/shadow", "/etc/passwd", "/proc/self/environ", "/proc/" + panel + "/environ"} {
		try("read "+path, read(path))
	}
	for _, path := range []string{"/", "/etc", "/home", "/tmp", "/proc", "/etc/ssl/private"} {
		try("list "+path, list(path))
	}
	try("write to /tmp", os.WriteFile(filepath.Join("/tmp", filepath.Base(storage)+".txt"), nil, 0o600))
	try("start /bin/true", exec.Command("/bin/true").Run())
	try("start itself", exec.Command("/proc/self/exe", "-test.run=^$").Run())
	_ = os.WriteFile(own("program"), []byte("#!/bin/sh\n"), 0o700)
	try("start a program of its own", exec.Command(own("program")).Run())
	var pid int
	_, _ = fmt.Sscan(panel, &pid)
	try("signal the panel", syscall.Kill(pid, 0))
	// What root can do without the disk.
	host, _ := os.Hostname()
	try("rename the machine", unix.Sethostname([]byte(host)))
	_, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	try("hear what others send", err)

	note, err := ffmpeg.New(doc.FFmpeg).Voice(context.Background(), bytes.NewReader(sound()))
	try("make a voice note", err)
	if err == nil {
		note.Close()
	}
	try("use its databases", useDatabases(doc))
	temporary, err := os.CreateTemp("", "")
	try("make a temporary file", err)
	if err == nil {
		try("move it into its folder", os.Rename(temporary.Name(), own("moved")))
	}
	for _, resolver := range []*net.Resolver{{PreferGo: true}, {PreferGo: false}} {
		_, err = resolver.LookupHost(context.Background(), "localhost")
		try(fmt.Sprintf("look up a name, %v", resolver.PreferGo), err)
	}
	_, err = (&net.Resolver{PreferGo: true}).LookupPort(context.Background(), "tcp", "postgresql")
	try("look up a port", err)
	_, err = x509.SystemCertPool()
	try("read the authorities", err)
	_, err = time.LoadLocation("Europe/Berlin")
	try("read a time zone", err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	try("listen", err)
	if err == nil {
		_, err = net.Dial("tcp", listener.Addr().String())
		try("connect", err)
	}
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || set != 1 {
		answers["no new privileges"] = fmt.Sprint(set, err)
	}
	_ = json.NewEncoder(talk).Encode(answers)
}

// sound is a short recording, uncompressed.
func sound() []byte {
	head := "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x40\x1f\x00\x00"
	return append([]byte(head), bytes.Repeat([]byte{1, 2}, 4000)...)
}

// useDatabases writes to both databases so much that SQLite needs its log and a temporary
// file.
func useDatabases(doc control.StartDocument) error {
	for _, uri := range []string{doc.Database.Main, doc.Database.Keys} {
		file, err := engine.ParseFile(uri)
		if err != nil {
			return err
		}
		db, err := file.Open(context.Background())
		if err != nil {
			return err
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		if err := fill(db); err != nil {
			return err
		}
	}
	return nil
}

func fill(db *sql.DB) error {
	for _, statement := range []string{
		`PRAGMA temp_store = FILE`,
		`CREATE TABLE "probe" AS WITH RECURSIVE "n"("i") AS (SELECT 1 UNION ALL SELECT "i" + 1 FROM "n" WHERE "i" < 3000) SELECT "i", hex(randomblob(500)) AS "t" FROM "n"`,
		`CREATE TEMP TABLE "sorted" AS SELECT * FROM "probe" ORDER BY "t"`,
		`DROP TABLE "probe"`,
		`VACUUM`,
	} {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func TestWhatAConfinedWorkerCan(t *testing.T) {
	t.Parallel()
	if abi, err := ll.LandlockGetABIVersion(); err != nil || abi < 1 {
		t.Skip("this kernel has no Landlock")
	}
	t.Run("this user", func(t *testing.T) {
		t.Parallel()
		testConfined(t, os.Getuid())
	})
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() != 0 {
			t.Skip("only root can become another user")
		}
		testConfined(t, nobody)
	})
}

func testConfined(t *testing.T, user int) {
	storage, err := os.MkdirTemp("", "confined-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(storage) })
	doc := documentIn(t, storage)
	doc.FFmpeg, err = exec.LookPath("ffmpeg")
	must(t, err)
	for _, path := range []string{"whatsapp.db", "secret.key", "instances/neighbour/keys"} {
		path = filepath.Join(storage, path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte("secret"), 0o600))
	}
	// All of it is the worker's own user's: only the sandbox keeps it from there.
	must(t, filepath.WalkDir(storage, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, user, user))
	}))
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "talk"), os.NewFile(uintptr(pair[1]), "talk")
	defer ours.Close()
	r := process(t, doc, func(cmd *exec.Cmd) {
		cmd.Args = append(cmd.Args, "confined", storage, fmt.Sprint(os.Getpid()))
		cmd.ExtraFiles = []*os.File{theirs}
		if user != os.Getuid() {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
		}
	})
	theirs.Close()
	r.reports(t)
	_, err = fmt.Fprintln(ours, "go")
	must(t, err)
	var answers map[string]string
	must(t, json.NewDecoder(ours).Decode(&answers))

	denied := []string{
		"read the neighbour's keys", "list the neighbour's folder", "write to the neighbour's folder",
		"delete from the neighbour's folder", "read the control database", "read the secret key",
		"list all numbers", "read /etc/shadow", "read /etc/passwd", "read /proc/self/environ",
		fmt.Sprintf("read /proc/%d/environ", os.Getpid()),
		"list /", "list /etc", "list /home", "list /tmp", "list /proc", "list /etc/ssl/private", "write to /tmp",
		"rename the machine", "hear what others send", "start /bin/true", "start itself", "start a program of its own", "link the neighbour's keys",
	}
	if abi, _ := ll.LandlockGetABIVersion(); abi >= 6 {
		denied = append(denied, "signal the panel")
	}
	for _, name := range denied {
		answer, tried := answers[name]
		if !tried || answer == "" {
			t.Errorf("a worker can: %s", name)
		} else if answer != "denied" {
			t.Logf("%s: %s", name, answer)
		}
		delete(answers, name)
	}
	for name, answer := range answers {
		if answer != "" {
			t.Errorf("a worker cannot: %s: %s", name, answer)
		}
	}
	if text, err := os.ReadFile(filepath.Join(storage, "instances", "neighbour", "keys")); err != nil || string(text) != "secret" {
		t.Errorf("the neighbour's keys are %q, %v", text, err)
	}
}
