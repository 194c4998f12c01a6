package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// reader is a browser without JavaScript: it follows links, fills in forms and keeps
// cookies.
type reader struct {
	t      testing.TB
	client *http.Client
	at     *url.URL
	status int
	header http.Header
	root   *html.Node
}

func newReader(t testing.TB) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t: t, client: &http.Client{Jar: jar, Timeout: patience}}
}

func (r *reader) open(address string) {
	r.t.Helper()
	r.follow(http.MethodGet, address, nil)
}

func (r *reader) follow(method, address string, form url.Values) {
	r.t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.at != nil {
		target = r.at.ResolveReference(target)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.answer(req)
}

// answer sends a request and reads the page that comes.
func (r *reader) answer(req *http.Request) {
	r.t.Helper()
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	r.at, r.status, r.header = resp.Request.URL, resp.StatusCode, resp.Header
	if r.root, err = html.Parse(resp.Body); err != nil {
		r.t.Fatal(err)
	}
}

// submit fills in the form with that data-testid and sends it. Fields that the form has
// filled in already stay as they are.
func (r *reader) submit(testID string, fields map[string]string) {
	r.t.Helper()
	form := r.find(testID)
	if form == nil {
		r.t.Fatalf("no form %s on %s:\n%s", testID, r.at.Path, r.text(r.root))
	}
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Type == html.ElementNode && n.Data == "input" && attribute(n, "name") != "" && attribute(n, "type") != "checkbox" {
			values.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}
	for name, value := range fields {
		values.Set(name, value)
	}
	method := strings.ToUpper(attribute(form, "method"))
	if method != http.MethodPost {
		r.t.Fatalf("form %s has method %q", testID, method)
	}
	r.follow(method, attribute(form, "action"), values)
}

// find returns the first element with that data-testid, nil if there is none.
func (r *reader) find(testID string) *html.Node {
	for n := range r.root.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "data-testid") == testID {
			return n
		}
	}
	return nil
}

// reads reports what the element with that data-testid says, "" if it is not there.
func (r *reader) reads(testID string) string {
	if n := r.find(testID); n != nil {
		return r.text(n)
	}
	return ""
}

// until loads the page again, as a person without JavaScript would, until done.
func (r *reader) until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("never %s, the page says:\n%s", what, r.text(r.root))
		}
		select {
		case <-time.After(50 * time.Millisecond): // between two looks at a page that only a person would reload
		case <-r.t.Context().Done():
			return
		}
		r.open(r.at.String())
	}
}

func (r *reader) text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && (d.Parent == nil || d.Parent.Data != "script" && d.Parent.Data != "style") {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
