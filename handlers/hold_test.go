package handlers

import (
	"net/http"
	"slices"
	"testing"

	"switchboard/auth"
)

// What somebody typed outlives the session in which it was typed: a page keeps it, and sends it
// after the next sign-in.
func TestWhatWasTypedIsKept(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"ended", "cookie gone", "htmx"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.signedIn(auth.Owner)
			s.numbers.set(connected(s.owner))
			send := func() answer {
				r := form(page+"/messages", "to", "+49 170 1234567", "text", "typed for <an hour>", auth.CSRFField, b.csrf)
				r.Header.Set("Referer", "http://panel.test"+page)
				if how == "htmx" {
					r.Header.Set("HX-Request", "true")
					r.Header.Set("HX-Current-URL", "http://panel.test"+page)
				}
				return b.do(r)
			}
			kept := []string{`action="` + page + `/messages"`, `name="to" value="+49 170 1234567"`, `name="text" value="typed for &lt;an hour&gt;"`}

			b.get(page)
			if how == "cookie gone" {
				b.jar = s.browser().jar
			} else if err := s.auth.RevokeOtherSessions(t.Context(), auth.User{ID: s.owner}, ""); err != nil {
				t.Fatal(err)
			}
			got := send()
			got.has(t, append(kept, "Your sign-in has ended", `target="_blank"`)...)
			if got.code != http.StatusUnauthorized || got.header.Get("Location")+got.header.Get("HX-Redirect") != "" {
				t.Errorf("after the session: %d, %v", got.code, got.header)
			}
			before := b.csrf
			b.login()
			after := b.csrf
			b.csrf = before
			got = send()
			got.has(t, append(kept, "Send it now")...)
			if got.code != http.StatusForbidden || len(s.numbers.calls()) > 0 {
				t.Errorf("with an old page: %d, sent %q", got.code, s.numbers.calls())
			}
			if want := map[bool]string{true: "body"}[how == "htmx"]; got.header.Get("HX-Retarget") != want {
				t.Errorf("a part of a page gets %v", got.header)
			}
			b.csrf = after
			if send(); !slices.Equal(s.numbers.calls(), []string{"send " + string(known) + " 491701234567 typed for <an hour>"}) {
				t.Errorf("sent at last: %q", s.numbers.calls())
			}
		})
	}
}
