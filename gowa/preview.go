package gowa

import (
	"context"
	"io"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"switchboard/pictures"
	"switchboard/whatsapp"
)

// What a preview of a link may take.
const (
	previewTimeout = 8 * time.Second // for the page, and again for its picture
	maxPage        = 512 << 10
	maxPreview     = 5_000_000 // of the picture
	maxTitle       = 300
)

// preview fills in what a page says about itself. A page that does not answer, or says
// nothing, only leaves the link without a preview.
func (a *API) preview(ctx context.Context, at *url.URL, l *whatsapp.Link) {
	ctx, cancel := context.WithTimeout(ctx, 2*previewTimeout)
	defer cancel()
	res, err := a.get(ctx, at, previewTimeout)
	if err != nil {
		a.o.Log.Debug("no preview of a link", "error", err)
		return
	}
	defer res.Body.Close()
	about := metadata(io.LimitReader(res.Body, maxPage))
	l.Title = shorten(first(about["og:title"], about["twitter:title"], about["title"]), maxTitle)
	l.Description = shorten(first(about["og:description"], about["twitter:description"], about["description"]), maxTitle)
	if picture, err := res.Request.URL.Parse(first(about["og:image"], about["twitter:image"])); err == nil && picture.String() != res.Request.URL.String() {
		l.Thumbnail = a.previewPicture(ctx, picture.String())
	}
}

func (a *API) previewPicture(ctx context.Context, address string) []byte {
	file, err := a.fetch(ctx, address, maxPreview)
	if err != nil {
		return nil
	}
	defer file.Close()
	release, err := pictures.Take(ctx)
	if err != nil {
		return nil
	}
	defer release()
	p, err := pictures.Open(file)
	if err != nil {
		return nil
	}
	small, err := p.Thumbnail()
	if err != nil {
		return nil
	}
	return small
}

// metadata reads title and meta elements of a page by their names.
func metadata(page io.Reader) map[string]string {
	found := map[string]string{}
	keep := func(name, value string) {
		if name = strings.ToLower(strings.TrimSpace(name)); found[name] == "" {
			found[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	tokens := html.NewTokenizer(page)
	tokens.SetMaxBuf(maxPage)
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			t := tokens.Token()
			switch t.Data {
			case "body":
				return found
			case "title":
				if tokens.Next() == html.TextToken {
					keep("title", tokens.Token().Data)
				}
			case "meta":
				var name, value string
				for _, attr := range t.Attr {
					switch attr.Key {
					case "name", "property":
						name = attr.Val
					case "content":
						value = attr.Val
					}
				}
				keep(name, value)
			}
		}
	}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// shorten returns a text in at most so many characters.
func shorten(text string, most int) string {
	if r := []rune(strings.ToValidUTF8(text, "")); len(r) > most {
		return string(r[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "")
}
