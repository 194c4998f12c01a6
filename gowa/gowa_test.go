package gowa

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/egress"
	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/whatsapp"
)

// fakeNumber is a number that notes what it is asked. What it does not answer panics.
type fakeNumber struct {
	Number
	report   instances.Report
	err      error
	to, text string
	extras   whatsapp.Extras
	wait     bool // until the context ends
}

func (f *fakeNumber) Report() instances.Report { return f.report }
func (f *fakeNumber) Send(ctx context.Context, to string, c whatsapp.Content, x whatsapp.Extras) (instances.Sent, error) {
	if f.wait {
		<-ctx.Done()
		return instances.Sent{}, ctx.Err()
	}
	text, _ := c.(whatsapp.Text)
	f.to, f.text, f.extras = to, string(text), x
	return instances.Sent{ID: "3EB0", Chat: to, At: time.Unix(1_700_000_000, 0)}, f.err
}

func newAPI(own *fakeNumber) *API {
	return New(Options{ID: "test", Version: "1", Number: own, Egress: egress.New(nil), Log: slog.New(slog.DiscardHandler)})
}

type reply struct {
	Code, Message string
	Results       map[string]any
}

func call(t *testing.T, own *fakeNumber, r *http.Request) (int, reply) {
	t.Helper()
	w := httptest.NewRecorder()
	newAPI(own).ServeHTTP(w, r)
	if w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a browser may guess what %s answers", r.URL)
	}
	var out reply
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return w.Code, out
}

func post(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/send/message", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestSendMessage(t *testing.T) {
	t.Parallel()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	_ = parts.WriteField("phone", "491701234567")
	_ = parts.WriteField("message", "héllo")
	_ = parts.WriteField("is_forwarded", "false")
	parts.Close()
	values := url.Values{"phone": {"491701234567"}, "message": {"héllo"}, "duration": {""}}
	for name, r := range map[string]*http.Request{
		"json":      post("application/json", `{"phone":"491701234567","message":"héllo","mentions":[],"duration":0,"is_forwarded":false}`),
		"no type":   post("", `{"phone":"491701234567","message":"héllo","reply_message_id":""}`),
		"form":      post("application/x-www-form-urlencoded", values.Encode()),
		"multipart": post(parts.FormDataContentType(), form.String()),
	} {
		own := &fakeNumber{}
		status, out := call(t, own, r)
		if status != http.StatusOK || out.Code != "SUCCESS" || out.Results["message_id"] != "3EB0" || own.to != "491701234567@s.whatsapp.net" || own.text != "héllo" {
			t.Errorf("%s: %d %+v, sent %q to %q", name, status, out, own.text, own.to)
		}
	}
}

// Where the panel passes requests on, the API begins below a path.
func TestBasePath(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{"": "", "https://panel.example/wa/api/v1/instances/a/api": "/wa/api/v1/instances/a/api"} {
		r := httptest.NewRequest(http.MethodGet, "/app/info", http.NoBody)
		r.Header.Set(baseHeader, base)
		_, got := call(t, &fakeNumber{}, r)
		if path := got.Results["base_path"]; path != want {
			t.Errorf("below %q: %v", base, path)
		}
	}
}

func TestSendMessageRefuses(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*http.Request{
		"nothing":        post("application/json", ``),
		"no object":      post("application/json", `[1]`),
		"half an object": post("application/json", `{"phone":`),
		"wrong types":    post("application/json", `{"phone":true,"message":["x"]}`),
		"no phone":       post("application/json", `{"message":"x"}`),
		"no message":     post("application/json", `{"phone":"491701234567","message":"  "}`),
		"no such time":   post("application/json", `{"phone":"491701234567","message":"x","duration":60}`),
		"not a time":     post("application/json", `{"phone":"491701234567","message":"x","duration":"day"}`),
		"not a flag":     post("application/x-www-form-urlencoded", `phone=491701234567&message=x&is_forwarded=perhaps`),
		"no list":        post("application/json", `{"phone":"491701234567","message":"x","mentions":{"a":1}}`),
		"no boundary":    post("multipart/form-data", `x`),
		"no boundary 2":  post("multipart/form-data; boundary=x", "--x\r\n"),
		"not utf-8":      post("application/json", "{\"phone\":\"491701234567\",\"message\":\"\xff\"}"),
		"form not utf-8": post("application/x-www-form-urlencoded", "phone=491701234567&message=%ff"),
		"two objects":    post("application/json", `{"phone":"491701234567","message":"x"} {}`),
		"a short phone":  post("application/json", `{"phone":"4917","message":"x"}`),
		"a phone of 0":   post("application/json", `{"phone":"01701234567","message":"x"}`),
		"a file":         post("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"message\"; filename=\"a\"\r\n\r\nx\r\n--x--"),
		"bad escape":     post("application/x-www-form-urlencoded", `phone=%zz`),
	} {
		own := &fakeNumber{}
		if status, out := call(t, own, r); status != http.StatusBadRequest || out.Code != "VALIDATION_ERROR" || out.Message == "" || own.to != "" {
			t.Errorf("%s: %d %+v", name, status, out)
		}
	}
	huge := post("application/json", `{"phone":"491701234567","message":"`+strings.Repeat("x", maxFields)+`"}`)
	if status, _ := call(t, &fakeNumber{}, huge); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge request: %d", status)
	}
}

func TestErrorsOfASend(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"400 VALIDATION_ERROR":                              fault.InField("to", "No."),
		"400 INVALID_JID":                                   fault.Wrap(fault.Invalid, "No.", whatsapp.ErrAddress),
		"500 UPLOAD_MEDIA_ERROR":                            fault.Wrap(fault.Unavailable, "No.", whatsapp.ErrUpload),
		"413 VALIDATION_ERROR":                              fault.New(fault.TooLarge, "No."),
		"503 MEDIA_UNAVAILABLE":                             fault.Wrap(fault.Unavailable, "No.", whatsapp.ErrMedia),
		"409 CONFLICT":                                      fault.New(fault.Conflict, "No."),
		"401 AUTHENTICATION_ERROR":                          fault.New(fault.Unavailable, "No."),
		"404 NOT_FOUND":                                     fault.New(fault.NotFound, "No."),
		"429 WA_REACHOUT_TIMELOCK":                          fault.Wrap(fault.Throttled, "No.", whatsapp.ErrReachOut),
		"429 TOO_MANY_REQUESTS":                             fault.New(fault.Throttled, "No."),
		"500 INTERNAL_SERVER_ERROR":                         errors.New("dsn=secret"),
		"500 INTERNAL_SERVER_ERROR, since the disk is full": fault.Wrap(fault.Unavailable, "No room.", whatsapp.ErrNoRoom),
	} {
		status, out := call(t, &fakeNumber{err: err}, post("application/json", `{"phone":"491701234567","message":"x"}`))
		want, _, _ := strings.Cut(want, ",")
		if got := fmt.Sprint(status, " ", out.Code); got != want || strings.Contains(out.Message, "secret") {
			t.Errorf("want %s: %s %+v", want, got, out)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[instances.Status][2]bool{
		instances.Connected: {true, true}, instances.Reconnecting: {false, true}, instances.Replaced: {false, true},
		instances.LoggedOut: {false, false}, instances.PairingPhone: {false, false}, instances.Starting: {false, false},
	} {
		own := &fakeNumber{report: instances.Report{Status: status, JID: "491701234567:3@s.whatsapp.net"}}
		code, out := call(t, own, httptest.NewRequest(http.MethodGet, "/app/status", nil))
		jid := ""
		if want[1] {
			jid = "491701234567@s.whatsapp.net"
		}
		if code != http.StatusOK || out.Results["is_connected"] != want[0] || out.Results["is_logged_in"] != want[1] ||
			out.Results["jid"] != jid || out.Results["device_id"] != "test" {
			t.Errorf("%s: %d %+v", status, code, out)
		}
	}
	if code, _ := call(t, &fakeNumber{}, httptest.NewRequest(http.MethodGet, "/nothing", nil)); code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", code)
	}
}

func TestWhereTheNumberIsGiven(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"491701234567": "491701234567@s.whatsapp.net", "+49 (170) 123-4567": "491701234567@s.whatsapp.net",
		"0170 1234567": "491701234567@s.whatsapp.net", "120363001234567890": "120363001234567890@g.us",
		"491701234567-1600000000": "491701234567-1600000000@g.us", "99@lid": "99@lid", "1@newsletter": "1@newsletter",
		"status@broadcast": "status@broadcast", "49@s.whatsapp.net": "49@s.whatsapp.net",
	} {
		own := &fakeNumber{}
		api := newAPI(own)
		api.Apply(settings.Settings{Region: "DE"})
		body, _ := json.Marshal(map[string]string{"phone": text, "message": "x"})
		w := httptest.NewRecorder()
		api.ServeHTTP(w, post("application/json", string(body)))
		if w.Code != http.StatusOK || own.to != want {
			t.Errorf("%q: %d %s, sent to %q", text, w.Code, w.Body, own.to)
		}
	}
	// Whom a message mentions is written in the same ways.
	own := &fakeNumber{}
	api := newAPI(own)
	api.Apply(settings.Settings{Region: "DE"})
	w := httptest.NewRecorder()
	api.ServeHTTP(w, post("application/json", `{"phone":"49@g.us","message":"x","mentions":["0170 1234567","@+49 170 1234568","@everyone","99@lid"]}`))
	want := []string{"491701234567@s.whatsapp.net", "491701234568@s.whatsapp.net", "@everyone", "99@lid"}
	if w.Code != http.StatusOK || !slices.Equal(own.extras.Mentions, want) {
		t.Errorf("mentioned are %q: %d %s", own.extras.Mentions, w.Code, w.Body)
	}
}

func TestAFileWithoutAName(t *testing.T) {
	t.Parallel()
	r := post("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"image\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--x--")
	r.URL.Path = "/send/image"
	if _, out := call(t, &fakeNumber{}, r); !strings.Contains(out.Message, "filename") {
		t.Errorf("it says %q", out.Message)
	}
}

// The paths that clients write, escaped or not, reach the same operation.
func TestRoutes(t *testing.T) {
	t.Parallel()
	own := &fakeNumber{report: instances.Report{Status: instances.Connected, JID: "491701234567@s.whatsapp.net"}}
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/app/status", 200, "SUCCESS"}, {"HEAD", "/app/status", 200, ""}, {"GET", "/app/status/", 200, "SUCCESS"},
		{"GET", "/app/status?start_time=&search=", 200, "SUCCESS"}, {"GET", "/app/status?%zz", 400, "VALIDATION_ERROR"},
		{"GET", "/app/status?x=%ff", 400, "VALIDATION_ERROR"},
		{"POST", "/app/status", 405, "METHOD_NOT_ALLOWED"}, {"GET", "/send/message", 405, "METHOD_NOT_ALLOWED"},
		{"GET", "/nothing", 404, "NOT_FOUND"}, {"GET", "/../etc/passwd", 404, "NOT_FOUND"}, {"GET", "//app/status", 404, "NOT_FOUND"},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		newAPI(own).ServeHTTP(w, r)
		var out reply
		_ = json.Unmarshal(w.Body.Bytes(), &out)
		if w.Code != c.status || out.Code != c.code && c.method != "HEAD" {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
		if allow := w.Header().Get("Allow"); allow != map[string]string{"POST /app/status": "GET, HEAD", "GET /send/message": "POST"}[c.method+" "+c.path] {
			t.Errorf("%s %s: allowed are %q", c.method, c.path, allow)
		}
	}
}

func TestAnOperationThatPanics(t *testing.T) {
	t.Parallel()
	api := newAPI(nil) // a number that is not there
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/app/status", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "INTERNAL_SERVER_ERROR") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		status, out := call(t, &fakeNumber{wait: true}, post("application/json", `{"phone":"491701234567","message":"x"}`))
		if took := time.Since(began); status != http.StatusGatewayTimeout || out.Code != "GATEWAY_TIMEOUT" || took != Deadline {
			t.Errorf("%d %+v after %s", status, out, took)
		}
	})
}

// What a server without ffmpeg cannot do it says, and what needs no ffmpeg it does.
func TestWithoutFFmpeg(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct{ field, flag, data string }{
		"/send/audio": {"audio", "ptt", "ID3\x03 a song"}, "/send/video": {"video", "compress", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"},
	} {
		for flag, want := range map[string]int{"true": http.StatusBadRequest, "false": http.StatusOK} {
			var form bytes.Buffer
			parts := multipart.NewWriter(&form)
			_ = parts.WriteField("phone", "491701234567")
			_ = parts.WriteField(c.flag, flag)
			part, _ := parts.CreateFormFile(c.field, "a")
			_, _ = part.Write([]byte(c.data))
			parts.Close()
			r := httptest.NewRequest(http.MethodPost, path, &form)
			r.Header.Set("Content-Type", parts.FormDataContentType())
			status, out := call(t, &fakeNumber{}, r)
			if status != want || want != http.StatusOK && !strings.Contains(out.Message, "ffmpeg, which is not installed") {
				t.Errorf("%s, %s %s: %d %+v", path, c.flag, flag, status, out)
			}
		}
	}
}
