package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTypingWhileTheSessionEnds signs somebody out who is typing: the page stays as it is, and
// what was typed arrives after signing in in another tab.
func TestTypingWhileTheSessionEnds(t *testing.T) {
	t.Parallel()
	p := startPanel(t, startNetwork(t))
	b := newTab(t)
	p.signIn(b)
	b.create("Front desk")
	number := b.path()
	b.click("rename")
	b.fill("rename-form", "name", "Reception")

	p.command(ownerPassword, "user", "passwd", "--email", ownerEmail, "--password-stdin") // ends every session
	ended := `(gone => document.getElementById("ended").hidden === gone)`
	b.eval(patience, ended+"(false)", "the page says that the session has ended")
	if b.path() != number {
		t.Fatalf("led away to %s", b.path())
	}
	b.submit("rename-form", "submit")
	b.see("held-sign-in")

	ctx, cancel := chromedp.NewContext(b.ctx) // a tab of the same window
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	other := &tab{t: t, ctx: ctx}
	other.open(p.url + "/login")
	other.fill("login-form", "email", ownerEmail)
	other.fill("login-form", "password", ownerPassword)
	other.submit("login-form", "submit")
	other.see("new-number")

	b.click("held-send") // the token of that page is from before
	b.reads("held", "Send it now")
	b.click("held-send")
	b.reads("flash", "The name was changed")
	b.eval(patience, `document.querySelector("h1").innerText === "Reception"`, "the number has its new name")

	// Who has not sent it yet finds the page alive again.
	b.click("rename")
	b.fill("rename-form", "name", "Front desk")
	p.command(ownerPassword, "user", "passwd", "--email", ownerEmail, "--password-stdin")
	b.eval(patience, ended+"(false)", "the page says so again")
	other.open(p.url + "/login")
	other.fill("login-form", "email", ownerEmail)
	other.fill("login-form", "password", ownerPassword)
	other.submit("login-form", "submit")
	other.see("new-number")
	b.eval(patience, ended+"(true)", "the page is alive again")
	b.submit("rename-form", "submit")
	b.click("held-send")
	b.reads("flash", "The name was changed")
}
