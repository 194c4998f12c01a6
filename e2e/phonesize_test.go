package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// sticksOut are the parts of the page that are wider than a phone: code that scrolls by itself, and what is
// hidden, or is for the ear only may be.
const sticksOut = `(() => {
	for (const d of document.querySelectorAll("details")) d.open = true;
	document.querySelector("main").append(Object.assign(document.createElement("p"), {textContent: "x".repeat(200)})); // such as an address in a notice
	const width = document.documentElement.clientWidth;
	const found = [...document.querySelectorAll("body *")].filter(e =>
		!e.closest(".sr-only, [hidden], .truncate, thead, pre, nav") && e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().right > width + 1);
	return (document.documentElement.scrollWidth > width ? "the page, by " : "") + found.slice(-3).map(e => e.outerHTML.slice(0, 120)).join(" and ");
})()`

// TestPagesFitAPhone opens every page at the width of a phone, with names that are hard to fit.
func TestPagesFitAPhone(t *testing.T) {
	t.Parallel()
	p := startPanel(t, startNetwork(t))
	b := newTab(t)
	b.do("be a phone", chromedp.EmulateViewport(390, 844))
	p.signIn(b)
	id := b.create("👩‍🚀 خدمة العملاء " + strings.Repeat("Donaudampfschiff", 3))
	b.status("pairing")
	api := p.withToken()
	api.call(http.MethodPatch, "/instances/"+id+"/settings", map[string]any{"proxy": "socks5://" + strings.Repeat("user", 15) + "@proxy.example.com:1080"}, http.StatusOK, nil)
	api.call(http.MethodPost, "/instances/"+id+"/webhooks", map[string]any{"url": "http://127.0.0.1/" + strings.Repeat("hook", 30)}, http.StatusCreated, nil)
	api.call(http.MethodPost, "/instances/"+id+"/restart", nil, http.StatusOK, nil)
	p.until(func() (sent bool) {
		var all []any
		api.call(http.MethodGet, "/instances/"+id+"/deliveries", nil, http.StatusOK, &all)
		return len(all) > 0
	})

	number := "/instances/" + id
	for _, page := range []string{
		"/", "/instances/new", "/people", "/people/new", "/groups/new", "/system", "/audit", "/account", "/account/security", "/webhooks", "/nothing",
		number, number + "/settings", number + "/access", number + "/webhooks?kind=amqp", number + "/webhooks?kind=nats", number + "/deliveries",
		number + "/api", number + "/queue", number + "/proxy", number + "/bucket", number + "/search?q=" + url.QueryEscape(strings.Repeat("word", 30)), number + "/log",
	} {
		b.open(p.url + page)
		out, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](sticksOut))
		if err != nil {
			t.Fatal(err)
		}
		if out != "" {
			t.Errorf("%s: %s sticks out", page, out)
		}
	}

	// A table may scroll, but its cells are not to be squeezed by one that is long.
	if out, err := commandIn(p.dir, p.vars, "", "token", "revoke", "--id", "none"); err == nil {
		t.Fatalf("there is such a token: %s", out)
	}
	for _, width := range []int64{390, 1280} {
		b.do("be as wide", chromedp.EmulateViewport(width, 844))
		b.open(p.url + "/audit")
		narrowest, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](`Math.min(...[...document.querySelectorAll("td")].filter(e => e.innerText).map(e => e.getBoundingClientRect().width))`))
		if err != nil {
			t.Fatal(err)
		}
		if narrowest < 100 {
			t.Errorf("at %d, a cell of the audit log is %v wide", width, narrowest)
		}
	}
}
