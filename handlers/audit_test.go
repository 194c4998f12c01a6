package handlers

import (
	"encoding/csv"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/audit"
	"switchboard/auth"
)

// record is what is in the audit log: action and result, oldest first.
func (s *site) record() string {
	s.t.Helper()
	all, err := s.audit.Entries(s.t.Context(), audit.Query{})
	if err != nil {
		s.t.Fatal(err)
	}
	var b strings.Builder
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		b.WriteString(strings.TrimSpace(e.Who+" "+e.Action+" "+e.Instance) + ": " + string(e.Result) + "\n")
	}
	return b.String()
}

func TestWhatPeopleDoIsRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.numbers.set(connected(99))
	b := s.browser()
	s.person(auth.Owner)
	b.get("/login")
	b.post("/instances/" + string(known) + "/stop") // a stranger
	b.post("/login", "email", email, "password", "wrong wrong wrong")
	b.post("/login", "email", "a password typed here", "password", "x")
	b.login()
	b.get("/")
	b.post("/instances/" + string(known) + "/stop")
	b.post("/instances/"+string(known)+"/messages", "to", "+491701234567", "text", "a secret of mine")
	b.post("/instances/" + string(known) + "/nothing")
	b.do(form("/instances/" + string(known) + "/start")) // without its token
	b.post("/instances/"+string(known)+"/rename", "name", "")
	b.post("/people", "email", "grace@example.org", "role", "viewer")
	b.get("/audit/export?format=csv")
	b.get("/instances/" + string(known) + "/log")
	b.get("/instances/" + string(known) + "/log/download")
	b.post("/instances/"+string(known)+"/backup", "passphrase", "long enough for anybody", "again", "long enough for anybody")
	b.post("/instances", "name", "Shop", "request_id", "a")
	b.post("/account/password", "current", password, "password", "another violet kettle")
	b.get("/account")
	b.post("/logout")

	got := s.record()
	want := strings.ReplaceAll(`EMAIL sign-in.refused: refused
sign-in.refused: refused
EMAIL sign-in: ok
EMAIL instances.stop `+string(known)+`: ok
EMAIL instances.messages `+string(known)+`: ok
EMAIL instances.start `+string(known)+`: refused
EMAIL instances.rename `+string(known)+`: failed
EMAIL people.create: ok
EMAIL audit.export: ok
EMAIL instances.log.download `+string(known)+`: ok
EMAIL instances.backup `+string(known)+`: ok
EMAIL instances.create made_20260101120000: ok
EMAIL password.change: ok
EMAIL sign-out: ok
`, "EMAIL", email)
	if got != want {
		t.Errorf("recorded:\n%s\nwant:\n%s", got, want)
	}
	all, err := s.audit.Entries(t.Context(), audit.Query{Text: "secret"})
	if err != nil || len(all) > 0 {
		t.Errorf("the text of a message is in the log: %+v, %v", all, err)
	}
	if _, err := s.audit.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAuditPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.audit.Add(t.Context(), audit.Entry{Who: "<script>alert(1)</script>", Action: "instances.stop", Instance: "back_office", Result: audit.OK, Via: "panel"})
	page := b.get("/audit")
	page.has(t, "Signed in", "back_office", "&lt;script&gt;")
	page.lacks(t, "<script>alert", "/instances/back_office")
	s.numbers.set(connected(99))
	s.audit.Add(t.Context(), audit.Entry{Who: "ann", Action: "instances.start", Instance: string(known), Result: audit.OK, Via: "panel"})
	b.get("/audit").has(t, `<a href="/instances/`+string(known)+`" class="link">`+connected(99).Name+`</a>`)
	b.get("/audit?q=back_office").lacks(t, "Signed in")
	b.get("/audit?verify=yes").has(t, `data-testid="verified"`)
	got := b.get("/audit/export?format=csv&q=back")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(rows) != 2 || !strings.Contains(got.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v, %v, %v", rows, err, got.header)
	}
	if got := b.get("/audit/export?format=jsonl"); strings.Count(got.body, "\n") != 4 || got.header.Get("Content-Type") != "application/jsonl" {
		t.Errorf("%q", got.body)
	}
	for range 120 {
		s.audit.Add(t.Context(), audit.Entry{Action: "x", Result: audit.OK})
	}
	page = b.get("/audit")
	if n := strings.Count(page.body, `data-testid="entry"`); n != auditPage || !strings.Contains(page.body, `data-testid="older"`) {
		t.Errorf("%d entries on the page", n)
	}
	operator := s.accept(b.invite("grace@example.org", auth.Operator), "copper lantern meadow")
	if got := operator.get("/audit/export"); got.code != http.StatusForbidden {
		t.Errorf("an operator exports: %d", got.code)
	}
}

// newAudit is a log over the site's database.
func (s *site) newAudit(store audit.Store, o *Options) {
	s.audit = audit.New(store, []byte("key"), filepath.Join(s.t.TempDir(), "head"), slog.New(slog.DiscardHandler))
	o.Audit = s.audit
}

func TestWhatProgramsDoIsRecorded(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	before := len(o.record())
	ask := func(token, method, path string) {
		r := httptest.NewRequest(method, "http://panel.test"+path, strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Device-Id", string(known))
		o.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	owner, reader := o.tokens[auth.Owner], o.scoped[auth.Read]
	ask(owner, "GET", "/api/v1/instances")
	ask(owner, "POST", "/api/v1/instances/"+string(known)+"/api/send/message")
	ask(owner, "POST", "/gowa/send/message")
	ask(owner, "GET", "/gowa/user/info")
	ask(owner, "GET", "/gowa/app/logout")
	ask(owner, "GET", "/api/v1/instances/"+string(known)+"/api/app/reconnect")
	ask(owner, "POST", "/api/v1/instances/"+string(known)+"/stop")
	ask(reader, "POST", "/gowa/send/message")
	ask(reader, "POST", "/api/v1/instances/"+string(known)+"/stop")
	ask(reader, "POST", "/api/v1/instances/"+string(known)+"/api/send/message")
	ask(reader, "DELETE", "/api/v1/instances/"+string(known))
	ask(reader, "GET", "/api/v1/users")
	ask("swb_nonsense", "GET", "/api/v1/users")
	ask("swb_nonsense", "GET", "/api/v1/users")
	got := strings.ReplaceAll(o.record()[before:], "owner@example.org ", "")
	want := strings.ReplaceAll(`number.app.logout ID: ok
number.app.reconnect ID: ok
instances.stop ID: ok
gowa.send ID: refused
instances.stop ID: refused
instances.send.message ID: refused
instances.delete ID: refused
users: refused
token.refused: refused
`, "ID", string(known))
	if got != want {
		t.Errorf("recorded:\n%s\nwant:\n%s", got, want)
	}
}
