package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"switchboard/auth"
)

// Every page can be heard as well as seen: one main heading and none left out below it, a name for everything that can
// be pressed or filled in, and no reference to a text that is not there.
func TestPagesCanBeHeard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.all = append(everyState(time.Now()), oddNames(time.Now())...)
	s.messages.list = conversation(time.Now())
	number := "/instances/" + string(s.numbers.all[0].ID)
	pages := []string{
		"/", "/instances/new", "/people", "/people/new", "/people/" + strconv.FormatInt(s.owner, 10), "/groups/new", "/system", "/audit", "/account", "/account/security",
		"/webhooks", "/nothing", number + "/settings", number + "/access", number + "/webhooks", number + "/webhooks?kind=amqp", number + "/webhooks?kind=nats",
		number + "/deliveries", number + "/api", number + "/queue", number + "/proxy", number + "/bucket", number + "/search?q=room", number + "/log",
	}
	for _, inst := range s.numbers.all {
		pages = append(pages, "/instances/"+string(inst.ID))
	}
	for _, page := range pages {
		hear(t, page, b.get(page))
	}
	stranger := s.browser()
	for _, page := range []string{"/login?account=yes", "/setup", "/sign-in/nothing", "/welcome/nothing"} {
		hear(t, page, stranger.get(page))
	}
	hear(t, "a refused form", b.post("/people", "email", "nothing"))
}

func hear(t *testing.T, page string, got answer) {
	t.Helper()
	if got.code >= http.StatusInternalServerError || got.code/100 == 3 {
		t.Errorf("%s: %d", page, got.code)
		return
	}
	root, err := html.Parse(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	ids, labelled, level, mains := map[string]int{}, map[string]bool{}, 0, 0
	for n := range root.Descendants() {
		if id := attribute(n, "id"); id != "" {
			ids[id]++
		}
		if n.Data == "label" {
			labelled[attribute(n, "for")] = true
		}
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for id := range strings.FieldsSeq(attribute(n, "aria-describedby") + " " + attribute(n, "aria-labelledby")) {
			if ids[id] != 1 {
				t.Errorf("%s: <%s> leads to %q, which is there %d times", page, n.Data, id, ids[id])
			}
		}
		switch n.Data {
		case "h1", "h2", "h3", "h4":
			at := int(n.Data[1] - '0')
			if at == 1 {
				mains++
			}
			if at > level+1 {
				t.Errorf("%s: <%s> %q comes after a heading of level %d", page, n.Data, textOf(n), level)
			}
			level = at
		case "input", "select", "textarea":
			within := false
			for p := range n.Ancestors() {
				within = within || p.Data == "label"
			}
			if attribute(n, "type") != "hidden" && !has(n, "hidden") && !within && !labelled[attribute(n, "id")] && attribute(n, "aria-label") == "" {
				t.Errorf("%s: the field %q has no label", page, attribute(n, "name"))
			}
		case "a", "button", "summary":
			if strings.TrimSpace(textOf(n)) == "" && attribute(n, "aria-label") == "" {
				t.Errorf("%s: a <%s> has no name", page, n.Data)
			}
		case "th":
			if attribute(n, "scope") == "" {
				t.Errorf("%s: the column %q does not say that it is one", page, textOf(n))
			}
		}
	}
	if mains != 1 {
		t.Errorf("%s has %d main headings", page, mains)
	}
	for id, times := range ids {
		if times > 1 {
			t.Errorf("%s has the id %q %d times", page, id, times)
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// Whoever may only look is not told to connect a number.
func TestNoNumbersForAViewer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := s.signedIn(auth.Viewer).get("/")
	page.has(t, "No numbers yet", "an administrator gives you")
	page.lacks(t, "Connect your first number", `data-testid="new-number"`)
}

// A form that comes back begins where it was refused, however far down the page that is.
func TestRefusedFormsBeginWhereTheyWereRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(auth.Owner)
	s.numbers.set(connected(99))
	for path, field := range map[string]string{
		"/instances/" + string(known) + "/delete": "confirm-name",
		"/instances/" + string(known) + "/rename": "rename-name",
		"/account/password":                       "current",
	} {
		root, err := html.Parse(strings.NewReader(b.post(path, "name", "", "confirm", "nothing", "current", "wrong", "password", "another violet kettle").body))
		if err != nil {
			t.Fatal(err)
		}
		var first string
		for n := range root.Descendants() {
			if has(n, "autofocus") && first == "" {
				first = attribute(n, "id")
			}
		}
		if first != field {
			t.Errorf("%s begins at %q", path, first)
		}
	}
}
