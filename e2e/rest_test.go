package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"switchboard/gowa/gowatest"
)

// rest is a client of one number's own REST API.
type rest struct {
	t          testing.TB
	url, token string
}

// rest returns a client of a number's API, by way of the panel.
func (a *api) rest(id string) *rest {
	return &rest{t: a.t, url: a.url + "/instances/" + id + "/api", token: a.token}
}

// startNumber starts a panel with one number that is linked to the phone.
func startNumber(t testing.TB, network *network, phone *handset, vars ...string) (instance, *api) {
	t.Helper()
	_, api := startPanelWithToken(t, network, vars...)
	return api.pair(api.create("Business 01").ID, phone), api
}

// call asks for an operation of the specification, whose parameters in the path stand in
// path as they are. The answer has to be as clients of gowa expect it; its results are read
// into results, unless that is nil.
func (r *rest) call(operation, path string, in, results any) {
	r.t.Helper()
	status, header, body := r.ask(operation, path, in)
	if status != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", operation, path, status, body)
	}
	if err := gowatest.Check(operation, header.Get("Content-Type"), body); err != nil {
		r.t.Errorf("%v: %s", err, body)
	}
	if results == nil {
		return
	}
	out := struct{ Results any }{results}
	if err := json.Unmarshal(body, &out); err != nil {
		r.t.Fatalf("%s: %v: %s", operation, err, body)
	}
}

// fails asks for an operation that is to be refused with this status and code.
func (r *rest) fails(operation, path string, in any, status int, code string) {
	r.t.Helper()
	got, header, body := r.ask(operation, path, in)
	var e struct{ Code string }
	_ = json.Unmarshal(body, &e)
	if got != status || e.Code != code {
		r.t.Errorf("%s %s %v: %d %s instead of %d %s", operation, path, in, got, body, status, code)
		return
	}
	if err := gowatest.CheckError(header.Get("Content-Type"), body); err != nil {
		r.t.Errorf("%s %s: %v", operation, path, err)
	}
}

// form is a multipart body: texts, and files as bytes.
type form map[string]any

func (r *rest) ask(operation, path string, in any) (int, http.Header, []byte) {
	r.t.Helper()
	method, _, _ := strings.Cut(operation, " ")
	body, contentType := &bytes.Buffer{}, "application/json"
	switch v := in.(type) {
	case nil:
		body.WriteString("{}") // some clients send a body with every request
	case form:
		fields := params{}
		for name, value := range v {
			fields[name] = value
			if data, isFile := value.([]byte); isFile {
				fields[name] = attachment{name, "application/octet-stream", data}
			}
		}
		body, contentType = encode(fields, true, false)
	default:
		if err := json.NewEncoder(body).Encode(v); err != nil {
			r.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", contentType)
	return fetch(r.t, req)
}

// fetch returns the answer to a request.
func fetch(t testing.TB, r *http.Request) (int, http.Header, []byte) {
	t.Helper()
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}
