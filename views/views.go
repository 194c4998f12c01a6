// Package views is what the panel looks like: templ components and the small models that
// they are filled with.
//
// Components are pure. What every page shares (links below the sub-path, the token of
// forms, the person, the banner) travels as a Shell in the context, so that no component
// has to pass it on.
package views

import (
	"bytes"
	"context"
	"encoding/hex"
	"hash/fnv"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"switchboard/static"
)

// Shell is what all pages share.
type Shell struct {
	Base      string // sub-path, "" or "/sub"
	CSRFField string
	CSRF      string
	Person    string // name of who is signed in, "" for nobody
	MayChange bool   // whether buttons that change something are shown
	Manages   bool   // whether people are theirs to manage
	Simulated bool
	PhoneURL  string
	Version   string
	Now       time.Time
	Flash     *Flash
}

// Flash is a short message about what was just done.
type Flash struct {
	Bad  bool
	Text string
}

type shellKey struct{}

// With returns a context in which components find s.
func With(ctx context.Context, s Shell) context.Context {
	return context.WithValue(ctx, shellKey{}, s)
}

func shell(ctx context.Context) Shell {
	s, _ := ctx.Value(shellKey{}).(Shell)
	return s
}

// link returns a path of the panel as browsers have to ask for it.
func link(ctx context.Context, path string) templ.SafeURL {
	return templ.SafeURL(shell(ctx).Base + path)
}

func href(ctx context.Context, path string) string { return shell(ctx).Base + path }

func file(ctx context.Context, name string) string {
	return shell(ctx).Base + "/static/" + static.Path(name)
}

// Form is what a person typed and what was wrong with it, by field name. The field "" holds
// what is wrong with the form as a whole.
type Form struct {
	Values map[string]string
	Errors map[string]string
}

// or is the form with a value for one field, unless something was typed there.
func (f Form) or(field, value string) Form {
	if _, typed := f.Values[field]; typed {
		return f
	}
	values := map[string]string{field: value}
	maps.Copy(values, f.Values)
	return Form{Values: values, Errors: f.Errors}
}

// Live is a part of a page that the browser asks for again and again. Its version is a
// fingerprint of what is on show: while it stays the same nothing is sent and nothing is
// swapped, so that focus, selection and a half-typed field survive.
type Live struct {
	ID      string
	URL     string // with the sub-path
	Every   string // "300ms", "2s"; "" once there is nothing left to wait for
	Version string
	inner   string
}

// NewLive renders inner in ctx and returns it as a live part.
func NewLive(ctx context.Context, id, path, every string, inner templ.Component) (Live, error) {
	var b bytes.Buffer
	if err := inner.Render(ctx, &b); err != nil {
		return Live{}, err
	}
	sum := fnv.New64a()
	sum.Write([]byte(every))
	sum.Write(b.Bytes())
	return Live{
		ID: id, URL: shell(ctx).Base + path, Every: every,
		Version: hex.EncodeToString(sum.Sum(nil)), inner: b.String(),
	}, nil
}

func (l Live) poll() string {
	sep := "?"
	if strings.Contains(l.URL, "?") {
		sep = "&"
	}
	return l.URL + sep + "v=" + url.QueryEscape(l.Version)
}
