package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchboard/auth"
	"switchboard/fault"
	"switchboard/instances"
)

func TestErrorsBecomeAnswers(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newSite(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	b.get(page)
	cause := errors.New("dial tcp 10.0.0.1: secret")
	tests := []struct {
		err    error
		want   int
		says   string
		logged bool
	}{
		{fault.New(fault.NotFound, "There is no such number."), 404, "There is no such number.", false},
		{fault.New(fault.Forbidden, "Not yours."), 403, "Not yours.", false},
		{fault.New(fault.Invalid, "That is wrong."), 422, "That is wrong.", false},
		{fault.New(fault.Conflict, "It is connected already."), 409, "It is connected already.", false},
		{fault.New(fault.Throttled, "Wait a minute."), 429, "Wait a minute.", false},
		{fault.New(fault.TooLarge, "Too much."), 413, "Too much.", false},
		{fault.Wrap(fault.Unavailable, "The database does not answer.", cause), 503, "The database does not answer.", true},
		{fault.Wrap(fault.Internal, "We broke it.", cause), 500, "We broke it.", true},
		{fmt.Errorf("start: %w", cause), 500, "Something went wrong on our side.", true},
		{fmt.Errorf("start: %w", context.DeadlineExceeded), 503, "took too long", true},
	}
	for _, tt := range tests {
		s.numbers.refuse = tt.err
		log.Reset()
		plain, fragment := b.post(page+"/start"), b.submit(page+"/start")
		if plain.code != tt.want || fragment.code != tt.want {
			t.Errorf("%v: %d and %d, want %d", tt.err, plain.code, fragment.code, tt.want)
		}
		plain.has(t, tt.says, `data-testid="problem"`, "To all numbers")
		fragment.has(t, tt.says, `data-testid="toast"`)
		if fragment.header.Get("HX-Retarget") != "#toasts" || fragment.header.Get("HX-Reswap") == "" {
			t.Errorf("%v: htmx puts it into %v", tt.err, fragment.header)
		}
		if !strings.Contains(strings.Join(fragment.header.Values("Vary"), ","), "HX-Request") {
			t.Errorf("%v: a cache would mix page and fragment", tt.err)
		}
		plain.lacks(t, "secret", "10.0.0.1")
		fragment.lacks(t, "secret", "10.0.0.1")
		if logged := strings.Contains(log.String(), "request failed"); logged != tt.logged {
			t.Errorf("%v: logged %v, want %v:\n%s", tt.err, logged, tt.logged, log.String())
		}
		if strings.Contains(log.String(), string(known)) && !strings.Contains(log.String(), "{id}") {
			t.Errorf("%v: the log names the path, not the route", tt.err)
		}
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newSite(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	b.get(page)
	s.numbers.after = func(string) { panic("secret") }
	got := b.post(page + "/start")
	if got.code != http.StatusInternalServerError {
		t.Errorf("%d, want 500", got.code)
	}
	got.has(t, "Something went wrong")
	got.lacks(t, "secret", "goroutine")
	if !strings.Contains(log.String(), "panic: secret") || !strings.Contains(log.String(), "respond_test.go") {
		t.Errorf("the log does not tell where: %s", log.String())
	}
	if b.get("/").code != http.StatusOK {
		t.Error("the panel is gone")
	}
}

func TestSessionEndsWhileWatching(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(s.owner))
	path := poller(t, b.get(page).body, "status-card")
	sessions, err := s.auth.Sessions(t.Context(), auth.User{ID: s.owner})
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	if err := s.auth.RevokeSession(t.Context(), auth.User{ID: s.owner}, sessions[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := b.poll(path); got.code != http.StatusUnauthorized || got.header.Get("HX-Redirect") != "/login" {
		t.Errorf("%d, %v", got.code, got.header)
	}
	back := "/login?next=%2Finstances%2F" + string(known)
	polled := httptest.NewRequest(http.MethodGet, "http://panel.test"+path, nil)
	polled.Header.Set("HX-Request", "true")
	polled.Header.Set("HX-Current-URL", "http://panel.test"+page)
	if got := b.do(polled); got.header.Get("HX-Redirect") != back {
		t.Errorf("from a page to %q", got.header.Get("HX-Redirect"))
	}
	b.get(back).has(t, "Your sign-in has ended")
	posted := form(page+"/start", auth.CSRFField, b.csrf)
	posted.Header.Set("Referer", "http://panel.test"+page)
	if got := b.do(posted); got.header.Get("Location") != back {
		t.Errorf("from a form: %d to %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	gone := form(page+"/start", auth.CSRFField, b.csrf) // the browser has dropped the cookie
	gone.Header.Set("Referer", "http://panel.test"+page)
	if got := s.browser().do(gone); got.header.Get("Location") != back {
		t.Errorf("without a cookie: %d to %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	got := b.get(page)
	if got.header.Get("Location") != back {
		t.Errorf("sent to %q", got.header.Get("Location"))
	}
	b.get(got.header.Get("Location"))
	if got := b.post("/login", "email", email, "password", password, "next", page); got.header.Get("Location") != page {
		t.Errorf("after signing in again: %q", got.header.Get("Location"))
	}
}

func TestOnlyOwnPlacesAfterSignIn(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"": "/", "/": "/", "/account": "/account", "/?q=a&show=b": "/?q=a&show=b",
		"//evil.test": "/", "https://evil.test/": "/", `/\evil.test`: "/", "/\tevil": "/", "evil": "/", "javascript:alert(1)": "/", "/%zz": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("local(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+49 170 1234567": "491701234567", "0049 (170) 123-4567": "491701234567", "491700000001": "491700000001",
		"+39 333 1234567": "393331234567", "+1.212.555.0100": "12125550100", " +5511987654321 ": "5511987654321",
		"+49\u00a0170\u00a01234567": "491701234567",
	} {
		if got, err := parsePhone("phone", text, ""); err != nil || got != want {
			t.Errorf("parsePhone(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "0170 1234567", "+", "++49170", "+49 1", "call 491701234567", "491701234567@s.whatsapp.net",
		"+999 123456", "+49 170 1234567 1234567", "１２３４５６７８９０１", "+1 555 1234", "; drop table"} {
		got, err := parsePhone("phone", text, "")
		if fault.FieldOf(err) != "phone" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("parsePhone(%q) = %q, %v, want a fault of the field", text, got, err)
		}
	}
	for text, ok := range map[string]bool{
		"120363000000000001@g.us": true, "491701234567@s.whatsapp.net": true, "123456789012345@lid": true, "491701111111-1500000000@g.us": true,
		"x@g.us": false, "491701234567@evil.test": false, "status@broadcast": false,
	} {
		if _, err := parseRecipient("to", text, ""); (err == nil) != ok {
			t.Errorf("parseRecipient(%q): %v", text, err)
		}
	}
}

func FuzzParsePhone(f *testing.F) {
	f.Add("+49 170 1234567")
	f.Fuzz(func(t *testing.T, text string) {
		digits, err := parsePhone("phone", text, "")
		if err != nil {
			if fault.FieldOf(err) != "phone" {
				t.Errorf("%v belongs to no field", err)
			}
			return
		}
		if checked, err := instances.CheckPhone(digits); err != nil || checked != digits {
			t.Errorf("%q became %q, which the core refuses: %v", text, digits, err)
		}
	})
}
