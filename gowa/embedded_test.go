package gowa

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// unpacked reads a request to /send/file as JSON.
func unpacked(t *testing.T, body string) (*request, error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/send/file", strings.NewReader(body))
	in := &request{Request: r, values: map[string]any{}, files: map[string]*upload{}}
	t.Cleanup(in.forget)
	return in, in.readBody(httptest.NewRecorder(), map[string]int64{"file": 1000})
}

func TestFilesInJSON(t *testing.T) {
	t.Parallel()
	data := []byte{0xfb, 0xff, 0xfe, 0, 1, 2, 3} // with a plus and a slash in Base64
	std, raw := base64.StdEncoding.EncodeToString(data), base64.RawURLEncoding.EncodeToString(data)
	whole := bytes.Repeat(data, 1000/len(data))
	for body, want := range map[string]struct {
		data        []byte
		media, name string
	}{
		`{"phone":"1","file":"` + std + `"}`:                                          {data, "", ""},
		`{"file": "` + raw + `" , "phone":"1"}`:                                       {data, "", ""},
		`{"file":"` + strings.ReplaceAll(std, "/", `\/`) + `","phone":"1"}`:           {data, "", ""},
		`{"file":"` + strings.ReplaceAll(std, "+", `\u002b`) + `","phone":"1"}`:       {data, "", ""},
		`{"file":"` + std[:4] + `\r\n` + std[4:] + `","phone":"1"}`:                   {data, "", ""},
		`{"file":"data:application/pdf;base64,` + std + `","phone":"1"}`:              {data, "application/pdf", ""},
		`{"file":"data:;base64,` + std + `","phone":"1"}`:                             {data, "", ""},
		`{"file":"data:text/plain;name=a.txt;base64,` + std + `","phone":"1"}`:        {data, "text/plain", "a.txt"},
		`{"fi\u006ce":"` + std + `","phone":"1"}`:                                     {data, "", ""},
		`{"file":"` + base64.StdEncoding.EncodeToString(whole) + `","phone":"1"}`:     {whole, "", ""},
		`{"phone":"1","x":{"file":"not this one"},"y":["file:","file"],"z":"\"file"}`: {},
		`{"phone":"1","file":""}`:                                                     {},
		`{"phone":"1","file":null}`:                                                   {},
	} {
		in, err := unpacked(t, body)
		if err != nil || in.values["phone"] != "1" {
			t.Errorf("%.80s: %v, %v", body, err, in.values)
			continue
		}
		f := in.files["file"]
		if want.data == nil {
			if f != nil {
				t.Errorf("%.80s: there is a file", body)
			}
			continue
		}
		if f == nil {
			t.Errorf("%.80s: there is no file", body)
			continue
		}
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, want.data) || f.media != want.media || f.name != want.name || f.size != int64(len(want.data)) {
			t.Errorf("%.80s: %d bytes, %q, %q, %v", body, len(got), f.media, f.name, err)
		}
	}
}

func TestFilesInJSONRefused(t *testing.T) {
	t.Parallel()
	large := base64.StdEncoding.EncodeToString(make([]byte, 1001))
	for body, want := range map[string]string{
		`{"file":"https://example.org/a.png"}`:      "file: in JSON this is a file in Base64, or a data URI of it. An address goes in file_url where the operation has that.",
		`{"file":"data:image/png,x"}`:               "file: in JSON this is a file in Base64",
		`{"file":"data:image/png;base64,%%%%"}`:     "file: in JSON this is a file in Base64",
		`{"file":"data:` + strings.Repeat("x", 600): "file: in JSON this is a file in Base64",
		`{"file":"AAAA=AAA"}`:                       "file: in JSON this is a file in Base64",
		`{"file":"A"}`:                              "file: in JSON this is a file in Base64",
		`{"file":"\u00e9AAA"}`:                      "file: in JSON this is a file in Base64",
		`{"file":"AAAA","file":"AAAA"}`:             "file: only one file can be sent.",
		`{"file":"` + large + `"}`:                  "file: the file is larger than 0 MB.",
		`{"file":"AAAA`:                             "The request is neither a JSON object nor a form.",
		`{"file":"AAAA"`:                            "The request is neither a JSON object nor a form.",
		`{"file":"AA\`:                              "The request is neither a JSON object nor a form.",
		`["file":"AAAA"]`:                           "The request is neither a JSON object nor a form.",
		`{"x":"` + strings.Repeat("x", maxFields):   "The request is too large.",
	} {
		_, err := unpacked(t, body)
		if err == nil || !strings.HasPrefix(fmt.Sprint(messageOf(err)), want) {
			t.Errorf("%.60s: %v", body, err)
		}
	}
	// A form may have it, too.
	in, err := read(httptest.NewRecorder(), formOf("file=data:text/plain%3Bbase64,+/AA&phone=1"), map[string]int64{"file": 1000})
	if f := in.files["file"]; err != nil || f == nil || f.size != 3 || f.media != "text/plain" {
		t.Errorf("in a form: %v", err)
	}
	in.forget()
	in, err = read(httptest.NewRecorder(), formOf("file=undefined&file_url=https://example.org/a.png"), map[string]int64{"file": 1000})
	if err != nil || in.files["file"] != nil {
		t.Errorf("beside an address: %v", err)
	}
	// There it is text as it stands, with nothing escaped and nothing to end it.
	for _, value := range []string{`AAAA\`, `AAAA\n`, `AA\u00`, `AAAA"AAAA`} {
		in, err = read(httptest.NewRecorder(), formOf("file="+url.QueryEscape(value)), map[string]int64{"file": 1000})
		if in.forget(); err == nil || !strings.HasPrefix(fmt.Sprint(messageOf(err)), "file: in JSON this is a file in Base64") {
			t.Errorf("%s: %v", value, err)
		}
	}
	// What is no text is no file.
	for _, value := range []string{`7`, `{"data":"AAAA"}`, `["AAAA"]`, `true`} {
		status, out := call(t, &fakeNumber{}, postTo("/send/file", `{"phone":"491701234567","file":`+value+`}`))
		if status != http.StatusBadRequest || !strings.HasPrefix(out.Message, "file: in JSON this is a file in Base64") {
			t.Errorf("%s: %d %+v", value, status, out)
		}
	}
}

func formOf(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/send/file", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, chi.NewRouteContext()))
}

func messageOf(err error) string {
	status, _ := codeOf(err)
	if status >= http.StatusInternalServerError {
		return "a failure of our own: " + err.Error()
	}
	return err.Error()
}

func postTo(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// However an object is written, what is no file of it is read as it is without files.
func FuzzFilesInJSON(f *testing.F) {
	for _, body := range []string{`{"phone":"1","file":"AAAA"}`, `{"a":{"file":"x"},"b":[1,"\\\""],"file":"data:a/b;base64,AA=="}`, `{`, `"`, `{"file":"\u002`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		in, err := unpacked(t, body)
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		if err != nil || d.Decode(&want) != nil {
			return
		}
		if in.files["file"] != nil {
			want["file"] = ""
		}
		delete(in.values, "file")
		delete(want, "file")
		if !maps.EqualFunc(in.values, want, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%q is read as %v instead of %v", body, in.values, want)
		}
	})
}
