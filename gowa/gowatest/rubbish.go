package gowatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
)

// needed are parameters without which no operation that has them does anything.
var needed = []string{"phone", "group_id", "newsletter_id", "chat_jid", "caller_jid", "type", "link", "participants", "id"}

// parameters lists what the specification names for an operation, those in the path left out.
func parameters(operation string) []string {
	op := Operations()[operation]
	if op == nil {
		return nil
	}
	all := slices.Clone(op.Fields)
	for _, p := range op.Parameters {
		if p.In == "query" {
			all = append(all, p.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Rubbish returns a malformed request for an operation, of the specification or another, and
// what is wrong with it. It has neither host nor credentials.
func Rubbish(ctx context.Context, random *rand.Rand, operation string) (*http.Request, string) {
	method, path, _ := strings.Cut(operation, " ")
	fields := parameters(operation)
	query, body, media := "", []byte(nil), "application/json"
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "491711234567@s.whatsapp.net"
		}
	}
	at := strings.Join(segments, "/")
	must := slices.IndexFunc(fields, func(f string) bool { return slices.Contains(needed, f) })
	kinds := []string{"a query that is not UTF-8", "a query with a broken escape"}
	if strings.Contains(path, "{") {
		kinds = append(kinds, "a path that is not UTF-8", "an endless path")
	}
	if must >= 0 && method == http.MethodGet {
		kinds = append(kinds, "garbage in the query")
	}
	if method != http.MethodGet {
		kinds = append(kinds, "broken JSON", "no object", "JSON that is not UTF-8", "a giant", "a broken form", "a form that is not UTF-8",
			"a broken multipart", "no boundary", "parts that are not UTF-8", "an unexpected file")
		if must >= 0 {
			kinds = append(kinds, "wrong types", "garbage", "giant fields", "garbage in parts")
		}
	}
	garbage := func() string {
		b := make([]byte, random.IntN(60))
		for i := range b {
			b[i] = byte(random.IntN(128))
		}
		return "!" + strings.ReplaceAll(string(b), "@", "") // no phone number, and no JID
	}
	what := kinds[random.IntN(len(kinds))]
	values := map[string]any{}
	for _, f := range fields {
		if random.IntN(3) > 0 {
			values[f] = garbage()
		}
	}
	switch what {
	case "a query that is not UTF-8":
		query = "x=" + fmt.Sprintf("%%%02x", 0x80+random.IntN(0x40))
	case "a query with a broken escape":
		query = "limit=%" + string(rune('g'+random.IntN(20)))
	case "a path that is not UTF-8":
		at = strings.Replace(at, "491711234567@", "%ff%fe", 1)
	case "an endless path":
		at = strings.Replace(at, "491711234567@", strings.Repeat("9", 300+random.IntN(3000)), 1)
	case "garbage in the query":
		all := url.Values{fields[must]: {garbage()}}
		for f, v := range values {
			all.Set(f, fmt.Sprint(v))
		}
		query = all.Encode()
	case "broken JSON":
		whole := []byte(`{"phone":"491711234567","message":"x","options":["a",{"b":[1,2,3]}]}`)
		body = whole[:1+random.IntN(len(whole)-1)]
	case "no object":
		body = []byte([]string{`[]`, `"x"`, `1`, `true`, `{} {}`, `[{"phone":"1"}]`, strings.Repeat("[", 20000)}[random.IntN(7)])
	case "JSON that is not UTF-8":
		body = []byte("{\"phone\":\"491711234567\",\"message\":\"\xff\xc3\x28\"}")
	case "a giant":
		body = []byte(`{"message":"` + strings.Repeat("x", 1<<20) + `"}`)
		if random.IntN(10) > 0 {
			body = []byte(`{`)
		}
	case "a broken form":
		media, body = "application/x-www-form-urlencoded", []byte("phone=%zz&message=%")
	case "a form that is not UTF-8":
		media, body = "application/x-www-form-urlencoded", []byte("phone=491711234567&message=%c3%28")
	case "a broken multipart", "parts that are not UTF-8", "an unexpected file", "garbage in parts":
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		media = form.FormDataContentType()
		for f, v := range values {
			_ = form.WriteField(f, fmt.Sprint(v))
		}
		switch what {
		case "garbage in parts":
			_ = form.WriteField(fields[must], garbage())
			form.Close()
		case "parts that are not UTF-8":
			_ = form.WriteField("x", "\xff\xfe")
			form.Close()
		case "an unexpected file":
			part, _ := form.CreateFormFile("nothing", "a.png")
			_, _ = part.Write([]byte("x"))
			form.Close()
		default:
			_ = form.WriteField("x", "y")
		}
		body = b.Bytes()
		if what == "a broken multipart" {
			body = body[:len(body)-1-random.IntN(len(body)/2)]
		}
	case "no boundary":
		media, body = "multipart/form-data", []byte("--x")
	case "wrong types", "garbage", "giant fields":
		wrong := []any{map[string]any{"a": 1}, []any{map[string]any{}}, []any{nil}, true, -1.5e300, nil}
		for f := range values {
			values[f] = wrong[random.IntN(len(wrong))]
		}
		values[fields[must]] = wrong[random.IntN(4)]
		if what == "garbage" {
			values[fields[must]] = garbage()
		} else if what == "giant fields" {
			values[fields[must]] = strings.Repeat("!", 100_000)
		}
		body, _ = json.Marshal(values)
	}
	r := httptest.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	r.URL.Path, _ = url.PathUnescape(at)
	r.URL.RawPath, r.URL.RawQuery = at, query
	if r.URL.Path == at {
		r.URL.RawPath = ""
	}
	r.Header.Set("Content-Type", media)
	return r, what
}
