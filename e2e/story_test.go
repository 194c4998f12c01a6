package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
)

// The phones of the stories.
const (
	own    = "491700000001"
	friend = "491700000002"
)

// TestStory is the whole way of a number, as a person walks it in a browser.
func TestStory(t *testing.T) { onBothEngines(t, story) }

func story(t *testing.T, database ...string) {
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel := startPanel(t, network, database...)
	b := newTab(t)

	// The set-up link makes the owner.
	panel.signIn(b)
	b.see("simulated") // nobody can take this for the real network

	// A number is made, and its code read from the screen.
	id := b.create("Business 01")
	code := b.scan()
	if !strings.HasPrefix(id, "business_01_") {
		t.Errorf("the id of Business 01 is %q", id)
	}
	phone.scan(code)
	b.status("connected")

	// A message goes out and arrives; an answer comes back and shows.
	b.fill("send-form", "send-to", "+"+friend)
	b.fill("send-form", "send-text", "Hello from the panel")
	b.submit("send-form", "send-submit")
	other.receives(own, "Hello from the panel")
	other.send(own, "Hello back")
	b.reads("message-text", "Hello back")
	b.eval(patience, `document.querySelector('[data-testid="message"][data-direction="out"][data-delivery="delivered"], [data-testid="message"][data-direction="out"][data-delivery="read"]') !== null`,
		"the message is shown as delivered")

	// Logged out, the phone no longer knows the panel.
	b.click("logout-number")
	b.click("confirm-logout")
	b.status("logged_out")
	poll(t, "the phone has forgotten the device", func() bool { return len(phone.state().Companions) == 0 }, nil)

	// Paired again, by a code that is typed.
	b.click("next-pair")
	b.fill("phone-code-form", "phone", "+49 170 0000001")
	b.submit("phone-code-form", "get-phone-code")
	phone.enter(b.text("phone-code"))
	b.status("connected")
	b.reads("message-text", "Hello back") // what was there is still there
	other.send(own, "Welcome back")
	b.reads("message-text", "Welcome back")

	// Deleted, nothing of it is left.
	left := traces{
		pid: b.fact("pid"), port: b.fact("port"), folder: panel.folder(id),
		databases: []string{b.text("database-main"), b.text("database-keys")}, has: panel.has,
	}
	left.exist(t)
	b.click("delete")
	b.fill("delete-form", "confirm-name", "Business 01")
	b.submit("delete-form", "confirm-delete")
	left.vanish(t)
	b.open(panel.url)
	b.eval(patience, `document.querySelector('[data-testid="number-row-`+id+`"]') === null`, "the number is off the list")
	poll(t, "the connection of the deleted number has ended", func() bool { return len(network.connections()) == 0 }, nil)
	poll(t, "the phone has forgotten the deleted number", func() bool { return len(phone.state().Companions) == 0 }, nil)
}

// TestStoryWithoutScripts walks the same way with forms and links alone, and has the code
// as a picture from the management API.
func TestStoryWithoutScripts(t *testing.T) { onBothEngines(t, storyWithoutScripts) }

func storyWithoutScripts(t *testing.T, database ...string) {
	network := startNetwork(t)
	phone, other := network.addPhone(own, "Ada"), network.addPhone(friend, "Grace")
	panel := startPanel(t, network, database...)
	r := newReader(t)

	r.open(panel.url)
	if r.status != http.StatusOK || r.find("login-form") != nil {
		t.Errorf("without an owner %s says %d: %s", r.at, r.status, r.text(r.root))
	}
	r.open(panel.setup())
	r.submit("setup-form", map[string]string{"name": "Ada", "email": ownerEmail, "password": "short"})
	if r.status != http.StatusUnprocessableEntity || r.reads("field-error") == "" {
		t.Errorf("a short password is answered with %d: %s", r.status, r.text(r.root))
	}
	r.submit("setup-form", map[string]string{"name": "Ada", "email": ownerEmail, "password": ownerPassword})
	if r.find("new-number") == nil {
		t.Fatalf("after setting up, %s says %s", r.at, r.text(r.root))
	}
	again := newReader(t)
	again.open(panel.setup())
	if again.status != http.StatusNotFound {
		t.Errorf("the set-up link works twice: %d", again.status)
	}
	again.open(panel.url)
	again.submit("login-form", map[string]string{"email": ownerEmail, "password": ownerPassword})
	if again.find("new-number") == nil {
		t.Errorf("after signing in, %s says %s", again.at, again.text(again.root))
	}

	r.follow(http.MethodGet, "/instances/new", nil)
	r.submit("new-form", map[string]string{"name": ""})
	if r.status != http.StatusUnprocessableEntity || r.reads("field-error") == "" {
		t.Errorf("a number without a name is answered with %d: %s", r.status, r.text(r.root))
	}
	r.submit("new-form", map[string]string{"name": "Büro 🎉"})
	id := path.Base(r.at.Path)
	r.until("the code is shown", func() bool { return r.find("countdown") != nil })
	phone.scan(panel.picture(id))
	r.until("it is connected", func() bool { return r.status200("connected") })

	r.submit("send-form", map[string]string{"to": friend, "text": "Hello without scripts"})
	other.receives(own, "Hello without scripts")
	other.send(own, "Hello back")
	r.until("the answer is shown", func() bool { return strings.Contains(r.text(r.root), "Hello back") })

	left := traces{
		pid: number(t, r.reads("pid")), port: number(t, r.reads("port")), folder: panel.folder(id),
		databases: []string{r.reads("database-main"), r.reads("database-keys")}, has: panel.has,
	}
	left.exist(t)
	r.submit("delete-form", map[string]string{"confirm": "something else"})
	if r.status != http.StatusUnprocessableEntity {
		t.Errorf("deleting with the wrong name is answered with %d", r.status)
	}
	r.submit("delete-form", map[string]string{"confirm": "Büro 🎉"})
	left.vanish(t)
	poll(t, "a deleted number is unknown", func() bool { // its record goes last
		r.open(panel.url + "/instances/" + id)
		return r.status == http.StatusNotFound
	}, nil)
}

// picture reads a number's code from the pixels of the picture that the management API has.
func (p *panel) picture(id string) string {
	p.t.Helper()
	a := p.withToken()
	var code string
	poll(p.t, "there is a picture of a code", func() bool {
		picture := a.picture("/instances/" + id + "/qr")
		if picture == nil {
			return false
		}
		var err error
		code, err = decode(picture)
		return err == nil
	}, nil)
	return code
}

// status200 reports whether the page is there and its number has that status.
func (r *reader) status200(want string) bool {
	n := r.find("status")
	return r.status == http.StatusOK && n != nil && attribute(n, "data-status") == want
}

// fact is one of the numbers among a number's details.
func (b *tab) fact(testID string) int {
	b.t.Helper()
	return number(b.t, b.text(testID))
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		t.Fatalf("%q is no number", text)
	}
	return n
}

// traces are what a number leaves on a machine while it exists.
type traces struct {
	pid, port int
	folder    string
	databases []string
	has       func(id, database string) bool
}

func (l traces) exist(t *testing.T) {
	t.Helper()
	if !alive(l.pid) || !listening(l.port) {
		t.Errorf("process %d: %v, port %d: %v", l.pid, alive(l.pid), l.port, listening(l.port))
	}
	for _, name := range l.databases {
		if !l.has(path.Base(l.folder), name) {
			t.Errorf("there is no database %s", name)
		}
	}
}

func (l traces) vanish(t *testing.T) {
	t.Helper()
	poll(t, "process, port and databases are gone", func() bool {
		return !alive(l.pid) && !listening(l.port) && !exists(l.folder)
	}, func() string {
		return fmt.Sprintf("process %v, port %v, folder %v", alive(l.pid), listening(l.port), exists(l.folder))
	})
	for _, name := range l.databases {
		if l.has(path.Base(l.folder), name) {
			t.Errorf("there still is the database %s", name)
		}
	}
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

func listening(port int) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
