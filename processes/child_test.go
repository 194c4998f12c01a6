package processes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"switchboard/control"
	"switchboard/fault"
	"switchboard/instances"
)

// The test binary is its own worker, parent of workers and grandchild.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			runWorker()
		case "parent":
			runParent(os.Args[2])
		case "grandchild":
			signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
			fmt.Println("here")
			select {}
		}
	}
	os.Exit(m.Run())
}

// child is a worker that does what SendText tells it.
type child struct {
	doc  control.StartDocument
	stop context.CancelFunc
	deaf bool
}

func runWorker() {
	doc, err := control.ReadStartDocument(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(int(control.ExitUsage))
	}
	switch doc.Name {
	case "ends at once":
		end(doc.Dir, control.ExitPortTaken)
	case "ends without a word":
		os.Exit(77)
	}
	l, err := control.Listen(doc.Dir)
	if err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	c := &child{doc: doc, stop: stop, deaf: doc.Name == "deaf"}
	if c.deaf {
		signal.Ignore(syscall.SIGTERM)
		ctx = context.Background()
	}
	if err := control.Serve(ctx, l, doc.Token, c); err != nil {
		panic(err)
	}
	end(doc.Dir, control.ExitStopped)
}

// end ends on purpose, as a worker does.
func end(dir string, code control.ExitCode) {
	if err := control.NoteExit(dir, code); err != nil {
		panic(err)
	}
	os.Exit(int(code))
}

// Report tells the test what the child sees of the world.
func (c *child) Report() instances.Report {
	return instances.Report{Status: instances.Starting, PushName: strings.Join(os.Environ(), ","), JID: strings.Join(os.Args[1:], " ")}
}
func (c *child) Changed() <-chan struct{}                                     { return nil }
func (c *child) Pair(context.Context) error                                   { return nil }
func (c *child) AnswerPasskey(context.Context, []byte) error                  { return nil }
func (c *child) ConfirmPasskey(context.Context) error                         { return nil }
func (c *child) Logout(context.Context) error                                 { return nil }
func (c *child) Reconnect(context.Context) error                              { return nil }
func (c *child) Configure(context.Context, json.RawMessage) error             { return nil }
func (c *child) Outbox(context.Context, string, json.RawMessage) (any, error) { return nil, nil }
func (c *child) Events(context.Context, string, func(any) error) error        { return nil }
func (c *child) API() http.Handler                                            { return http.NotFoundHandler() }
func (c *child) PairPhone(context.Context, string) (instances.PhoneCode, error) {
	return instances.PhoneCode{}, fault.New(fault.Conflict, "Not now.")
}

func (c *child) Stop() {
	if !c.deaf {
		c.stop()
	}
}

func (c *child) SendText(_ context.Context, order, text string) (instances.Sent, error) {
	switch order {
	case "panic":
		go panic(text)
		select {}
	case "abort":
		n, _ := strconv.Atoi(text)
		for range n {
			go func() { select {} }()
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		select {}
	case "end":
		code, _ := strconv.Atoi(text)
		end(c.doc.Dir, control.ExitCode(code))
	case "print":
		fmt.Fprintln(os.Stderr, text)
	case "flood":
		n, _ := strconv.Atoi(text)
		line := []byte(strings.Repeat("x", 1023) + "\n")
		for range n {
			os.Stderr.Write(line)
		}
	case "hoard":
		for hoard := [][]byte{}; ; hoard[0][0]++ { // it stays in use
			hoard = append(hoard, bytes.Repeat([]byte{1}, 1<<20))
		}
	case "threads":
		for {
			go func() {
				runtime.LockOSThread()
				_ = unix.Pause()
			}()
		}
	case "spin":
		go func() {
			for n := 0; ; {
				n++
			}
		}()
	case "grandchild":
		cmd := exec.Command("/proc/self/exe", "grandchild")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = out.Read(make([]byte, 1))
		}
		return instances.Sent{ID: strconv.Itoa(cmd.Process.Pid)}, err
	}
	return instances.Sent{}, nil
}

// runParent is a panel that launches a worker and does nothing further until it is killed.
func runParent(dir string) {
	w, err := New(options(dir, slog.New(slog.DiscardHandler))).Launch(context.Background(), spec(testID, "found"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(w.Facts().PID)
	select {}
}

const testID instances.ID = "a_20240101120000"

func options(dir string, log *slog.Logger) Options {
	return Options{
		Dir: dir, Executable: os.Args[0], Env: []string{"TZ=Europe/Rome"},
		ListenHost: "127.0.0.1", Version: "1.2.3", Log: log,
	}
}

func spec(id instances.ID, name string) instances.Spec {
	return instances.Spec{ID: id, Name: name, Port: 3001, Database: instances.Access{Engine: "sqlite", Main: "file:m", Keys: "file:k"}}
}

func newLauncher(t *testing.T) *Launcher {
	t.Helper()
	// Deeper than the 108 bytes of a unix socket's address allow.
	return New(options(filepath.Join(t.TempDir(), strings.Repeat("deep", 40), "instances"), slog.New(slog.NewTextHandler(t.Output(), nil))))
}

// launch starts a worker that is gone at the end of the test.
func launch(t *testing.T, l *Launcher, name string) *worker {
	t.Helper()
	w, err := l.Launch(t.Context(), spec(testID, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.(*worker).signal(syscall.SIGKILL)
		<-w.Exited()
	})
	return w.(*worker)
}

// ready waits until the worker reports.
func ready(t *testing.T, w instances.Worker) instances.Report {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, ok := <-w.Reports(ctx)
	if !ok {
		t.Fatalf("the worker ended before it reported: %+v", w.Exit())
	}
	return r
}

func gone(pid int) bool {
	s, err := readStat(pid)
	return errors.Is(err, errGone) || err == nil && s.dead()
}
