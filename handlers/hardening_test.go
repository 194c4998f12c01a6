package handlers

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/instances"
	"switchboard/messages"
)

const markup = `<script>alert(1)</script>"><img src=x onerror=alert(2)>{{7*7}}`

// Names and texts that others chose are shown, and do nothing, on every page.
func TestMarkupStaysText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, err := s.auth.AddUser(t.Context(), auth.NewUser{Email: email, Name: markup, Role: auth.Owner, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.login()
	s.messages.list = []messages.Message{{Chat: "491701234567@s.whatsapp.net", ID: "1", SenderName: markup, Kind: messages.Text, Text: markup, At: time.Now()}}
	if _, err := s.auth.SaveGroup(t.Context(), owner, auth.Group{Name: markup, Numbers: []instances.ID{known}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.auth.AddToken(t.Context(), email, auth.NewToken{Name: markup}); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, status := range []instances.Status{instances.Connected, instances.Failed, instances.Idle} {
		inst := connected(owner.ID)
		inst.Name, inst.PushName, inst.Status, inst.Detail, inst.LastLines = markup, markup, status, markup, []string{markup}
		s.numbers.set(inst)
		for _, r := range everyRoute(t, s) {
			if r.method != http.MethodGet {
				continue
			}
			for _, got := range []answer{b.get(r.path), b.poll(r.path), b.get(r.path + "?q=" + "%3Cscript%3Ealert(1)%3C/script%3E")} {
				if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
					continue
				}
				got.lacks(t, "<script>alert", "<img src=x", "49{{", ">49<")
				if strings.Contains(got.body, "&lt;script&gt;alert") {
					shown++
				}
			}
		}
	}
	if shown < 10 {
		t.Errorf("the names are shown %d times: this test looks in the wrong place", shown)
	}
}

// What strangers send does not end a line of the log and begin another.
func TestNobodyWritesTheLog(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	s := newSite(t, func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s.person(auth.Owner)
	const forged = "x\r\n{\"level\":\"INFO\",\"msg\":\"signed in\"}\n\x1b[2J"
	b := s.browser()
	b.get("/login")
	b.post("/login", "email", forged+email, "password", forged)
	b.post("/login", "email", email, "password", forged)
	r := form("/login", "email", email, "password", password, auth.CSRFField, b.csrf)
	r.Header["User-Agent"] = []string{forged}
	r.Header["X-Forwarded-For"] = []string{forged}
	b.do(r)
	b.get("/account")
	s.numbers.set(connected(s.owner))
	s.numbers.refuse = errBroken
	b.post("/instances/"+string(known)+"/messages", "to", "+491701234567", "text", forged)
	b.post("/instances/"+string(known)+"/rename", "name", forged)
	for line := range strings.Lines(lines.String()) {
		var record struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Errorf("a line of the log is %q", line)
		}
		if record.Msg == "signed in" && !strings.Contains(line, `"address"`) {
			t.Errorf("a stranger wrote %q", line)
		}
	}
	if lines.Len() == 0 || strings.Contains(lines.String(), "\x1b") {
		t.Error("nothing was logged, or a terminal would obey it")
	}
}

// No form takes more than it needs.
func TestLargeForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	large := strings.Repeat("x", 1<<20)
	for _, r := range everyRoute(t, s) {
		if r.method == http.MethodGet || r.pattern == "/system/restore" { // a backup is large
			continue
		}
		if got := b.post(r.path, "name", large); got.code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", r, got.code)
		}
	}
}

func TestBehindTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Secure = true })
	b := s.browser()
	if got := b.get("/login"); !strings.HasPrefix(got.header.Get("Strict-Transport-Security"), "max-age=31536000") {
		t.Errorf("HSTS is %q", got.header.Get("Strict-Transport-Security"))
	}
	got := newSite(t).browser().get("/login")
	if got.header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without TLS")
	}
}
