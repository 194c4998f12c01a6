package e2e

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// One browser serves all tests, each in a window with cookies of its own.
var browser struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	err    error
}

func openBrowser() (context.Context, error) {
	browser.once.Do(func() {
		path, err := browserPath()
		if err != nil {
			browser.err = err
			return
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 900))
		if os.Getuid() == 0 {
			options = append(options, chromedp.NoSandbox) // Chromium refuses to be root inside its sandbox
		}
		allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stopBrowser := chromedp.NewContext(allocator)
		browser.ctx, browser.cancel = ctx, func() { stopBrowser(); stopAllocator() }
		browser.err = chromedp.Do(ctx)
	})
	return browser.ctx, browser.err
}

func closeBrowser() {
	if browser.cancel != nil {
		browser.cancel()
	}
}

func browserPath() (string, error) {
	for _, name := range []string{os.Getenv("CHROME"), "chromium", "chromium-headless-shell", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", errors.New("no browser: install chromium, or run make test, which does")
}

// tab is a window of the browser. Every method fails the test when what it waits for does
// not come.
type tab struct {
	t   testing.TB
	ctx context.Context
}

// newTab opens a window without cookies.
func newTab(t testing.TB) *tab {
	t.Helper()
	parent, err := openBrowser()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, ctx: ctx}
	complaints := b.watchConsole()
	t.Cleanup(func() {
		for _, text := range complaints() {
			t.Error("the page's console says: ", text)
		}
		if t.Failed() {
			b.keepPicture()
		}
	})
	return b
}

// watchConsole returns what tells which violations of the content security policy and which
// uncaught exceptions the pages of the tab have had so far.
func (b *tab) watchConsole() (complaints func() []string) {
	var mu sync.Mutex
	var texts []string
	messages := chromedp.Console(b.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			if m.IsException() || strings.Contains(m.Text, "Content Security Policy") {
				mu.Lock()
				texts = append(texts, m.Text)
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(texts)
	}
}

// id selects by data-testid.
func id(testID string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + testID + `"]`) }

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v, on the page:\n%s", what, err, b.page())
	}
}

// page is what a person reads on the page right now.
func (b *tab) page() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname + '\\n' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

func (b *tab) open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

func (b *tab) click(testID string) {
	b.t.Helper()
	b.press(id(testID))
}

// submit clicks a button inside a form.
func (b *tab) submit(form, button string) {
	b.t.Helper()
	b.press(chromedp.CSS(string(id(form)) + " " + string(id(button))))
}

// press clicks an element as soon as a person could: when it is in sight, keeps still, and
// nothing, a toast for example, lies over it.
func (b *tab) press(sel chromedp.CSS) {
	b.t.Helper()
	b.do("see "+string(sel), chromedp.WaitVisible(sel))
	b.eval(patience, `(() => {
		const e = document.querySelector(`+quote(string(sel))+`);
		if (!e) return false;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect();
		const at = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
		const still = e.dataset.wasAt === r.x + " " + r.y;
		e.dataset.wasAt = r.x + " " + r.y;
		return still && e.contains(at) && !e.disabled;
	})()`, string(sel)+" can be clicked")
	b.do("click "+string(sel), chromedp.Click(sel))
}

func (b *tab) fill(form, field, value string) {
	b.t.Helper()
	sel := chromedp.CSS(string(id(form)) + " " + string(id(field)))
	b.do("fill "+field, chromedp.Clear(sel), chromedp.SendKeys(sel, value))
}

// see waits until an element is visible.
func (b *tab) see(testID string) {
	b.t.Helper()
	b.do("see "+testID, chromedp.WaitVisible(id(testID)))
}

// text returns what an element says.
func (b *tab) text(testID string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(id(testID)))
	if err != nil {
		b.t.Fatalf("read %s: %v, on the page:\n%s", testID, err, b.page())
	}
	return strings.TrimSpace(text)
}

// href is where a link leads.
func (b *tab) href(testID string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	link, err := chromedp.Run(ctx, chromedp.JavascriptAttribute[string](id(testID), "href"))
	if err != nil {
		b.t.Fatalf("read the link %s: %v, on the page:\n%s", testID, err, b.page())
	}
	return link
}

// reads waits until an element, whatever it is replaced by meanwhile, contains want.
func (b *tab) reads(testID, want string) {
	b.t.Helper()
	b.readsWithin(patience, testID, want)
}

func (b *tab) readsWithin(d time.Duration, testID, want string) {
	b.t.Helper()
	b.eval(d, `[...document.querySelectorAll('[data-testid="`+testID+`"]')].some(e => e.innerText.includes(`+quote(want)+`))`,
		testID+" says "+want)
}

// status waits until the number on the page has that status.
func (b *tab) status(want string) {
	b.t.Helper()
	b.statusWithin(patience, want)
}

func (b *tab) statusWithin(d time.Duration, want string) {
	b.t.Helper()
	b.eval(d, `document.querySelector('[data-testid="status"][data-status="`+want+`"]') !== null`, "the status is "+want)
}

// eval waits until a JavaScript expression is true.
func (b *tab) eval(d time.Duration, expression, what string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, d)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond)))
		if err == nil {
			return
		}
		if ctx.Err() != nil { // any other error is a page that is just being replaced by the next
			b.t.Fatalf("wait until %s: %v, on the page:\n%s", what, err, b.page())
		}
	}
}

func quote(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }

// path is the path of the page.
func (b *tab) path() string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	path, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname"))
	if err != nil {
		b.t.Fatal(err)
	}
	return path
}

// scan waits until a QR code is on the screen and reads it from the pixels.
func (b *tab) scan() string {
	b.t.Helper()
	b.see("countdown")
	for deadline := time.Now().Add(patience); ; {
		picture := b.screenshot()
		code, err := decode(picture)
		if err == nil {
			return code
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("no QR code on the screen: %v, on the page:\n%s", err, b.page())
		}
	}
}

func (b *tab) screenshot() image.Image {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}

// keepPicture leaves a screenshot of a failed test in the folder that E2E_PICTURES names.
func (b *tab) keepPicture() {
	dir := os.Getenv("E2E_PICTURES")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if raw, err := chromedp.Run(ctx, chromedp.FullScreenshot(100)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(b.t.Name(), "/", "_")+".png"), raw, 0o600)
	}
}

func decode(picture image.Image) (string, error) {
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return "", err
	}
	return result.GetText(), nil
}
