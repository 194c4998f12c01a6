package api

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"switchboard/instances"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := "/instances/" + string(s.add(instances.Instance{Status: instances.Connected}))
	answer := func(status int, body string) {
		s.supervisor.worker = worker(t, func(w http.ResponseWriter, r *http.Request) {
			in, _ := io.ReadAll(r.Body)
			w.WriteHeader(status)
			fmt.Fprintf(w, body, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Idempotency-Key")+" "+strings.ReplaceAll(string(in), `"`, `'`))
		})
	}
	answer(200, `{"code":"SUCCESS","results":{"message_id":"1","asked":"%s"}}`)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/messages", `{"to":"49","text":"hi"}`, `POST /send/message key {'message':'hi','phone':'49','reply_message_id':''}`},
		{"POST", "/messages", `{"to":"1@g.us","type":"text","text":"hi","reply_to":"A","mentions":["@everyone"],"send_at":"2099-01-01T00:00:00+01:00"}`,
			`POST /send/message key {'mentions':['@everyone'],'message':'hi','phone':'1@g.us','reply_message_id':'A','send_at':'2098-12-31T23:00:00Z'}`},
		{"POST", "/messages", `{"to":"49","type":"document","url":"https://x.example/a.pdf","text":"see"}`,
			`POST /send/file key {'caption':'see','file_url':'https://x.example/a.pdf','phone':'49','reply_message_id':''}`},
		{"GET", "/messages/3EB0%2F1", "", `GET /message/3EB0%2F1/status key `},
		{"GET", "/messages/3EB0?chat=49", "", `GET /message/3EB0/status?phone=49 key `},
		{"GET", "/queue?limit=7", "", `GET /queue?limit=7 key `},
		{"DELETE", "/queue/a-b", "", `DELETE /queue/a-b key `},
	} {
		got := s.send(s.operator, c.method, path+c.path, c.body, "Idempotency-Key", "key")
		if s.wantStatus(got, 200); got.body != `{"message_id":"1","asked":"`+c.want+`"}`+"\n" {
			t.Errorf("%s %s: %s", c.method, c.path, got.body)
		}
	}
	for body, field := range map[string]string{
		`{"text":"hi"}`: "to", `{"to":"49"}`: "text", `{"to":"49","type":"film"}`: "type", `{"to":"49","type":"image"}`: "url",
		`{"to":"49","url":"https://x"}`: "type", `{"to":"49","type":"audio","url":"https://x","text":"hi"}`: "text", `{"to":"49","colour":"red"}`: "colour",
	} {
		if p := s.wantProblem(s.send(s.operator, "POST", path+"/messages", body), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: the fault is in %q", body, p.Field)
		}
	}
	answer(202, `{"code":"SUCCESS","results":{"message_id":"1","queue_id":"%.0s2"}}`)
	s.wantStatus(s.send(s.operator, "POST", path+"/messages", `{"to":"49","text":"hi"}`), http.StatusAccepted)
	answer(422, `{"code":"IDEMPOTENCY_KEY_REUSED","message":"This Idempotency-Key came before.%.0s"}`)
	if p := s.wantProblem(s.send(s.operator, "POST", path+"/messages", `{"to":"49","text":"hi"}`), http.StatusUnprocessableEntity); p.Field != "Idempotency-Key" {
		t.Errorf("a key that was used: %+v", p)
	}
	// What the number says about one of its own parameters is said about the member it came from.
	for said, want := range map[string]problem{
		"phone: This is no phone number.": {Field: "to", Detail: "This is no phone number."},
		"image_url: nothing answers.":     {Field: "url", Detail: "url: nothing answers."},
		"reply_message_id: is odd.":       {Field: "reply_to", Detail: "reply_to: is odd."},
		"message: no; phone: no.":         {Detail: "message: no; phone: no."},
		"Nothing of that: kind.":          {Detail: "Nothing of that: kind."},
	} {
		answer(400, `{"code":"VALIDATION_ERROR","message":"`+said+`%.0s"}`)
		p := s.wantProblem(s.send(s.operator, "POST", path+"/messages", `{"to":"49","type":"image","url":"https://x","reply_to":"A"}`), http.StatusUnprocessableEntity)
		if p.Field != want.Field || p.Detail != want.Detail {
			t.Errorf("%s: %q about %q", said, p.Detail, p.Field)
		}
	}
	for body, field := range map[string]string{`{"to":"49","text":"x","send_at":"tomorrow"}`: "send_at", `{"to":"49","text":"x","send_at":5}`: ""} {
		if p := s.wantProblem(s.send(s.operator, "POST", path+"/messages", body), http.StatusUnprocessableEntity); p.Field != field || !strings.Contains(p.Detail, "2027-01-31T12:00:00Z") {
			t.Errorf("%s: %q about %q", body, p.Detail, p.Field)
		}
	}
	answer(401, `{"code":"AUTHENTICATION_ERROR","message":"This number is not connected.%.0s"}`)
	s.wantProblem(s.send(s.operator, "POST", path+"/messages", `{"to":"49","text":"hi"}`), http.StatusServiceUnavailable)
}
