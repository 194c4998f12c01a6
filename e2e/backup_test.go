package e2e

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// signedIn is a reader who came in by the panel's sign-in page.
func (p *panel) signedIn() *reader {
	p.t.Helper()
	r := newReader(p.t)
	r.open(p.url + "/login")
	r.submit("login-form", map[string]string{"email": ownerEmail, "password": ownerPassword})
	if r.at.Path != "/" {
		p.t.Fatalf("signing in leads to %s", r.at.Path)
	}
	return r
}

// token is the one that a form carries.
func (r *reader) token(form string) string {
	r.t.Helper()
	n := r.find(form)
	if n == nil {
		r.t.Fatalf("no form %s on %s:\n%s", form, r.at.Path, r.text(r.root))
	}
	for n := range n.Descendants() {
		if attribute(n, "name") == "csrf_token" {
			return attribute(n, "value")
		}
	}
	r.t.Fatalf("the form %s has no token", form)
	return ""
}

// download sends a form and returns the file that comes.
func (r *reader) download(form string, fields url.Values) []byte {
	r.t.Helper()
	fields.Set("csrf_token", r.token(form))
	at := r.at.ResolveReference(&url.URL{Path: attribute(r.find(form), "action")})
	resp, err := r.client.PostForm(at.String(), fields)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		r.t.Fatalf("%d, %v, %v: %.2000s", resp.StatusCode, resp.Header, err, content)
	}
	return content
}

// restore uploads a backup on the page for that, and returns where it leads.
func (p *panel) restore(backup []byte, passphrase string) (*reader, string) {
	p.t.Helper()
	r := p.signedIn()
	r.open(p.url + "/system")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range [][2]string{{"csrf_token", r.token("restore-form")}, {"passphrase", passphrase}, {"name", ""}, {"number", ""}} {
		if err := form.WriteField(f[0], f[1]); err != nil {
			p.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("backup", "some.backup")
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = part.Write(backup) // into memory
	_ = form.Close()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/system/restore", &body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	r.answer(req)
	return r, strings.TrimPrefix(r.at.Path, "/instances/")
}

// TestBackupInThePanel takes a number's backup while it runs, brings the number into another
// installation with it, without a new scan, and brings one back that was deleted.
func TestBackupInThePanel(t *testing.T) { onBothEngines(t, backupInThePanel) }

func backupInThePanel(t *testing.T, database ...string) {
	const passphrase = "correct horse battery staple"
	network := startNetwork(t)
	other := network.addPhone(friend, "Grace")
	phone := network.addPhone(own, "Ada")
	p, api := startPanelWithToken(t, network, database...)
	inst := api.pair(api.create("Bakery").ID, phone)
	api.send(inst.ID, other.number, "hello")
	other.receives(phone.number, "hello")
	other.send(phone.number, "before")
	poll(t, "the message is stored", func() bool { return p.talk(inst).in["before"] == 1 }, nil)

	r := p.signedIn()
	r.open(p.url + "/instances/" + inst.ID)
	backup := r.download("backup-form", url.Values{"passphrase": {passphrase}, "again": {passphrase}})
	if now := api.get(inst.ID); now.PID != inst.PID || now.Status != "connected" {
		t.Errorf("after its backup the number is %+v, before %+v", now, inst)
	}
	if wrong, _ := p.restore(backup, passphrase); !strings.Contains(wrong.reads("form-error"), "is still here") {
		t.Errorf("beside the number itself, restoring says %q", wrong.reads("form-error"))
	}

	for _, text := range []string{"since 1", "since 2"} { // which are not in the backup
		api.send(inst.ID, other.number, text)
		other.receives(phone.number, text)
	}
	// In another installation, on files, it goes on where it was. Here it must not run any more.
	api.call(http.MethodPost, "/instances/"+inst.ID+"/stop", nil, http.StatusOK, nil)
	api.becomes(inst.ID, "stopped")
	elsewhere, there := startPanelWithToken(t, network)
	if wrong, _ := elsewhere.restore(backup, "another passphrase"); !strings.Contains(wrong.reads("form-error"), "not the passphrase") {
		t.Errorf("a wrong passphrase: %q", wrong.reads("form-error"))
	}
	if wrong, _ := elsewhere.restore(backup[:len(backup)/2], passphrase); !strings.Contains(wrong.reads("form-error"), "damaged or incomplete") {
		t.Errorf("half a backup: %q", wrong.reads("form-error"))
	}
	if _, id := elsewhere.restore(backup, passphrase); id != inst.ID {
		t.Fatalf("restoring leads to %q", id)
	}
	moved := there.becomes(inst.ID, "connected")
	there.send(moved.ID, other.number, "from there")
	other.receives(phone.number, "from there")
	other.send(phone.number, "there")
	poll(t, "the message is stored there", func() bool { return elsewhere.talk(moved).in["there"] == 1 }, nil)
	if n := elsewhere.talk(moved).in["before"]; n != 1 || len(phone.state().Companions) != 1 {
		t.Errorf("the earlier message is there %d times, the phone has %d devices", n, len(phone.state().Companions))
	}
	elsewhere.stop()

	// A mistaken deletion is undone, with a click.
	r.open(p.url + "/instances/" + inst.ID)
	p.deletes(r, api, inst)
	if says := r.reads("deleted-number"); !strings.Contains(says, "Bakery") || !strings.Contains(says, "kept for 29 days more") || !strings.Contains(says, "Goes on without a new scan") {
		t.Errorf("the deleted number: %q", says)
	}
	r.follow(http.MethodPost, "/system/deleted/"+r.kept()+"/restore", url.Values{"csrf_token": {r.token("restore-form")}})
	if r.at.Path != "/instances/"+inst.ID {
		t.Fatalf("bringing it back leads to %s:\n%s", r.at.Path, r.text(r.root))
	}
	// The phone was not told, because the number was stopped: it is connected again by itself.
	inst = api.becomes(inst.ID, "connected")
	other.send(phone.number, "after")
	poll(t, "the message is stored", func() bool { return p.talk(inst).in["after"] == 1 }, nil)
	if n := p.talk(inst).in["before"]; n != 1 {
		t.Errorf("the earlier message is there %d times", n)
	}
	r.open(p.url + "/system")
	if says := r.reads("deleted-number"); says != "" {
		t.Errorf("what came back is still among the deleted: %q", says)
	}

	// Deleted while it is connected, its phone is told.
	r.open(p.url + "/instances/" + inst.ID)
	if says := r.text(r.root); !strings.Contains(says, "Its phone is told") {
		t.Errorf("the page says %q", says)
	}
	p.deletes(r, api, inst)
	if says := r.reads("deleted-number"); !strings.Contains(says, "Has to be paired once more") || len(phone.state().Companions) != 0 {
		t.Errorf("the deleted number: %q, the phone has %d devices", says, len(phone.state().Companions))
	}
	r.follow(http.MethodPost, "/system/deleted/"+r.kept()+"/restore", url.Values{"csrf_token": {r.token("restore-form")}})
	api.becomes(inst.ID, "pairing")
}

// deletes a number from its page, and leads to the page where it can be brought back.
func (p *panel) deletes(r *reader, api *api, inst instance) {
	p.t.Helper()
	r.submit("delete-form", map[string]string{"confirm": inst.Name})
	poll(p.t, "the number is gone", func() bool {
		status, _ := api.ask(http.MethodGet, "/instances/"+inst.ID, nil)
		return status == http.StatusNotFound && !p.has(inst.ID, inst.Database.Keys)
	}, nil)
	r.open(p.url + "/system")
}

// kept is the file of the first deleted number on the page.
func (r *reader) kept() string {
	r.t.Helper()
	for n := range r.find("deleted-number").Descendants() {
		if rest, found := strings.CutPrefix(attribute(n, "action"), "/system/deleted/"); found {
			return strings.TrimSuffix(rest, "/restore")
		}
	}
	r.t.Fatal("no way to bring it back")
	return ""
}
