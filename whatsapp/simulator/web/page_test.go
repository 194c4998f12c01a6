//go:build !race

package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"switchboard/whatsapp/simulator/phone"
	"switchboard/whatsapp/simulator/web"
)

// page is the phone's page in a browser. Set PICTURES to a folder to keep its screenshots.
type page struct {
	t   *testing.T
	ctx context.Context
}

func openPage(t *testing.T, width, height int64) *page {
	t.Helper()
	path := ""
	for _, name := range []string{os.Getenv("CHROME"), "chromium", "chromium-headless-shell", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if testing.Short() {
			t.Skip("no browser")
		}
		t.Fatal("no browser: install chromium, or run make test, which does")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to be root inside its sandbox
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stopAllocator)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	p := &page{t: t, ctx: ctx}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.picture("failed")
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
		p.t.Fatalf("%s: %v, on the page:\n%s", what, err, text)
	}
}

func css(testID string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + testID + `"]`) }

func (p *page) open(address string) {
	p.t.Helper()
	p.do("open "+address, chromedp.Navigate("about:blank"), chromedp.Navigate(address))
}

func (p *page) click(sel chromedp.CSS) {
	p.t.Helper()
	p.do("click "+string(sel), chromedp.WaitVisible(sel), chromedp.Click(sel))
}

func (p *page) write(sel chromedp.CSS, text string) {
	p.t.Helper()
	p.do("write into "+string(sel), chromedp.WaitVisible(sel), chromedp.SendKeys(sel, text))
}

// until waits for a JavaScript expression to become true.
func (p *page) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(time.Minute))); err != nil {
		p.picture("failed")
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
		p.t.Fatalf("wait for %s: %v, on the page:\n%s", expression, err, text)
	}
}

func (p *page) picture(name string) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if raw, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		_ = os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o600)
	}
}

// TestThePage walks through the page as somebody does who tries Switchboard for the first time.
func TestThePage(t *testing.T) {
	t.Parallel()
	c, base := serve(t)
	ctx := t.Context()
	p := openPage(t, 390, 844)

	// A first phone, with what the form proposes.
	p.open(base)
	p.click(css("add-phone"))
	p.until(`location.hash === '#/` + anna + `'`)
	p.picture("1-new-phone")
	if _, err := c.AddPhone(ctx, ben, "Ben Okafor"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetAnswer(ctx, ben, web.Answer{On: true, Prefix: "I read: "}); err != nil {
		t.Fatal(err)
	}

	// Switchboard's banner leads here with the code in the address.
	client, all := device(t, c)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	code := await[*events.QR](t, all).Codes[0]
	p.open(base + "/#scan=" + url.QueryEscape(code))
	p.do("see the button", chromedp.WaitVisible(css("link-this-device")))
	p.picture("2-scan")
	p.click(css("link-this-device"))
	await[*events.Connected](t, all)
	p.until(`document.querySelector('[data-testid^="device-"] .dot.on') !== null`)
	p.picture("3-linked")

	// A conversation; markup stays text.
	const text = `<img src=x onerror="document.title='broken in'"> & hello`
	p.open(base + "/#/" + anna)
	p.click(css("new-message"))
	p.write(css("to"), "+"+ben+"\n")
	p.write(css("compose"), text+"\n")
	p.until(`document.querySelectorAll('.bubble.theirs').length === 1`)
	p.until(`document.querySelector('.bubble.mine .ticks.delivered, .bubble.mine .ticks.read') !== null`)
	for _, side := range []string{"mine", "theirs"} {
		p.until(fmt.Sprintf(`document.querySelector('.bubble.%s .text').textContent.includes(%q)`, side, text))
	}
	p.until(`document.title.startsWith('Ben Okafor')`)
	p.picture("4-chat")
	if e, err := c.WaitFor(ctx, ben, 0, time.Minute, func(e phone.Entry) bool { return e.Text == text }); err != nil || e.From != anna {
		t.Errorf("Ben has %+v, %v", e, err)
	}
	if _, err := c.Send(ctx, ben, anna, "live"); err != nil { // with the page open
		t.Fatal(err)
	}
	p.until(`[...document.querySelectorAll('.bubble.theirs .text')].some(e => e.textContent === 'live')`)
	if _, err := c.WaitFor(ctx, ben, 0, time.Minute, func(e phone.Entry) bool { return e.Text == "live" && e.Status == phone.Read }); err != nil {
		t.Errorf("reading the page is no reading: %v", err)
	}

	// A code that is none is a sentence on the page.
	p.open(base + "/#/" + anna + "/link")
	p.write(css("code"), "12345678")
	p.click(css("enter-code"))
	p.until(`document.getElementById('toast').textContent.includes('No device is waiting')`)
	p.picture("5-wrong-code")

	p.open(base + "/#/" + anna + "/settings")
	p.click(chromedp.CSS("#answer"))
	p.until(`document.querySelector('#answer').checked && !document.querySelector('#answer').disabled`)
	if got, err := c.Phone(ctx, anna); err != nil || !got.Answer.On || !strings.HasPrefix(got.Answer.Prefix, "You wrote") {
		t.Errorf("the phone answers with %+v, %v", got.Answer, err)
	}
	p.picture("6-settings")

	p.open(base + "/#/" + anna + "/devices")
	p.click(css("unlink"))
	p.click(css("unlink-really"))
	await[*events.LoggedOut](t, all)
	p.until(`document.querySelector('[data-testid^="device-"]') === null`)
}

// TestThePageAnswersAPasskey links a device of an account that has a passkey, all by hand.
func TestThePageAnswersAPasskey(t *testing.T) {
	t.Parallel()
	c, base := serve(t)
	ctx := t.Context()
	if _, err := c.AddPhone(ctx, anna, "Anna Becker"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetPasskey(ctx, anna, true); err != nil {
		t.Fatal(err)
	}
	client, all := device(t, c)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	code := await[*events.QR](t, all).Codes[0]
	p := openPage(t, 390, 844)
	p.open(base + "/#scan=" + url.QueryEscape(code))
	p.click(css("link-this-device"))
	request, err := json.Marshal(await[*events.PairPasskeyRequest](t, all).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	p.write(css("passkey-request"), "async function f() {}; f("+string(request)+").then(() => {});")
	p.click(css("passkey-get"))
	p.until(`document.querySelector('[data-testid="passkey-answer"]').value !== ''`)
	p.picture("7-passkey")
	answer, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector('[data-testid="passkey-answer"]').value`))
	if err != nil {
		t.Fatal(err)
	}
	var response types.WebAuthnResponse
	if err := json.Unmarshal([]byte(answer), &response); err != nil {
		t.Fatal(err)
	}
	if err := client.SendPasskeyResponse(ctx, &response); err != nil {
		t.Fatal(err)
	}
	shown := await[*events.PairPasskeyConfirmation](t, all).Code
	p.until(`document.querySelector('#waiting .code').textContent === '` + shown + `'`)
	p.picture("8-confirmation")
	if err := client.SendPasskeyConfirmation(ctx); err != nil {
		t.Fatal(err)
	}
	await[*events.Connected](t, all)
	p.until(`document.querySelector('[data-testid^="device-"] .dot.on') !== null`)
}
