package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/isolation/pgtest"
)

// binary is the program, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "switchboard-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "switchboard")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	defer pgtest.Stop()
	return m.Run()
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// program prepares the program in dir with just these variables. It cannot outlive the test.
func program(t *testing.T, dir string, vars []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, vars...)
	return cmd
}

func runIn(t *testing.T, dir string, vars []string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := program(t, dir, vars, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// tree lists everything below dir with size and content, to see whether anything changed.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", path, info.Mode())
		if entry.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(content))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBadStart holds everything that keeps serve from starting: exit code 2, one sentence
// on standard error and nothing else, and a disk as it was.
func TestBadStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string) // makes the folder that serve meets
		vars    []string
		want    string
	}{
		"unknown database": {vars: []string{"DB_URI=mysql://root@localhost/x"}, want: "DB_URI has to begin with"},
		"missing key file": {vars: []string{"SECRET_KEY_FILE=nowhere"}, want: "SECRET_KEY_FILE names a file that cannot be read: nowhere: no such file or directory."},
		"storage is a file": {
			prepare: func(t *testing.T, dir string) { write(t, dir, "storages", "not a folder") },
			want:    "is a file. Move it away",
		},
		"storage cannot be made": {vars: []string{"STORAGE_DIR=/proc/switchboard"}, want: "STORAGE_DIR"},
		"database folder is a file": {
			prepare: func(t *testing.T, dir string) { write(t, dir, "data", "not a folder") },
			vars:    []string{"DB_URI=file:data/panel.db"},
			want:    "DB_URI needs the folder",
		},
		"database is a folder": {
			prepare: func(t *testing.T, dir string) { mkdir(t, dir, "storages/whatsapp.db") },
			want:    "The database file storages/whatsapp.db",
		},
		"database is no database": {
			prepare: func(t *testing.T, dir string) {
				mkdir(t, dir, "storages")
				write(t, dir, "storages/whatsapp.db", strings.Repeat("this was a database once\n", 400))
			},
			want: "The database file storages/whatsapp.db",
		},
		"database is damaged": {prepare: damagedDatabase, want: "The database file storages/whatsapp.db"},
		"damaged key": {
			prepare: func(t *testing.T, dir string) {
				mkdir(t, dir, "storages")
				write(t, dir, "storages/secret.key", "abc\n")
			},
			want: "secret.key is damaged",
		},
		"instances is a file": {
			prepare: func(t *testing.T, dir string) {
				mkdir(t, dir, "storages")
				write(t, dir, "storages/instances", "not a folder")
			},
			want: "is a file. Move it away",
		},
		"lock is a folder": {
			prepare: func(t *testing.T, dir string) { mkdir(t, dir, "storages/serve.lock") },
			want:    "STORAGE_DIR cannot be locked",
		},
		"emptied database beside a key": {
			prepare: func(t *testing.T, dir string) {
				usedInstallation(t, dir)
				write(t, dir, "storages/whatsapp.db", "")
			},
			want: "whatsapp.db is empty, although",
		},
		"emptied database beside numbers": {
			prepare: func(t *testing.T, dir string) {
				mkdir(t, dir, "storages/instances/shop_20240101120000")
				write(t, dir, "storages/whatsapp.db", "")
			},
			want: "whatsapp.db is empty, although",
		},
		"used database without its storage": {
			prepare: usedInstallation,
			vars:    []string{"STORAGE_DIR=elsewhere", "DB_URI=file:storages/whatsapp.db"},
			want:    "elsewhere/secret.key is missing",
		},
		"lost key": {prepare: usedInstallationWithoutKey, want: "secret.key is missing"},
		"no such address": {
			vars: []string{"APP_HOST=192.0.2.1"},
			want: "nothing can listen",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			before := tree(t, dir)
			got := runIn(t, dir, append([]string{"APP_PORT=0"}, c.vars...), "", "serve")
			expectRefusal(t, got, c.want)
			if after := tree(t, dir); after != before {
				t.Errorf("the disk has changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

func expectRefusal(t *testing.T, got result, want string) {
	t.Helper()
	if got.code != 2 {
		t.Errorf("exit code %d, want 2", got.code)
	}
	if got.stdout != "" {
		t.Errorf("standard output says %q", got.stdout)
	}
	if strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "switchboard: ") || !strings.Contains(got.stderr, want) {
		t.Errorf("standard error says %q, want one sentence with %q", got.stderr, want)
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	port := taken.Addr().(*net.TCPAddr).Port
	expectRefusal(t, runIn(t, dir, nil, "", "serve", "--app-port", fmt.Sprint(port)), fmt.Sprintf("Port %d on 127.0.0.1 is in use", port))
	if len(entries(t, dir)) != 0 {
		t.Error("something was made on disk")
	}
}

func TestUnwritableStorage(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	expectRefusal(t, runIn(t, dir, []string{"APP_PORT=0"}, "", "serve"), "cannot be written")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"bogus"}, `no command "bogus"`},
		{[]string{"user"}, "needs one of: add, list, passwd"},
		{[]string{"user", "remove"}, `no command "remove"`},
		{[]string{"user", "add", "--email", "a@example.com"}, "needs --role, --password-stdin as well"},
		{[]string{"user", "add", "--email", "a@example.com", "--role", "owner", "--password", "x"}, "not defined: -password"},
		{[]string{"user", "add", "--email", "a@example.com", "--role", "king", "--password-stdin"}, "--role has to be one of"},
		{[]string{"token", "add"}, "needs --user, --name as well"},
		{[]string{"version", "now"}, `takes no argument "now"`},
		{[]string{"worker"}, "Workers are started by"},
	} {
		dir := t.TempDir()
		expectRefusal(t, runIn(t, dir, nil, "", c.args...), c.want)
		if len(entries(t, dir)) != 0 {
			t.Errorf("%v made something on disk", c.args)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"serve", "--help"}, {"user", "add", "-h"}, {"user", "--help"}, {"token", "-h"}, {"user", "help"}, {"help", "serve"}, {"help", "token", "add"}} {
		got := runIn(t, t.TempDir(), nil, "", args...)
		if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, "Usage: switchboard") {
			t.Errorf("%v: code %d, %q, %q", args, got.code, got.stdout, got.stderr)
		}
	}
}

// TestVersion: people try more words for it than one.
func TestVersion(t *testing.T) {
	t.Parallel()
	want := runIn(t, t.TempDir(), nil, "", "version")
	for _, word := range []string{"--version", "-version", "-v", "-V"} {
		if got := runIn(t, t.TempDir(), nil, "", word); got != want || got.code != 0 {
			t.Errorf("%s: %+v, want %+v", word, got, want)
		}
	}
}

// TestHelpOfACommand: what is the command's own comes before the configuration, with its defaults.
func TestHelpOfACommand(t *testing.T) {
	t.Parallel()
	got := runIn(t, t.TempDir(), nil, "", "user", "add", "--help").stdout
	if own, shared := strings.Index(got, "--role"), strings.Index(got, "--app-base-path"); own < 0 || shared < own {
		t.Errorf("own flags at %d, the configuration's at %d:\n%s", own, shared, got)
	}
	if also := runIn(t, t.TempDir(), nil, "", "help", "user", "add").stdout; also != got {
		t.Errorf("`help user add` prints\n%s", also)
	}
	if got := runIn(t, t.TempDir(), nil, "", "simulator", "--help").stdout; !strings.Contains(got, "(default 127.0.0.1:3901)") {
		t.Errorf("no defaults:\n%s", got)
	}
}

// TestPeople goes through user and token with the server stopped.
func TestPeople(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const password = "three quiet words"
	add := []string{"user", "add", "--email", "Ada@Example.com", "--role", "owner", "--password-stdin"}
	if got := runIn(t, dir, nil, password+"\n", add...); got.code != 0 || got.stderr != "" {
		t.Fatalf("add: %+v", got)
	}
	if got := runIn(t, dir, nil, password, add...); got.code != 1 || !strings.Contains(got.stderr, "e-mail") {
		t.Errorf("adding twice: %+v", got)
	}
	if got := runIn(t, dir, nil, password, "user", "add", "--email", "b@example.com", "--role", "boss", "--password-stdin"); got.code != 2 || got.stderr == "" {
		t.Errorf("unknown role: %+v", got)
	}
	if got := runIn(t, dir, nil, "a\nb", "user", "passwd", "--email", "ada@example.com", "--password-stdin"); got.code != 2 {
		t.Errorf("two lines of password: %+v", got)
	}
	if got := runIn(t, dir, nil, "four other quiet words", "user", "passwd", "--email", "ada@example.com", "--password-stdin"); got.code != 0 {
		t.Errorf("passwd: %+v", got)
	}
	if got := runIn(t, dir, nil, "", "user", "list"); got.code != 0 || !strings.Contains(got.stdout, "ada@example.com") || !strings.Contains(got.stdout, "owner") {
		t.Errorf("list: %+v", got)
	}

	added := runIn(t, dir, nil, "", "token", "add", "--user", "ada@example.com", "--name", "crm")
	lines := strings.Split(strings.TrimSuffix(added.stdout, "\n"), "\n")
	secret := lines[len(lines)-1]
	if added.code != 0 || strings.ContainsAny(secret, " :") || len(secret) < 30 {
		t.Fatalf("token add: %+v, the last line has to be the token alone", added)
	}
	if got := runIn(t, dir, nil, "", "token", "add", "--user", "ada@example.com", "--name", "shop", "--number", "shop_20260101120000"); got.code != 1 ||
		!strings.Contains(got.stderr, `no number with the id "shop_20260101120000"`) {
		t.Errorf("a token for a number that there is not: %+v", got)
	}
	listed := runIn(t, dir, nil, "", "token", "list", "--user", "ada@example.com")
	if listed.code != 0 || !strings.Contains(listed.stdout, "crm") || strings.Contains(listed.stdout, secret) {
		t.Errorf("token list: %+v", listed)
	}
	if all := runIn(t, dir, nil, "", "token", "list"); all.code != 0 || all.stdout != listed.stdout || !strings.Contains(all.stdout, "ada@example.com") {
		t.Errorf("everybody's tokens: %+v", all)
	}
	if got := runIn(t, dir, nil, "short", "user", "add", "--email", "nobody", "--role", "viewer", "--password-stdin"); got.code != 1 || strings.Count(got.stderr, "\n") != 2 {
		t.Errorf("two mistakes: %+v", got)
	}
	id := strings.Fields(strings.Split(listed.stdout, "\n")[1])[0]
	if got := runIn(t, dir, nil, "", "token", "revoke", "--id", id); got.code != 0 {
		t.Errorf("token revoke: %+v", got)
	}
	if got := runIn(t, dir, nil, "", "token", "revoke", "--id", "nothing"); got.code != 1 {
		t.Errorf("revoking an unknown token: %+v", got)
	}
}

// TestServe starts the panel, looks at what it printed and made, and stops it.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startServe(t, dir)
	if !strings.HasPrefix(first.setup, first.url+"/setup") {
		t.Errorf("the set-up link is %q at %q", first.setup, first.url)
	}
	get(t, first.url+"/healthz", http.StatusOK)
	get(t, first.url+"/readyz", http.StatusOK)
	get(t, first.setup, http.StatusOK)
	for name, mode := range map[string]fs.FileMode{"storages": 0o700 | fs.ModeDir, "storages/secret.key": 0o600, "storages/whatsapp.db": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want mode %v", name, info.Mode(), err, mode)
		}
	}
	expectRefusal(t, runIn(t, dir, []string{"APP_PORT=0"}, "", "serve"), "Another Switchboard works with the")
	expectRefusal(t, runIn(t, dir, []string{"APP_PORT=0", "DB_URI=file:other.db"}, "", "serve"), "Another Switchboard works with the storage folder")
	expectRefusal(t, runIn(t, dir, []string{"APP_PORT=0", "STORAGE_DIR=elsewhere", "DB_URI=file:storages/../storages/whatsapp.db"}, "", "serve"),
		"Another Switchboard works with the control database")
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); !os.IsNotExist(err) {
		t.Error("a refused serve made its storage folder")
	}

	// With the server running, the commands work too, and what they do is seen at once.
	if got := runIn(t, dir, nil, "three quiet words", "user", "add", "--email", "ada@example.com", "--role", "owner", "--password-stdin"); got.code != 0 {
		t.Errorf("user add: %+v", got)
	}
	get(t, first.setup, http.StatusNotFound)
	first.stop(t)
	if strings.Contains(first.stderr.String(), first.setup[len(first.url):]) {
		t.Error("the set-up link is in the log")
	}

	second := startServe(t, dir)
	if second.setup != "" {
		t.Errorf("a set-up link is printed although there is an owner: %s", second.setup)
	}
	second.stop(t)
}

// served is a running panel.
type served struct {
	cmd    *exec.Cmd
	url    string
	setup  string // "" if none was printed
	rest   chan string
	stderr bytes.Buffer // to be read after stop
}

func startServe(t *testing.T, dir string) *served {
	t.Helper()
	s := &served{cmd: program(t, dir, []string{"APP_PORT=0"}, "serve"), rest: make(chan string, 1)}
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(stdout)
	for scan.Scan() {
		line := scan.Text()
		if _, url, ok := strings.Cut(line, "Switchboard is at "); ok {
			s.url = url
		}
		if strings.HasPrefix(line, "http") {
			s.setup = line
		}
		if line == "Press Ctrl-C to stop it." {
			break
		}
	}
	if s.url == "" {
		_ = s.cmd.Wait()
		t.Fatalf("serve did not start: %s", s.stderr.String())
	}
	go func() {
		var more strings.Builder
		for scan.Scan() {
			more.WriteString(scan.Text())
		}
		s.rest <- more.String()
	}()
	return s
}

func (s *served) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if more := <-s.rest; more != "" {
		t.Errorf("printed later: %q", more)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("serve ended with %v: %s", err, s.stderr.String())
	}
}

func get(t *testing.T, url string, want int) {
	t.Helper()
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("GET %s: %d, want %d", url, resp.StatusCode, want)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// usedInstallation makes an installation with a person in it.
func usedInstallation(t *testing.T, dir string) {
	t.Helper()
	if got := runIn(t, dir, nil, "three quiet words", "user", "add", "--email", "ada@example.com", "--role", "owner", "--password-stdin"); got.code != 0 {
		t.Fatalf("user add: %+v", got)
	}
}

func usedInstallationWithoutKey(t *testing.T, dir string) {
	t.Helper()
	usedInstallation(t, dir)
	if err := os.Remove(filepath.Join(dir, "storages", secretKeyName)); err != nil {
		t.Fatal(err)
	}
}

// damagedDatabase overwrites the schema page of a good database, its header left as it was.
func damagedDatabase(t *testing.T, dir string) {
	t.Helper()
	usedInstallation(t, dir)
	path := filepath.Join(dir, "storages", "whatsapp.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(content[100:4096], bytes.Repeat([]byte{0xA5}, 3996))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
