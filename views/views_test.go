package views

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"switchboard/instances"
	"switchboard/messages"
)

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for d, want := range map[time.Duration]string{
		-5 * time.Second: "moments ago", 0: "moments ago", 44 * time.Second: "moments ago", 60 * time.Second: "a minute ago",
		2 * time.Minute: "2 minutes ago", 59 * time.Minute: "59 minutes ago", time.Hour: "1 hour ago", 49 * time.Hour: "2 days ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := ago(time.Time{}, now); got != "never" {
		t.Errorf("never: %q", got)
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{
		"": "", "491701234567": "+49 170 1234567", "12125550100": "+1 212-555-0100", "99912345": "+99912345",
	} {
		if got := Phone(digits); got != want {
			t.Errorf("Phone(%q) = %q, want %q", digits, got, want)
		}
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	for jid, want := range map[string]string{
		"491701234567:3@s.whatsapp.net": "+49 170 1234567", "1203@g.us": "Group 1203", "77@lid": "77@lid", "": "",
	} {
		if got := who(jid); got != want {
			t.Errorf("who(%q) = %q, want %q", jid, got, want)
		}
	}
}

func TestBrowserWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"": "An unknown browser",
		"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0":                                                        "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/604.1":     "Safari on an iPhone",
		"Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36":                  "Chrome on Android",
	} {
		if got := browser(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	of := func(statuses ...instances.Status) string {
		var n Numbers
		for _, s := range statuses {
			n.All = append(n.All, instances.Instance{Status: s})
		}
		return n.Summary()
	}
	for got, want := range map[string]string{
		of():                    "",
		of(instances.Connected): "Your number is connected.",
		of(instances.Connected, instances.Connected):                      "All 2 numbers are connected.",
		of(instances.Connected, instances.Failed):                         "1 of 2 connected, 1 needs you.",
		of(instances.Connected, instances.Failed, instances.PairingPhone): "1 of 3 connected, 2 need you.",
		of(instances.Idle):         "Your number is stopped.",
		of(instances.PairingPhone): "Your number is waiting for you.",
		of(instances.Starting):     "Your number is on its way.",
		of(instances.Starting, instances.Idle, instances.Reconnecting, instances.Failed): "None of 4 numbers connected, 1 needs you, 1 stopped.",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestIntroduced(t *testing.T) {
	t.Parallel()
	list := []messages.Message{ // the newest first
		{Chat: "g@g.us", Sender: "b"}, {Chat: "g@g.us", Sender: "a"}, {Chat: "g@g.us", Sender: "a"}, {Chat: "g@g.us", FromMe: true},
		{Chat: "x@s.whatsapp.net", FromMe: true}, {Chat: "x@s.whatsapp.net", Sender: "x@s.whatsapp.net"},
	}
	for i, want := range []bool{true, false, true, true, false, true} {
		if got := introduced(list, i); got != want {
			t.Errorf("bubble %d: %v, want %v", i, got, want)
		}
	}
}

func TestOther(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]messages.Message{
		"Ann · +49 170 1234567": {Chat: "491701234567@s.whatsapp.net", Name: "Ann", ChatName: "Ann"},
		"To +49 170 1234567":    {Chat: "491701234567@s.whatsapp.net", FromMe: true, ChatName: "Ann"},
		"Ann · Choir":           {Chat: "12036302@g.us", Name: "Ann", ChatName: "Choir"},
		"To Choir":              {Chat: "12036302@g.us", FromMe: true, ChatName: "Choir"},
		"To Group 12036302":     {Chat: "12036302@g.us", FromMe: true},
	} {
		if got := other(m); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPasskeyOptions(t *testing.T) {
	t.Parallel()
	text, rp := passkeyOptions([]byte(`{"challenge":"AQID","timeout":60000,"rpId":"whatsapp.com","userVerification":"","allowCredentials":[{"id":"BA","type":"public-key","transports":null}],"extensions":null,"x":"</script>"}`))
	if rp != "whatsapp.com" {
		t.Errorf("rp %q", rp)
	}
	if strings.Contains(text, "null") || strings.Contains(text, "userVerification") || strings.Contains(text, "</") {
		t.Errorf("a browser refuses %s", text)
	}
	var options struct {
		Challenge        string
		Timeout          int
		AllowCredentials []map[string]string
	}
	if err := json.Unmarshal([]byte(text), &options); err != nil || options.Challenge != "AQID" || options.Timeout != 60000 || options.AllowCredentials[0]["id"] != "BA" {
		t.Errorf("%+v, %v", options, err)
	}
	for _, broken := range []string{"", "null", "[]", "{"} {
		if text, _ := passkeyOptions([]byte(broken)); !json.Valid([]byte(text)) {
			t.Errorf("%q became %q", broken, text)
		}
	}
}

func TestLiveChangesWithWhatIsShown(t *testing.T) {
	t.Parallel()
	live := func(text, every string) Live {
		inner := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
		l, err := NewLive(With(t.Context(), Shell{Base: "/sub"}), "x", "/y?z=1", every, inner)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first, second := live("a", "1s"), live("a", "1s")
	if first.Version != second.Version {
		t.Error("the same looks different")
	}
	if live("a", "1s").Version == live("b", "1s").Version || live("a", "1s").Version == live("a", "").Version {
		t.Error("different looks the same")
	}
	if got := live("a", "1s").poll(); !strings.HasPrefix(got, "/sub/y?z=1&v=") {
		t.Errorf("asks at %q", got)
	}
}

// What a number's page offers has to fit what the number is.
func TestControlsFitTheState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status                       instances.Status
		start, stop, restart, logout bool
	}{
		{instances.Provisioning, false, false, false, false},
		{instances.Idle, true, false, false, false},
		{instances.Connected, false, true, true, true},
		{instances.LoggedOut, false, true, true, false},
		{instances.Failed, true, true, false, false},
		{instances.Backoff, false, true, true, false},
		{instances.Replaced, false, true, true, true},
		{instances.Stopping, false, false, false, false},
		{instances.Deleting, false, false, false, false},
	} {
		i := instances.Instance{Status: tt.status, JID: "x@s.whatsapp.net", PID: 1}
		if canStart(i) != tt.start || canStop(i) != tt.stop || canRestart(i) != tt.restart || canLogout(i) != tt.logout {
			t.Errorf("%s: start %v, stop %v, restart %v, log out %v", tt.status, canStart(i), canStop(i), canRestart(i), canLogout(i))
		}
	}
}

func TestEveryKindHasAWord(t *testing.T) {
	t.Parallel()
	for _, k := range []messages.Kind{messages.Image, messages.Video, messages.Audio, messages.Document, messages.Sticker, messages.Location,
		messages.Contact, messages.Poll, messages.Vote, messages.Called, messages.Reaction, messages.Revoked, messages.Undecryptable, messages.Other} {
		if word := kindWord(k); word == "" || word[0] < 'A' || word[0] > 'Z' {
			t.Errorf("%s is called %q", k, word)
		}
	}
	for _, d := range []messages.Delivery{messages.Queued, messages.SentOut, messages.Delivered, messages.Read, messages.NotSent} {
		if tickWord(d) == "" {
			t.Errorf("%s has no words", d)
		}
	}
}
