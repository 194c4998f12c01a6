package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The owner that tests make.
const (
	ownerEmail    = "ada@example.com"
	ownerPassword = "three quiet words"
)

// panel is a running `switchboard serve`.
type panel struct {
	*process            // another one after a restart
	t        testing.TB // not the process's own, so that it stays while others replace the process
	url      string
	dir      string // working directory; the storage folder is storages in it
	vars     []string

	program string // "": the one under test
}

// startPanel starts a panel in a folder of its own, on that simulated network.
func startPanel(t testing.TB, network *network, vars ...string) *panel {
	t.Helper()
	p := &panel{t: t, dir: t.TempDir()}
	p.vars = append([]string{
		"APP_PORT=0",
		fmt.Sprintf("WORKER_PORT_START=%d", nextWorkerPorts()),
		"WHATSAPP_SIMULATOR_ADDR=" + network.addr,
		"WHATSAPP_SIMULATOR_ROOT_KEY=" + network.rootKey,
	}, vars...)
	t.Cleanup(func() {
		if t.Failed() {
			p.showLogs()
		}
	})
	p.serve(t)
	return p
}

// showLogs shows what the workers wrote last, which the panel's own log does not have.
func (p *panel) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(p.folder("*"), "worker.log"))
	for _, path := range logs {
		if written, err := os.ReadFile(path); err == nil {
			p.t.Logf("%s ends with:\n%s", path, written[max(0, len(written)-5_000):])
		}
	}
}

// serve starts the panel, for the first time or once more.
func (p *panel) serve(t testing.TB, flags ...string) {
	t.Helper()
	p.process = startProgram(t, cmp.Or(p.program, binary), p.dir, p.vars, append([]string{"serve"}, flags...)...)
	p.url = p.line(`^Switchboard is at (http\S+)$`)
}

// setup is the set-up link that the panel has printed.
func (p *panel) setup() string {
	p.t.Helper()
	return p.line(`^(http\S+/setup/\S+)$`)
}

// startPanelWithToken starts a panel that has an owner, and returns a client of its
// management API.
func startPanelWithToken(t testing.TB, network *network, vars ...string) (*panel, *api) {
	t.Helper()
	p := startPanel(t, network, vars...)
	p.command(ownerPassword, "user", "add", "--email", ownerEmail, "--role", "owner", "--password-stdin")
	return p, p.withToken()
}

// withToken returns a client of the management API for the owner, who has to exist.
func (p *panel) withToken() *api {
	p.t.Helper()
	out := p.command("", "token", "add", "--user", ownerEmail, "--name", "test")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return &api{&client{t: p.t, url: p.url + "/api/v1", token: lines[len(lines)-1]}}
}

// command runs another command of the program beside the panel and returns what it prints.
func (p *panel) command(stdin string, args ...string) string {
	p.t.Helper()
	out, err := commandIn(p.dir, p.vars, stdin, args...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// folder is the folder of a number.
func (p *panel) folder(id string) string {
	return filepath.Join(p.dir, "storages", "instances", id)
}

// api is a client of the management API.
type api struct{ *client }

// client asks an interface that speaks JSON.
type client struct {
	t     testing.TB
	url   string
	token string // "" if it asks for none
}

// instance is a number as the API shows it.
type instance struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	JID      string `json:"jid"`
	Desired  string `json:"desired"`
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	PID      int    `json:"pid"`
	Port     int    `json:"port"`
	Restarts int    `json:"restarts"`
	Database struct {
		Engine string `json:"engine"`
		Main   string `json:"main"`
		Keys   string `json:"keys"`
	} `json:"database"`
}

// call asks, and fails the test if the status of the answer is not want.
func (a *client) call(method, path string, in any, want int, out any) {
	a.t.Helper()
	status, body := a.ask(method, path, in)
	if status != want {
		a.t.Fatalf("%s %s: %d instead of %d: %s", method, path, status, want, body)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			a.t.Fatalf("%s %s: %v: %s", method, path, err, body)
		}
	}
}

// picture returns a PNG, nil if there is none right now.
func (a *client) picture(path string) image.Image {
	a.t.Helper()
	status, body := a.askFor("image/png", http.MethodGet, path, nil)
	if status != http.StatusOK {
		return nil
	}
	picture, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	return picture
}

// ask returns the status and the body of the answer; without an answer, 0 and the reason.
func (a *client) ask(method, path string, in any) (int, []byte) {
	a.t.Helper()
	return a.askFor("application/json", method, path, in)
}

func (a *client) askFor(accept, method, path string, in any) (int, []byte) {
	a.t.Helper()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			a.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, answer
}

func (a *api) create(name string) instance {
	a.t.Helper()
	var made instance
	a.call(http.MethodPost, "/instances", map[string]string{"name": name}, http.StatusCreated, &made)
	return made
}

func (a *api) get(id string) instance {
	a.t.Helper()
	var got instance
	a.call(http.MethodGet, "/instances/"+id, nil, http.StatusOK, &got)
	return got
}

// delete deletes a number and waits until it is gone.
func (a *api) delete(id string) {
	a.t.Helper()
	a.call(http.MethodDelete, "/instances/"+id, nil, http.StatusAccepted, nil)
	poll(a.t, id+" is gone", func() bool {
		status, _ := a.ask(http.MethodGet, "/instances/"+id, nil)
		return status == http.StatusNotFound
	}, nil)
}

// becomes waits until a number has a status.
func (a *api) becomes(id, status string) instance {
	a.t.Helper()
	got := a.get(id)
	poll(a.t, fmt.Sprintf("%s is %s", id, status), func() bool {
		got = a.get(id)
		return got.Status == status
	}, func() string { return fmt.Sprintf("it is %+v", got) })
	return got
}

// code waits for a QR code and returns its text.
func (a *api) code(id string) string {
	a.t.Helper()
	var got struct{ Code string }
	poll(a.t, "there is a code to scan", func() bool {
		status, body := a.ask(http.MethodGet, "/instances/"+id+"/qr", nil)
		return status == http.StatusOK && json.Unmarshal(body, &got) == nil
	}, func() string { return fmt.Sprintf("%+v", a.get(id)) })
	return got.Code
}

// pair links a number to a phone and waits until it is connected.
func (a *api) pair(id string, h *handset) instance {
	a.t.Helper()
	h.scan(a.code(id))
	return a.becomes(id, "connected")
}

// send sends a text through the number's own API. Unlike the other methods it may be called
// by several goroutines at once.
func (a *api) send(id, to, text string) {
	a.t.Helper()
	status, body := a.ask(http.MethodPost, "/instances/"+id+"/api/send/message", map[string]string{"phone": to, "message": text})
	if status != http.StatusOK {
		a.t.Errorf("sending %q from %s: %d: %s", text, id, status, body)
	}
}

// poll asks again and again until done: for what another process does, which signals
// nothing to a test.
func poll(t testing.TB, what string, done func() bool, state func() string) {
	t.Helper()
	pollFor(t, patience, what, done, state)
}

// pollFor is poll for what may take longer than most things.
func pollFor(t testing.TB, long time.Duration, what string, done func() bool, state func() string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(long); !done(); {
		if time.Now().After(deadline) {
			last := ""
			if state != nil {
				last = ": " + state()
			}
			t.Fatalf("waited for nothing until %s%s", what, last)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.FailNow()
		}
	}
}
