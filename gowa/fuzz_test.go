package gowa

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// Whatever somebody writes for an address, it becomes one or is refused.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"491701234567", "+49 170 1234567", "120363012345678901", "1234-5678@g.us", "491701234567:7@s.whatsapp.net", "@", "\x00", "١٢٣٤٥٦٧٨٩"} {
		f.Add(seed, "DE")
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		jid, err := (&request{region: region}).jid(text)
		if err == nil && (!strings.Contains(jid, "@") || strings.Contains(text, "@") && jid != text) {
			t.Errorf("%q became %q", text, jid)
		}
	})
}

// Whatever a body is, reading it ends, and what it holds has a name.
func FuzzBody(f *testing.F) {
	f.Add("application/json", `{"phone":"49170","message":"hi","is_forwarded":"true","list":["a",1,null]}`)
	f.Add("application/x-www-form-urlencoded", "phone=49170&message=a%20b&x=%zz")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n49170\r\n--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"../../a.png\"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--x--\r\n")
	f.Add("", "\xff")
	f.Fuzz(func(t *testing.T, media, body string) {
		r := httptest.NewRequest(http.MethodPost, "http://worker/send/image", strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, chi.NewRouteContext()))
		in, err := read(httptest.NewRecorder(), r, map[string]int64{"image": 1 << 10})
		defer in.forget()
		if err != nil {
			return
		}
		_, _, _ = in.text("phone"), in.flag("is_forwarded", false), in.list("list")
		_ = in.err()
	})
}

// Whatever a page is, reading what it says about itself ends, and names are in lower case.
func FuzzMetadata(f *testing.F) {
	f.Add(`<!DOCTYPE html><html><head><TITLE>Tea &amp; cake</TITLE><meta property='og:title' content='A &#34;B&#34;'/><META NAME=description CONTENT=short></head><body><meta name=late content=x>`)
	f.Add(`<title></title><svg><title>drawn</title></svg><script>"<meta name=a content=b>"</script><!-- <meta name=c content=d> --><meta name="e" content="`)
	f.Add("<\x00meta \x00name=\x00><?php <![CDATA[")
	f.Fuzz(func(t *testing.T, page string) {
		for name, value := range metadata(strings.NewReader(page)) {
			if name != strings.ToLower(name) || value != strings.Join(strings.Fields(value), " ") {
				t.Errorf("%q is %q", name, value)
			}
		}
	})
}
