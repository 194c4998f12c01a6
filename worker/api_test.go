package worker

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
	"strings"
	"testing"
	"time"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/whatsapp"
)

type fakeNumber struct {
	report   instances.Report
	err      error
	to, text string
}

func (f *fakeNumber) Report() instances.Report { return f.report }
func (f *fakeNumber) SendText(_ context.Context, to, text string) (instances.Sent, error) {
	f.to, f.text = to, text
	return instances.Sent{ID: "3EB0", Chat: to, At: time.Unix(1_700_000_000, 0)}, f.err
}

type reply struct {
	Code, Message string
	Results       map[string]any
}

func call(t *testing.T, own *fakeNumber, r *http.Request) (int, reply) {
	t.Helper()
	w := httptest.NewRecorder()
	newAPI("test", own, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
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
	_ = parts.WriteField("phone", "4917")
	_ = parts.WriteField("message", "héllo")
	_ = parts.WriteField("is_forwarded", "false")
	parts.Close()
	values := url.Values{"phone": {"4917"}, "message": {"héllo"}, "duration": {""}}
	for name, r := range map[string]*http.Request{
		"json":      post("application/json", `{"phone":"4917","message":"héllo","mentions":[],"duration":0,"is_forwarded":false}`),
		"no type":   post("", `{"phone":"4917","message":"héllo","reply_message_id":""}`),
		"form":      post("application/x-www-form-urlencoded", values.Encode()),
		"multipart": post(parts.FormDataContentType(), form.String()),
	} {
		own := &fakeNumber{}
		status, out := call(t, own, r)
		if status != http.StatusOK || out.Code != "SUCCESS" || out.Results["message_id"] != "3EB0" || own.to != "4917" || own.text != "héllo" {
			t.Errorf("%s: %d %+v, sent %q to %q", name, status, out, own.text, own.to)
		}
	}
}

func TestSendMessageRefuses(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*http.Request{
		"nothing":        post("application/json", ``),
		"no object":      post("application/json", `[1]`),
		"half an object": post("application/json", `{"phone":`),
		"wrong types":    post("application/json", `{"phone":4917,"message":["x"]}`),
		"no phone":       post("application/json", `{"message":"x"}`),
		"no message":     post("application/json", `{"phone":"4917","message":"  "}`),
		"a reply":        post("application/json", `{"phone":"4917","message":"x","reply_message_id":"A"}`),
		"mentions":       post("application/json", `{"phone":"4917","message":"x","mentions":["4918"]}`),
		"forwarded":      post("application/x-www-form-urlencoded", `phone=4917&message=x&is_forwarded=true`),
		"no boundary":    post("multipart/form-data", `x`),
		"bad escape":     post("application/x-www-form-urlencoded", `phone=%zz`),
	} {
		own := &fakeNumber{}
		if status, out := call(t, own, r); status != http.StatusBadRequest || out.Code != "VALIDATION_ERROR" || out.Message == "" || own.to != "" {
			t.Errorf("%s: %d %+v", name, status, out)
		}
	}
	huge := post("application/json", `{"phone":"4917","message":"`+strings.Repeat("x", maxBody)+`"}`)
	if status, _ := call(t, &fakeNumber{}, huge); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge request: %d", status)
	}
}

func TestErrorsOfASend(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"400 VALIDATION_ERROR":      fault.InField("to", "No."),
		"401 AUTHENTICATION_ERROR":  fault.New(fault.Unavailable, "No."),
		"404 NOT_FOUND":             fault.New(fault.NotFound, "No."),
		"429 WA_REACHOUT_TIMELOCK":  fault.Wrap(fault.Throttled, "No.", whatsapp.ErrReachOut),
		"429 TOO_MANY_REQUESTS":     fault.New(fault.Throttled, "No."),
		"500 INTERNAL_SERVER_ERROR": errors.New("dsn=secret"),
	} {
		status, out := call(t, &fakeNumber{err: err}, post("application/json", `{"phone":"4917","message":"x"}`))
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
		own := &fakeNumber{report: instances.Report{Status: status, JID: "4917:3@s.whatsapp.net"}}
		code, out := call(t, own, httptest.NewRequest(http.MethodGet, "/app/status", nil))
		jid := ""
		if want[1] {
			jid = "4917@s.whatsapp.net"
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
