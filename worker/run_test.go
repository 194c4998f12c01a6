package worker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/control"
	"switchboard/engine"
	"switchboard/freeport"
	"switchboard/instances"
	"switchboard/isolation"
	"switchboard/isolation/pgtest"
	"switchboard/migrations"
	"switchboard/webhooks"
	"switchboard/worker"
)

const (
	id       = instances.ID("test_20260101120000")
	patience = time.Minute
)

// document returns a start document for a number with databases of its own and a network
// that cannot be reached.
func document(t *testing.T) control.StartDocument {
	t.Helper()
	return documentIn(t, t.TempDir())
}

// documentIn is document with a storage folder.
func documentIn(t *testing.T, dir string) control.StartDocument {
	t.Helper()
	databases, err := isolation.Open(t.Context(), "file:"+dir+"/control.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	access, err := databases.Provision(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return control.StartDocument{
		ID: id, Name: "Test", Version: "test", Dir: filepath.Join(dir, "instances", string(id)),
		Listen: freeAddr(t), Token: rand.Text() + rand.Text(), Database: access, LogLevel: "debug",
		Simulator: &control.Simulator{Addr: freeAddr(t), RootKey: strings.Repeat("07", 32)},
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := freeport.Take()
	must(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// TestMain lets the test binary be a worker too: a worker confines its whole process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(int(beWorker(os.Args[2:])))
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// beWorker does what the program does as a worker, and beside it what probes ask for.
func beWorker(probes []string) control.ExitCode {
	doc, err := control.ReadStartDocument(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return control.ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if len(probes) > 0 {
		go probe(doc, probes[0], probes[1:])
	}
	return worker.Run(ctx, doc, "test")
}

// probe misbehaves in a worker that runs, or tries to.
func probe(doc control.StartDocument, what string, args []string) {
	<-control.Dial(filepath.Join(doc.Dir, control.SocketName), doc.Token, os.Getpid()).Reports(context.Background())
	switch what {
	case "confined":
		probeConfined(doc, args[0], args[1])
	case "memory":
		probeMemory()
	case "files":
		probeFiles()
	}
}

// running is a worker in a process of its own.
type running struct {
	doc    control.StartDocument
	client *control.Client
	cmd    *exec.Cmd
	code   chan control.ExitCode
}

// process starts a worker's process. change, which may be nil, sees it before that.
func process(t *testing.T, doc control.StartDocument, change func(*exec.Cmd)) *running {
	t.Helper()
	text, err := json.Marshal(doc)
	must(t, err)
	r := &running{
		doc: doc, cmd: exec.Command("/proc/self/exe", "worker"), code: make(chan control.ExitCode, 1),
	}
	var said bytes.Buffer
	r.cmd.Env, r.cmd.Stdin, r.cmd.Stderr = []string{}, bytes.NewReader(text), &said
	if change != nil {
		change(r.cmd)
	}
	must(t, r.cmd.Start())
	r.client = control.Dial(filepath.Join(doc.Dir, control.SocketName), doc.Token, r.cmd.Process.Pid)
	t.Cleanup(func() {
		r.stop()
		r.ended(t)
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(doc.Dir, "worker.log"))
			t.Logf("the worker wrote: %s\n%s", &said, log[max(0, len(log)-20_000):])
		}
	})
	go func() {
		_ = r.cmd.Wait()
		r.code <- control.ExitCode(r.cmd.ProcessState.ExitCode())
	}()
	return r
}

// start runs a worker and waits until it reports.
func start(t *testing.T, doc control.StartDocument) *running {
	t.Helper()
	r := process(t, doc, nil)
	r.reports(t)
	return r
}

// reports waits until the worker does.
func (r *running) reports(t *testing.T) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if _, ok := <-r.client.Reports(ctx); !ok {
		t.Fatal("the worker does not report")
	}
}

func (r *running) stop() { _ = r.cmd.Process.Signal(syscall.SIGTERM) }

func (r *running) ended(t *testing.T) control.ExitCode {
	t.Helper()
	select {
	case code := <-r.code:
		r.code <- code
		return code
	case <-time.After(patience):
		_ = r.cmd.Process.Kill()
		t.Fatal("the worker does not end")
		return 0
	}
}

func (r *running) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get("http://" + r.doc.Listen + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestAWorkersLife(t *testing.T) {
	t.Parallel()
	doc := document(t)
	r := start(t, doc)

	if res, body := r.get(t, "/health"); res.StatusCode != http.StatusOK || body != "OK" {
		t.Errorf("health: %d %q", res.StatusCode, body)
	}
	for _, path := range []string{"/", "/app/status", "/send/message", "/health/x", "//app/status"} {
		res, body := r.get(t, path)
		if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s is open to everybody: %d %s", path, res.StatusCode, body)
		}
	}

	req, err := http.NewRequest(http.MethodGet, "http://worker/app/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.client.API().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var status struct {
		Code    string
		Results map[string]any
	}
	if err := json.NewDecoder(res.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	if status.Code != "SUCCESS" || status.Results["is_connected"] != false || status.Results["is_logged_in"] != false ||
		status.Results["device_id"] != string(id) || status.Results["jid"] != "" {
		t.Errorf("status is %+v", status)
	}

	if code := process(t, doc, nil).ended(t); code != control.ExitLocked {
		t.Errorf("a second worker for the number ends with %d", code)
	}
	if res, _ := r.get(t, "/health"); res.StatusCode != http.StatusOK {
		t.Error("the second worker disturbed the first")
	}

	if err := r.client.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := r.ended(t); code != control.ExitStopped {
		t.Errorf("ended with %d", code)
	}
	if code, ok := control.NotedExit(doc.Dir, r.cmd.Process.Pid); !ok || code != control.ExitStopped {
		t.Errorf("noted is %d, %v", code, ok)
	}
	release, err := isolation.Lock(doc.Dir)
	if err != nil {
		t.Fatalf("the lock was not given back: %v", err)
	}
	release()
	checkLog(t, doc)
}

// checkLog looks into the worker's log: private, one JSON object a line, no secrets.
func checkLog(t *testing.T, doc control.StartDocument) {
	t.Helper()
	path := filepath.Join(doc.Dir, control.LogName)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the log is %v, %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), doc.Token) {
		t.Error("the token is in the log")
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) < 3 {
		t.Errorf("the log has %d lines", len(lines))
	}
	for _, line := range lines {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["instance"] != string(id) {
			t.Errorf("log line %s: %v", line, err)
		}
	}
}

// What became of the number while no worker ran comes first in its events.
func TestAWorkerTellsWhatWasMissed(t *testing.T) {
	t.Parallel()
	doc := document(t)
	at := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	doc.Missed = []instances.Change{
		{Status: instances.Backoff, Was: instances.Connected, Reason: instances.WorkerKilled, At: at},
		{Status: instances.Failed, Was: instances.Backoff, Reason: instances.CrashLoop, At: at.Add(time.Second)},
	}
	r := start(t, doc)
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	var got []string
	enough := errors.New("enough")
	err := r.client.Events(ctx, webhooks.Since(at.Add(-time.Hour)), func(line json.RawMessage) error {
		var told webhooks.Told
		if line == nil || json.Unmarshal(line, &told) != nil || told.Name == "" {
			return nil
		}
		var body struct {
			At      time.Time `json:"timestamp"`
			Payload struct {
				Reason string `json:"reason"`
				Was    string `json:"previous_status"`
			} `json:"payload"`
		}
		if err := json.Unmarshal(told.Body, &body); err != nil {
			return err
		}
		if len(got) < 2 && !body.At.Equal(doc.Missed[len(got)].At) {
			t.Errorf("%s is told to have been at %v", told.Name, body.At)
		}
		if got = append(got, told.Name+" "+body.Payload.Was+" "+body.Payload.Reason); len(got) == 3 {
			return enough
		}
		return nil
	})
	want := []string{"connection.backoff connected worker_killed", "connection.failed backoff crash_loop", "connection.starting failed "}
	if !errors.Is(err, enough) || !slices.Equal(got, want) {
		t.Errorf("told %q, %v, want %q", got, err, want)
	}
}

func TestTheContextEndsAWorker(t *testing.T) {
	t.Parallel()
	r := start(t, document(t))
	r.stop()
	if code := r.ended(t); code != control.ExitStopped {
		t.Errorf("ended with %d", code)
	}
	names, err := engine.Values[string](t.Context(), sqlite(t, r.doc.Database.Main), "read events", `SELECT "name" FROM "events" ORDER BY "seq" DESC LIMIT 2`)
	if want := []string{"connection.stopped", "connection.stopping"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("its last events are %v, %v, want %v", names, err, want)
	}
	// The same number starts again at once.
	again := start(t, r.doc)
	again.stop()
	again.ended(t)
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	r := start(t, document(t))
	err := filepath.WalkDir(r.doc.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != r.doc.Dir {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sqlite(t *testing.T, uri string) *sql.DB {
	t.Helper()
	file, err := engine.ParseFile(uri)
	if err != nil {
		t.Fatal(err)
	}
	db, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func path(t *testing.T, uri string) string {
	t.Helper()
	file, err := engine.ParseFile(uri)
	if err != nil {
		t.Fatal(err)
	}
	return file.Path
}

func TestWhyAWorkerCannotRun(t *testing.T) {
	t.Parallel()
	garbage := []byte(strings.Repeat("no database at all\n", 1000))
	for name, c := range map[string]struct {
		spoil func(*testing.T, *control.StartDocument)
		want  control.ExitCode
	}{
		"main database missing": {func(t *testing.T, d *control.StartDocument) {
			must(t, os.Remove(path(t, d.Database.Main)))
		}, control.ExitDatabaseRefused},
		"keys database missing": {func(t *testing.T, d *control.StartDocument) {
			must(t, os.Remove(path(t, d.Database.Keys)))
		}, control.ExitDatabaseRefused},
		"main database damaged": {func(t *testing.T, d *control.StartDocument) {
			must(t, os.WriteFile(path(t, d.Database.Main), garbage, 0o600))
		}, control.ExitDatabaseDamaged},
		"keys database damaged": {func(t *testing.T, d *control.StartDocument) {
			must(t, os.WriteFile(path(t, d.Database.Keys), garbage, 0o600))
		}, control.ExitDatabaseDamaged},
		"main database newer": {func(t *testing.T, d *control.StartDocument) {
			db := sqlite(t, d.Database.Main)
			_, err := db.Exec(`INSERT INTO "` + migrations.Table + `" (version_id, is_applied) VALUES (9999, true)`)
			must(t, err)
		}, control.ExitDatabaseNewer},
		"keys database newer": {func(t *testing.T, d *control.StartDocument) {
			r := start(t, *d)
			r.stop()
			r.ended(t)
			_, err := sqlite(t, d.Database.Keys).Exec(`UPDATE "whatsmeow_version" SET "version" = 9999, "compat" = 9999`)
			must(t, err)
		}, control.ExitDatabaseNewer},
		"unknown engine": {func(_ *testing.T, d *control.StartDocument) { d.Database.Engine = "abacus" }, control.ExitDatabaseRefused},
		"folder missing": {func(_ *testing.T, d *control.StartDocument) { d.Dir += "/nowhere/at/all" }, control.ExitDatabaseRefused},
		"bad root key":   {func(_ *testing.T, d *control.StartDocument) { d.Simulator.RootKey = "07" }, control.ExitUsage},
		"port taken": {func(t *testing.T, d *control.StartDocument) {
			l, err := net.Listen("tcp", d.Listen)
			must(t, err)
			t.Cleanup(func() { l.Close() })
		}, control.ExitPortTaken},
		"no such address": {func(_ *testing.T, d *control.StartDocument) { d.Listen = "192.0.2.1:3001" }, control.ExitPortTaken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(t)
			c.spoil(t, &doc)
			r := process(t, doc, nil)
			if code := r.ended(t); code != c.want {
				t.Fatalf("ended with %d, want %d", code, c.want)
			}
			if name == "folder missing" || c.want == control.ExitUsage {
				return // it has no folder, or none that it knows
			}
			if code, ok := control.NotedExit(doc.Dir, r.cmd.Process.Pid); !ok || code != c.want {
				t.Errorf("noted is %d, %v", code, ok)
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
