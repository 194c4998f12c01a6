package gowa

import (
	"context"
	"html"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/tdewolff/parse/v2"
	lexer "github.com/tdewolff/parse/v2/html"

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

// metadata reads title and meta elements of a page by their names, as far as the page has come.
func metadata(page io.Reader) map[string]string {
	found := map[string]string{}
	keep := func(name, value string) {
		if name = strings.ToLower(strings.TrimSpace(name)); found[name] == "" {
			found[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	head, _ := io.ReadAll(page)
	tokens := lexer.NewLexer(parse.NewInputBytes(head))
	element, name, value := "", "", ""
	for {
		kind, _ := tokens.Next()
		switch kind {
		case lexer.ErrorToken:
			return found
		case lexer.StartTagToken:
			element, name, value = string(tokens.Text()), "", ""
			if element == "body" {
				return found
			}
		case lexer.AttributeToken:
			switch string(tokens.AttrKey()) {
			case "name", "property":
				name = attribute(tokens)
			case "content":
				value = attribute(tokens)
			}
		case lexer.StartTagCloseToken, lexer.StartTagVoidToken:
			if element == "meta" {
				keep(name, value)
			}
		case lexer.TextToken:
			if element == "title" {
				keep("title", html.UnescapeString(string(tokens.Text())))
			}
		case lexer.EndTagToken:
			element = ""
		}
	}
}

// attribute is the value of the attribute that the lexer has just read.
func attribute(tokens *lexer.Lexer) string {
	value := string(tokens.AttrVal())
	if len(value) > 0 && (value[0] == '"' || value[0] == '\'') {
		value = strings.TrimSuffix(value[1:], value[:1])
	}
	return html.UnescapeString(value)
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
