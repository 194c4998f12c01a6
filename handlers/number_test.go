package handlers

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/auth"
	"switchboard/instances"
)

var statuses = []instances.Status{
	instances.Provisioning, instances.Idle, instances.Starting, instances.PairingPhone, instances.PasskeyRequired,
	instances.Connected, instances.Reconnecting, instances.LoggedOut, instances.Restricted, instances.Outdated,
	instances.Replaced, instances.Backoff, instances.Failed, instances.Stopping, instances.Deleting,
}

var reasons = []instances.Reason{
	"", instances.QRExpired, instances.PairingRejected, instances.WorkerCrashed, instances.WorkerKilled, instances.CrashLoop,
	instances.WorkerSilent, instances.DatabaseRefused, instances.DatabaseDamaged, instances.DatabaseNewer,
	instances.LockedByAnother, instances.PortTaken, instances.StartRefused, instances.ProvisionFailed, instances.DeleteFailed,
	instances.NoNetwork, instances.NoProof, instances.ConnectionLost, instances.ServerBusy, instances.LoggedOutByPhone,
	instances.LoggedOutByUser, instances.TemporaryBan, instances.ReachOutLimit, instances.AccountBlocked, instances.ConnectFailure,
}

const page = "/instances/" + string(known)

func TestEveryStateNamesItsNextStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	for _, status := range statuses {
		for _, reason := range reasons {
			inst := connected(s.owner)
			inst.Status, inst.Reason = status, reason
			if status == instances.PairingPhone {
				inst.Pairing = &instances.Pairing{Code: "2@abc", ExpiresAt: time.Now().Add(time.Minute), Turn: 1, Turns: 6}
			}
			if status == instances.PasskeyRequired {
				inst.Pairing = &instances.Pairing{Passkey: &instances.Passkey{Request: []byte(`{"challenge":"AAAA","rpId":"whatsapp.com"}`)}}
			}
			s.numbers.set(inst)
			e := instances.Explain(status, reason)
			got := b.get(page)
			if got.code != http.StatusOK {
				t.Fatalf("%s %s: %d", status, reason, got.code)
			}
			if !strings.Contains(html.UnescapeString(got.body), e.Sentence) || !strings.Contains(got.body, `data-status="`+string(status)+`"`) {
				t.Errorf("%s %s: the page does not say %q", status, reason, e.Sentence)
			}
			want := e.Next[0].Label + "<"
			switch { // where the step is a card, not a button
			case status == instances.PairingPhone && e.Next[0].Do == instances.Open:
				want = `data-testid="qr"`
			case status == instances.PasskeyRequired:
				want = `data-testid="passkey-form"`
			}
			if !strings.Contains(got.body, want) {
				t.Errorf("%s %s: the next step %q is not on the page", status, reason, want)
			}
		}
	}
}

// poller follows the address at which a part of the page asks for itself.
func poller(t *testing.T, body, id string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, `<div id="`+id+`"`)
	if !found {
		t.Fatalf("no part %q in:\n%s", id, body)
	}
	tag, _, _ := strings.Cut(rest, ">")
	m := regexp.MustCompile(`hx-get="([^"]+)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	if !strings.Contains(tag, `hx-trigger="every `) {
		t.Fatalf("part %q asks, but not by itself: %s", id, tag)
	}
	return html.UnescapeString(m[1])
}

func TestPollingEndsTwiceOver(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	for _, status := range statuses {
		inst := connected(s.owner)
		inst.Status = instances.Starting
		if status == instances.Starting {
			inst.Status = instances.Backoff
		}
		s.numbers.set(inst)
		path := poller(t, b.get(page).body, "status-card")
		inst.Status = status
		s.numbers.set(inst)

		got := b.poll(path)
		wantCode := http.StatusOK
		if status.Settled() {
			wantCode = stopPolling
		}
		if got.code != wantCode {
			t.Errorf("%s: %d, want %d", status, got.code, wantCode)
		}
		got.has(t, `data-status="`+string(status)+`"`, `<title>`, `id="favicon"`, `id="announce"`, `id="controls"`)
		if status == instances.Connected || status == instances.PairingPhone {
			got.has(t, `id="stage"`)
		}
		again := poller(t, got.body, "status-card")
		switch {
		case status == instances.Connected:
			got.has(t, `hx-trigger="every 5s"`, `data-testid="toast"`)
		case status.Settled() && again != "":
			t.Errorf("%s: asks again although it is settled", status)
		case !status.Settled() && again == "":
			t.Errorf("%s: does not ask again although something is going on", status)
		}
		if again == "" {
			continue
		}
		if got := b.poll(again); got.code != http.StatusNoContent {
			t.Errorf("%s: nothing new is answered with %d, want 204", status, got.code)
		}
	}
}

func TestPollingIsQuickWhileItMatters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	for status, want := range map[instances.Status]string{
		instances.Provisioning: "300ms", instances.Starting: "300ms", instances.PairingPhone: "1s", instances.Connected: "5s",
	} {
		inst := connected(s.owner)
		inst.Status = status
		s.numbers.set(inst)
		got := b.get(page)
		got.has(t, `hx-trigger="every `+want+`"`)
		// Without scripts the page loads itself again, unless that would only disturb.
		head, _, _ := strings.Cut(got.body, "</head>")
		if again := strings.Contains(head, `<noscript><meta http-equiv="refresh"`); again != (status != instances.Connected) {
			t.Errorf("%s: loads itself again without scripts: %v", status, again)
		}
	}
}

func TestDeletedWhileWatched(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Status = instances.Deleting
	s.numbers.set(inst)
	path := poller(t, b.get(page).body, "status-card")
	s.numbers.all = nil
	if got := b.poll(path); got.header.Get("HX-Redirect") != "/" {
		t.Errorf("the page of a deleted number stays: %d %v", got.code, got.header)
	}
	b.get("/").has(t, "The number was deleted.")
}

func TestCodesFollowEachOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Simulated, o.PhoneURL = true, "http://127.0.0.1:3081/" })
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Status, inst.JID = instances.PairingPhone, ""
	code := func(text string, turn int) {
		inst.Pairing = &instances.Pairing{Code: text, ExpiresAt: time.Now().Add(20 * time.Second), Turn: turn, Turns: 6}
		s.numbers.set(inst)
	}
	code("2@first,a+b/c=", 1)
	first := b.get(page)
	first.has(t, `data-testid="qr" data-expires="`, "Code 1 of 6", `data-testid="countdown"`,
		`http://127.0.0.1:3081/#scan=2%40first%2Ca%2Bb%2Fc%3D`, `rel="noopener"`)
	path := poller(t, first.body, "pairing")
	if got := b.poll(path); got.code != http.StatusNoContent {
		t.Errorf("the same code: %d, want 204", got.code)
	}
	code("2@second", 2)
	second := b.poll(path)
	second.has(t, "Code 2 of 6")
	second.lacks(t, `name="phone"`) // what a person types is left alone

	inst.Pairing, inst.Reason = nil, instances.QRExpired
	s.numbers.set(inst)
	over := b.poll(poller(t, second.body, "pairing"))
	if over.code != stopPolling || poller(t, over.body, "pairing") != "" {
		t.Errorf("after the last code: %d", over.code)
	}
	status := b.poll(poller(t, first.body, "status-card"))
	status.has(t, "Every code has run out", "Show a new code<", `data-do="pair"`)
	if poller(t, status.body, "pairing") != "" {
		t.Error("the codes go on by themselves after the last one")
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"start", "stop", "restart", "reconnect", "pair", "logout"} {
		s := newSite(t)
		b := s.signedIn(auth.Owner)
		s.numbers.set(connected(s.owner))
		b.get(page)
		got := b.post(page + "/" + verb)
		if got.code != http.StatusSeeOther || got.header.Get("Location") != page {
			t.Errorf("%s: %d to %q", verb, got.code, got.header.Get("Location"))
		}
		got = b.submit(page + "/" + verb)
		if got.code != http.StatusOK {
			t.Errorf("%s by htmx: %d", verb, got.code)
		}
		got.has(t, `id="status-card"`, `id="stage"`, `id="controls"`, `hx-swap-oob="true"`)
		if calls := s.numbers.calls(); len(calls) != 2 || calls[0] != verb+" "+string(known) {
			t.Errorf("%s asked for %q", verb, calls)
		}
	}
}

// A command may show its effect only when the worker has reported it, so a settled page
// asks a few more times, and then no more.
func TestPatienceAfterCommand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Status = instances.LoggedOut
	s.numbers.set(inst)
	b.get(page)
	got := b.submit(page + "/pair")
	polls := 0
	for path := poller(t, got.body, "status-card"); path != ""; path = poller(t, got.body, "status-card") {
		if polls++; polls > 2*patience {
			t.Fatal("the page never stops asking")
		}
		got = b.poll(path)
	}
	if polls != patience {
		t.Errorf("asked %d times, want %d", polls, patience)
	}
	b.post(page + "/pair")
	if path := poller(t, b.get(page).body, "status-card"); path == "" {
		t.Error("without scripts in between, the page does not wait for the effect")
	}
	if path := poller(t, b.get(page).body, "status-card"); path != "" {
		t.Error("a page opened later waits for an old command")
	}
}

func TestTheExactSentenceIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Detail = "The database file keys_x is missing."
	s.numbers.set(inst)
	b.get(page).lacks(t, inst.Detail)
	inst.Status, inst.Reason = instances.Failed, instances.DatabaseRefused
	s.numbers.set(inst)
	b.get(page).has(t, inst.Detail)
}

func TestHostileNamesAreText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	inst := connected(s.owner)
	inst.Name, inst.PushName = `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`
	inst.LastLines = []string{"</pre><script>alert(2)</script>"}
	inst.Status = instances.Failed
	s.numbers.set(inst)
	s.messages.list = conversation(time.Now())
	for _, path := range []string{"/", page} {
		b.get(path).lacks(t, "<script>alert", "<img src=x")
	}
}

func TestUnreadableMessages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	s.messages.err = errBroken
	got := b.get(page)
	got.has(t, "cannot be read at the moment", `data-testid="send-form"`)
	got.lacks(t, "secret")
}

func TestMessagesArePolledWhileTheNumberRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	path := poller(t, b.get(page).body, "messages")
	if got := b.poll(path); got.code != http.StatusNoContent {
		t.Errorf("nothing new: %d, want 204", got.code)
	}
	s.messages.list = conversation(time.Now())
	got := b.poll(path)
	got.has(t, `data-direction="in"`, `data-direction="out"`, "Do you have a room", "Read</span>", "Not sent</span>")
	inst := connected(s.owner)
	inst.Status = instances.Idle
	s.numbers.set(inst)
	got = b.poll(path)
	if got.code != stopPolling || poller(t, got.body, "messages") != "" {
		t.Errorf("of a stopped number: %d", got.code)
	}
	got.has(t, "Do you have a room") // they stay readable
}

func TestFragmentsLeadToTheirPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	for path, want := range map[string]string{page + "/status": page, page + "/pairing": page, page + "/messages": page, "/rows": "/"} {
		if got := b.get(path); got.code != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("%s in the address bar: %d to %q, want %q", path, got.code, got.header.Get("Location"), want)
		}
	}
}

func readiness(broken *bool) func(context.Context) error {
	return func(context.Context) error {
		if *broken {
			return errBroken
		}
		return nil
	}
}

// A restart of the number's process may pass between two looks of the status card. Each part
// then has to find back by itself.
func TestAPartOutlivesAnInterruption(t *testing.T) {
	t.Parallel()
	pairing := func(i *instances.Instance) {
		i.Status, i.JID = instances.PairingPhone, ""
		i.Pairing = &instances.Pairing{Code: "2@code", ExpiresAt: time.Now().Add(time.Minute), Turn: 1, Turns: 6}
	}
	for part, c := range map[string]struct {
		as   func(*instances.Instance)
		sees string
	}{
		"pairing":  {pairing, `data-testid="qr"`},
		"messages": {func(*instances.Instance) {}, "Do you have a room"},
	} {
		s := newSite(t)
		b := s.signedIn(auth.Owner)
		before := connected(s.owner)
		c.as(&before)
		s.numbers.set(before)
		path := poller(t, b.get(page).body, part)
		for _, status := range []instances.Status{instances.Backoff, instances.Starting} {
			away := before
			away.Status, away.Pairing = status, nil
			s.numbers.set(away)
			got := b.poll(path)
			if got.code == http.StatusNoContent {
				continue
			}
			if path = poller(t, got.body, part); path == "" {
				t.Fatalf("%s: nobody asks again after %s", part, status)
			}
		}
		s.numbers.set(before)
		s.messages.list = conversation(time.Now())
		b.poll(path).has(t, c.sees)
	}
}
