package web

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rsc.io/qr"

	"switchboard/fault"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	ok := guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for name, c := range map[string]struct {
		method, path, host, remote string
		header                     map[string]string
		want                       int
	}{
		"curl":                     {"POST", "/api/phones", "127.0.0.1:3100", "127.0.0.1:5", nil, 200},
		"curl, IPv6":               {"POST", "/api/phones", "[::1]:3100", "[::1]:5", nil, 200},
		"own page":                 {"POST", "/api/phones", "localhost:3100", "127.0.0.1:5", map[string]string{"Origin": "http://localhost:3100", "Sec-Fetch-Site": "same-origin"}, 200},
		"typed address":            {"GET", "/", "localhost:3100", "127.0.0.1:5", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"link from the panel":      {"GET", "/", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 200},
		"another machine":          {"GET", "/api/phones", "127.0.0.1:3100", "192.0.2.7:5", nil, 403},
		"foreign host name":        {"GET", "/api/phones", "evil.example:3100", "127.0.0.1:5", nil, 403},
		"foreign page":             {"POST", "/api/phones", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Origin": "https://evil.example"}, 403},
		"page at another port":     {"POST", "/api/phones", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"}, 403},
		"opaque page":              {"POST", "/api/phones", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Origin": "null"}, 403},
		"foreign picture":          {"GET", "/api/phones", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"foreign link to the data": {"GET", "/api/phones", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403},
		"foreign frame":            {"GET", "/", "127.0.0.1:3100", "127.0.0.1:5", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, c.path, nil)
			r.Host, r.RemoteAddr = c.host, c.remote
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			ok.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("answered %d, want %d", w.Code, c.want)
			}
			if !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'self'") {
				t.Error("no content security policy")
			}
		})
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, body string
		ok         bool
	}{
		"good":                {"application/json; charset=utf-8", `{"text":"x"}`, true},
		"a form":              {"application/x-www-form-urlencoded", `text=x`, false},
		"plain text":          {"text/plain", `{"text":"x"}`, false},
		"empty":               {"application/json", ``, false},
		"broken":              {"application/json", `{"text":`, false},
		"an unknown member":   {"application/json", `{"txet":"x"}`, false},
		"another kind within": {"application/json", `{"text":7}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			var in struct{ Text string }
			err := read(r, &in)
			if (err == nil) != c.ok || (err != nil && fault.KindOf(err) != fault.Invalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReadCode(t *testing.T) {
	t.Parallel()
	const text = "https://wa.me/settings/linked_devices#2@abc/def+ghi,MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=,MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=,MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=,1"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	// A screenshot: the code somewhere on a larger page.
	page := image.NewGray(image.Rect(0, 0, 900, 700))
	for i := range page.Pix {
		page.Pix[i] = 0xee
	}
	const scale = 5
	for y := -4; y < code.Size+4; y++ {
		for x := -4; x < code.Size+4; x++ {
			shade := color.Gray{Y: 0xff}
			if code.Black(x, y) {
				shade.Y = 0
			}
			for i := range scale * scale {
				page.SetGray(300+x*scale+i%scale, 200+y*scale+i/scale, shade)
			}
		}
	}
	var shot bytes.Buffer
	if err := png.Encode(&shot, page); err != nil {
		t.Fatal(err)
	}
	if got, err := readCode(shot.Bytes()); err != nil || got != text {
		t.Errorf("read %q, %v", got, err)
	}
	for name, raw := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "half a picture": shot.Bytes()[:len(shot.Bytes())/2]} {
		if _, err := readCode(raw); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s gave %v", name, err)
		}
	}
	var blank bytes.Buffer
	if err := png.Encode(&blank, image.NewGray(image.Rect(0, 0, 50, 50))); err != nil {
		t.Fatal(err)
	}
	if _, err := readCode(blank.Bytes()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a blank picture gave %v", err)
	}
}
